#!/usr/bin/python3
"""Writes scikit-learn's diabetes, digits, iris, wine and breast cancer tables as CSV files, for zero_config.

usage: export_tables.py FOLDER

Needs Debian's python3-sklearn, which has the data with it: nothing is downloaded. The columns are as
measured, not scaled; the last one is "target", a whole number from 0 on for classes.
"""

import pathlib
import sys

from sklearn import datasets

TABLES = {
    "diabetes": datasets.load_diabetes(scaled=False),
    "digits": datasets.load_digits(),
    "iris": datasets.load_iris(),
    "wine": datasets.load_wine(),
    "breast_cancer": datasets.load_breast_cancer(),
}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in TABLES.items():
        header = ",".join(str(column).replace(",", "") for column in table.feature_names) + ",target\n"
        rows = (
            ",".join(repr(float(value)) for value in row) + f",{target:g}\n"
            for row, target in zip(table.data, table.target)
        )
        (folder / f"{name}.csv").write_text(header + "".join(rows))


if __name__ == "__main__":
    main()
