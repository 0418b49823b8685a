#!/usr/bin/env python3
"""Writes metric_figures.h beside this file: small tables, and what scikit-learn computes of them.

Needs scikit-learn 1.2 or later; Debian's python3-sklearn will do: /usr/bin/python3 make_metric_figures.py
The tests themselves need no Python. All values are multiples of 1/8, which floats hold exactly.
"""

import pathlib
import textwrap
import warnings

import numpy as np
import sklearn
from sklearn import metrics

DATE = "2026-11-22"
ROWS = 60


def eighths(values):
    return np.round(np.asarray(values) * 8) / 8


def array(name, values):
    text = ", ".join(f"{x:.17g}" for x in np.asarray(values, dtype=float).flatten())
    return (f"inline constexpr float {name}[] = {{\n"
            + textwrap.fill(text, 116, initial_indent="    ", subsequent_indent="    ") + "};\n")


def figures(name, values):
    rows = [f'    {{"{key}", {float(value):.17g}}},' for key, value in values.items()]
    return f"inline constexpr Figure {name}_figures[] = {{\n" + "\n".join(rows) + "\n};\n"


def matrix(name, targets, predicted):
    return array(name + "_confusion", metrics.confusion_matrix(targets, predicted))


def of_classes(targets, predicted, averages):
    values = {}
    functions = {"f1": metrics.f1_score, "precision": metrics.precision_score, "recall": metrics.recall_score}
    for name, function in functions.items():
        for suffix, average in averages.items():
            values[name + suffix] = function(targets, predicted, average=average, zero_division=0)
    return values


AVERAGES = {"_macro": "macro", "_micro": "micro", "_weighted": "weighted"}


def binary(random):
    """One logit; on a grid so coarse that many are equal, within a class and between them."""
    targets = (random.random(ROWS) < 0.3).astype(int)
    logits = np.round(2 * (random.normal(size=ROWS) + 1.2 * targets - 0.3)) / 2
    assert len(set(logits)) < ROWS / 3
    predicted = (logits > 0).astype(int)
    values = {"accuracy": metrics.accuracy_score(targets, predicted)}
    values |= of_classes(targets, predicted, {"": "binary"} | AVERAGES)
    values["auc"] = metrics.roc_auc_score(targets, logits)
    return (f"// Binary: logits and targets [{ROWS}].\n" + array("binary_logits", logits)
            + array("binary_targets", targets) + matrix("binary", targets, predicted) + figures("binary", values))


def multiclass(random):
    """Four classes of very different frequency, the third of which is never predicted."""
    targets = random.choice(4, size=ROWS, p=[0.55, 0.25, 0.12, 0.08])
    logits = eighths(random.normal(size=(ROWS, 4)) + 1.5 * np.eye(4)[targets])
    logits[:, 2] = -8
    predicted = logits.argmax(1)
    assert set(targets) == {0, 1, 2, 3} and set(predicted) == {0, 1, 3}
    values = {"accuracy": metrics.accuracy_score(targets, predicted)}
    values |= of_classes(targets, predicted, {"": "macro"} | AVERAGES)
    return (f"// Multiclass: logits [{ROWS}, 4], classes [{ROWS}]; class 2 is never predicted.\n"
            + array("multiclass_logits", logits) + array("multiclass_targets", targets)
            + matrix("multiclass", targets, predicted) + figures("multiclass", values))


def absent(random):
    """Five classes, of which the last one neither occurs nor is predicted."""
    targets = random.choice(4, size=ROWS)
    logits = eighths(random.normal(size=(ROWS, 5)) + np.eye(5)[targets])
    logits[:, 4] = -8
    predicted = logits.argmax(1)
    values = of_classes(targets, predicted, {"": "macro"} | AVERAGES)
    return (f"// Multiclass: logits [{ROWS}, 5], classes [{ROWS}]; class 4 neither occurs nor is predicted.\n"
            + array("absent_logits", logits) + array("absent_targets", targets) + figures("absent", values))


def two_logits(random):
    """Two classes with a logit each: the positive class is 1."""
    targets = (random.random(ROWS) < 0.4).astype(int)
    logits = eighths(random.normal(size=(ROWS, 2)) + 0.7 * np.eye(2)[targets])
    predicted = logits.argmax(1)
    values = {"accuracy": metrics.accuracy_score(targets, predicted)}
    values |= of_classes(targets, predicted, {"": "binary"} | AVERAGES)
    values["auc"] = metrics.roc_auc_score(targets, logits[:, 1] - logits[:, 0])
    return (f"// Two classes: logits [{ROWS}, 2], classes [{ROWS}].\n" + array("two_logits_logits", logits)
            + array("two_logits_targets", targets) + matrix("two_logits", targets, predicted)
            + figures("two_logits", values))


def multilabel(random):
    """Three labels a row, the last one rare."""
    targets = (random.random((ROWS, 3)) < [0.5, 0.3, 0.1]).astype(int)
    logits = eighths(random.normal(size=(ROWS, 3)) + 1.5 * targets - 0.5)
    predicted = (logits > 0).astype(int)
    values = {"accuracy": (targets == predicted).mean()}
    values |= of_classes(targets, predicted, {"": "macro"} | AVERAGES)
    return (f"// Several labels: logits and targets [{ROWS}, 3]; the accuracy is the mean over all elements.\n"
            + array("multilabel_logits", logits) + array("multilabel_targets", targets)
            + figures("multilabel", values))


def regression(random, name, columns):
    targets = eighths(random.normal(size=(ROWS, columns)) * [3, 1, 0.5][:columns] + [100, 0, -2][:columns])
    predictions = eighths(targets + random.normal(size=(ROWS, columns)) * [1, 0.5, 1][:columns])
    values = {
        "r2": metrics.r2_score(targets, predictions),
        "mae": metrics.mean_absolute_error(targets, predictions),
        "mse": metrics.mean_squared_error(targets, predictions),
        "rmse": metrics.mean_squared_error(targets, predictions, squared=False),
    }
    return (f"// Regression: predictions and targets [{ROWS}, {columns}].\n" + array(name + "_predictions", predictions)
            + array(name + "_targets", targets) + figures(name, values))


def main():
    warnings.simplefilter("error")
    random = np.random.default_rng(42)
    sections = [binary(random), multiclass(random), absent(random), two_logits(random), multilabel(random),
                regression(random, "one", 1), regression(random, "three", 3)]
    header = (f"// Written by make_metric_figures.py with scikit-learn {sklearn.__version__} on {DATE}; do not edit.\n\n"
              "#pragma once\n\n// clang-format off\nnamespace reference {\n\n"
              "struct Figure {\n  const char* name;\n  double value;\n};\n\n")
    path = pathlib.Path(__file__).with_name("metric_figures.h")
    path.write_text(header + "\n".join(sections) + "\n}  // namespace reference\n")


if __name__ == "__main__":
    main()
