#!/usr/bin/python3
"""Checks ONNX files of handrail and computes them with NumPy, by the definitions of ONNX's operators.

usage: onnx_check.py EXPORTED_FILES FOLDER

Exits with 77 when there is no module onnx (Debian: python3-onnx). onnx_check.mjs compares with ONNX Runtime.
"""

import math
import pathlib
import subprocess
import sys

try:
    import numpy as np
    import onnx
    from onnx import numpy_helper
except ModuleNotFoundError as missing:
    print("skipped: want the modules numpy and onnx;", missing)
    sys.exit(77)


def gemm(x, weight, bias=0):
    return x @ weight + bias


OPERATORS = {
    "Add": lambda a, b: a + b,
    "And": lambda a, b: a & b,
    "BatchNormalization": lambda x, w, b, mean, var, epsilon: (x - mean) / np.sqrt(var + epsilon) * w + b,
    "Clip": np.clip,
    "Div": lambda a, b: a / b,
    "Equal": lambda a, b: a == b,
    "Erf": np.vectorize(math.erf, otypes=["f8"]),
    "Flatten": lambda x, axis: x.reshape(math.prod(x.shape[:axis]), -1),
    "Gemm": gemm,
    "Identity": lambda x: x,
    "MatMul": lambda a, b: a @ b,
    "Mul": lambda a, b: a * b,
    "ReduceMean": lambda x, axes, keepdims: x.mean(tuple(axes), keepdims=bool(keepdims)),
    "Relu": lambda x: np.maximum(x, 0),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Softplus": lambda x: np.logaddexp(0, x),
    "Sqrt": np.sqrt,
    "Sub": lambda a, b: a - b,
    "Tanh": np.tanh,
    "Where": np.where,
}


def run(graph, x):
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    values = {name: array if array.dtype == bool else array.astype("f8") for name, array in values.items()}
    values[graph.input[0].name] = x.astype("f8")
    for node in graph.node:
        attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        values[node.output[0]] = OPERATORS[node.op_type](*(values[name] for name in node.input), **attributes)
    return values[graph.output[0].name]


def sizes(value):
    dims = value.type.tensor_type.shape.dim
    assert dims[0].dim_param == "N"
    return [dim.dim_value for dim in dims[1:]]


def main():
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    names = subprocess.run([sys.argv[1], folder], check=True, capture_output=True, text=True).stdout.split()
    assert names
    for name in names:
        model = onnx.load(str(folder / f"{name}.onnx"))
        onnx.checker.check_model(model)
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        x = np.fromfile(folder / f"{name}.inputs", "<f4").reshape(-1, *sizes(inferred.graph.input[0]))
        y = np.fromfile(folder / f"{name}.outputs", "<f4").reshape(-1, *sizes(inferred.graph.output[0]))
        error = np.abs(run(model.graph, x) - y) / np.maximum(1, np.abs(y))
        print(f"{name}: at most {error.max():.2g} off")
        assert error.max() < 1e-5


main()
