#!/usr/bin/python3
"""Tables of scikit-learn's generators, and such as people bring, as CSV files for the bench `calm`.

usage: generate_tables.py FOLDER [SEED]      64 tables, NAME.classes.csv or NAME.values.csv; seed 1 by default

Rows, columns, classes, noise and the shares of classes are drawn by the seed. Needs Debian's python3-sklearn.
"""

import pathlib
import sys

import numpy
import sklearn.datasets as generators


def save(folder, name, inputs, targets):
    kind = "classes" if numpy.issubdtype(targets.dtype, numpy.integer) else "values"
    header = ",".join([f"x{column}" for column in range(inputs.shape[1])] + ["target"])
    formats = ["%.6g"] * inputs.shape[1] + ["%d" if kind == "classes" else "%.7g"]
    numpy.savetxt(
        folder / f"{name}.{kind}.csv", numpy.column_stack([inputs, targets]), formats, ",", header=header, comments=""
    )


def classification(draw, seed):
    rows, columns, classes = int(draw([150, 300, 600, 1200, 3000])), int(draw([4, 8, 15, 30])), int(draw([2, 2, 3, 5]))
    informative = max(3, int(columns * draw([0.3, 0.5, 0.7, 0.9])))
    return generators.make_classification(
        rows,
        columns,
        n_informative=informative,
        n_redundant=min(columns - informative, int(draw([0, 1, 2]))),
        n_classes=classes,
        n_clusters_per_class=int(draw([1, 2])) if 2**informative >= 2 * classes else 1,
        flip_y=float(draw([0, 0.01, 0.05, 0.1])),
        class_sep=float(draw([0.7, 1, 1.5])),
        weights=draw([None, None, [0.7] + [0.3 / (classes - 1)] * (classes - 1)]),
        random_state=seed,
    )


def people(random, regression):
    """Ages, skewed incomes, counts, an indicator of five cities, scores: each column in its own unit."""
    rows = int(random.choice([250, 600, 1500, 4000]))
    age, income = random.randint(18, 80, rows), numpy.exp(random.normal(10, 0.6, rows)).round(-2)
    children, tenure = random.poisson(1.2, rows), random.exponential(5, rows).round(1)
    city, sex = numpy.eye(5)[random.randint(0, 5, rows)], random.randint(0, 2, rows)
    score = random.normal(600, 80, rows).round()
    signal = 0.04 * (age - 45) + 0.8 * (numpy.log(income) - 10) + 0.3 * children + city @ random.normal(0, 0.7, 5)
    signal += 0.01 * (score - 600) * random.choice([-1, 1]) + 0.3 * sex - 0.05 * tenure
    inputs = numpy.column_stack([age, income, children, city, sex, tenure, score])
    if regression:
        return inputs, (20000 + 8000 * (signal + random.normal(0, 0.5, rows))).round()
    return inputs, (signal + random.logistic(0, random.choice([0.3, 1]), rows) > 0).astype(int)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    random = numpy.random.RandomState(int(sys.argv[2]) if len(sys.argv) == 3 else 1)

    def draw(values):
        return values[random.randint(len(values))]

    def seed():
        return random.randint(10**6)

    for i in range(14):
        save(folder, f"classification{i}", *classification(draw, seed()))
    for i in range(4):
        rows = int(draw([100, 400, 1000]))
        few, many = int(draw([3, 6, 10])), int(draw([5, 10, 20]))
        tables = {
            "moons": generators.make_moons(rows, noise=draw([0.1, 0.2, 0.3]), random_state=seed()),
            "circles": generators.make_circles(rows, noise=0.1, factor=0.5, random_state=seed()),
            "shells": generators.make_gaussian_quantiles(
                n_samples=rows, n_features=few, n_classes=draw([2, 3, 4]), random_state=seed()
            ),
            "blobs": generators.make_blobs(
                rows, draw([2, 5, 20]), centers=draw([3, 5, 8]), cluster_std=draw([1, 3, 6]), random_state=seed()
            ),
            "friedman1": generators.make_friedman1(rows, many, noise=draw([0.1, 1, 3]), random_state=seed()),
            "friedman2": generators.make_friedman2(rows, noise=draw([0, 50, 125]), random_state=seed()),
            "friedman3": generators.make_friedman3(rows, noise=draw([0, 0.1, 0.3]), random_state=seed()),
            "linear": generators.make_regression(
                rows, draw([5, 20]), n_informative=4, noise=draw([1, 10, 50]), random_state=seed()
            ),
            "s_curve": generators.make_s_curve(rows, noise=0.1, random_state=seed()),
        }
        inputs, signs = generators.make_hastie_10_2(rows, random_state=seed())
        tables["hastie"] = inputs, (signs > 0).astype(int)
        for name, table in tables.items():
            save(folder, f"{name}{i}", *table)
    for i in range(10):
        save(folder, f"people{i}", *people(random, regression=i % 2 == 0))


if __name__ == "__main__":
    main()
