#!/usr/bin/python3
"""Reads files of handrail and writes files for it, with nothing of handrail: exchange_files.cpp is the other side.

usage: oracle.py EXCHANGE_FILES FOLDER

Exits with 77 when there is no NumPy. With PyTorch, its modules compute, too.
"""

import json
import math
import pathlib
import struct
import subprocess
import sys

try:
    import numpy as np
except ModuleNotFoundError:
    print("skipped: want the module numpy")
    sys.exit(77)


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        assert entry["dtype"] == "F32"
        tensors[name] = np.frombuffer(data[8 + length + begin : 8 + length + end], "<f4").reshape(entry["shape"])
    return tensors, metadata


def write_safetensors(path, tensors):
    header, blob = {"__metadata__": {"format": "pt"}}, b""
    for name, array in tensors.items():
        dtype = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64"}[str(array.dtype)]
        raw = array.tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(blob), len(blob) + len(raw)]}
        blob += raw
    text = json.dumps(header, indent=1).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob)


def forward(weights, x):
    """The model of exchange_files.cpp in double, in evaluation."""
    w = {name: array.astype("f8") for name, array in weights.items()}
    x = x.astype("f8") @ w["0.weight"].T + w["0.bias"]
    x = (x - w["1.running_mean"]) / np.sqrt(w["1.running_var"] + 1e-5) * w["1.weight"] + w["1.bias"]
    x = x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5) * w["3.weight"] + w["3.bias"]
    return np.tanh(x) @ w["6.weight"].T + w["6.bias"]


def torch_forward(weights, x):
    """What PyTorch's modules compute with load_state_dict; None without PyTorch."""
    try:
        import torch
    except ModuleNotFoundError:
        print("without PyTorch: want the module torch")
        return None
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(5, 7), nn.BatchNorm1d(7), nn.GELU(), nn.LayerNorm(7), nn.Tanh(), nn.Dropout(), nn.Linear(7, 3)
    )
    model.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    model.eval()
    return model(torch.tensor(x)).detach().numpy()


def close(a, b):
    return a.shape == b.shape and np.abs(a - b).max() < 1e-5


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([program, "write", folder], check=True)
    weights, metadata = read_safetensors(folder / "weights.safetensors")
    assert metadata == {"format": "pt"}
    x, y = np.load(folder / "inputs.npy"), np.load(folder / "outputs.npy")
    assert close(forward(weights, x), y), "the outputs of handrail differ from those of NumPy"
    by_torch = torch_forward(weights, x)
    assert by_torch is None or close(by_torch, y), "the outputs of handrail differ from those of PyTorch"
    arrays = np.load(folder / "arrays.npz")
    assert sorted(arrays) == ["empty", "inputs", "scalar"]
    assert arrays["scalar"].shape == () and arrays["scalar"] == 7 and arrays["empty"].shape == (0, 2)
    assert (arrays["inputs"] == x).all()

    random = np.random.default_rng(3)
    others = {name: random.random(array.shape, dtype="f4") for name, array in weights.items()}
    expected = torch_forward(others, x)
    if expected is None:
        expected = forward(others, x)
    others["1.num_batches_tracked"] = np.array(5)
    others["0.bias"] = others["0.bias"].astype("f8")
    write_safetensors(folder / "python.safetensors", others)
    np.save(folder / "python_outputs.npy", expected)
    c = np.arange(24, dtype="f4").reshape(2, 3, 4)
    arrays = {"c": c, "fortran": np.asfortranarray(c), "bool": np.array([True, False])}
    arrays |= {dtype: c.astype(dtype) for dtype in ("f8", "i4", "u1")}
    np.savez(folder / "plain.npz", **arrays)
    np.savez_compressed(folder / "deflated.npz", **arrays)
    subprocess.run([program, "read", folder], check=True)


main()
