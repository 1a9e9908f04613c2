"""Runs one snippet module in real torch and prints what torch_ops_tool prints
for the same module, with the names of the torch functions that were called.

    python gold.py FOLDER MODULE
"""

import importlib
import json
import math
import sys
import warnings

from torch.overrides import TorchFunctionMode, resolve_name

import torch


class Recorder(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = resolve_name(function) or getattr(function, "__name__", str(function))
        self.names.add(name)
        return function(*args, **(kwargs or {}))


def number(x):
    if math.isnan(x):
        return "nan"
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    return x


def dump(value):
    if isinstance(value, torch.Tensor):
        flat = value.detach()
        if flat.is_complex():
            flat = torch.view_as_real(flat.contiguous())
        kind = torch.float64 if flat.is_floating_point() else torch.int64
        items = flat.to(kind).reshape(-1).tolist()
        if kind is torch.float64:
            items = [number(x) for x in items]
        return {
            "dtype": str(value.dtype)[6:],
            "shape": list(value.shape),
            "values": items,
        }
    if isinstance(value, (tuple, list)):
        return [dump(item) for item in value]
    if isinstance(value, float):
        return number(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    return str(value)


def run(function):
    try:
        return {"result": dump(function())}
    except Exception as error:
        return {"raises": type(error).__name__, "message": str(error)}


def main(folder, module):
    warnings.simplefilter("ignore")
    sys.path.insert(0, folder)
    torch.set_grad_enabled(False)
    recorder = Recorder()
    with recorder:
        importlib.import_module(module)
        cases = importlib.import_module("support").CASES
        results = {name: run(function) for name, function in cases.items()}
    print(json.dumps({"cases": results, "called": sorted(recorder.names)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
