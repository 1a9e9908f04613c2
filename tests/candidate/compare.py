"""Holds our mlx.core against MLX's own Python binding, case by case."""

import json
import math
import subprocess
import sys
from pathlib import Path

CASES = Path(__file__).resolve().parent / "cases.py"


def answers(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        sys.exit(f"{command[0]}: {done.stderr}")
    return json.loads(done.stdout)


def same_text(a, b):
    try:
        x, y = float(a), float(b)
    except ValueError:
        return a == b
    return a == b or math.isclose(x, y, rel_tol=1e-5, abs_tol=1e-6)


def difference(ours, mlx, where):
    if isinstance(mlx, dict) and isinstance(ours, dict):
        if ours.keys() != mlx.keys():
            return f"{where}: {ours}, mlx {mlx}"
        found = [difference(ours[k], mlx[k], f"{where}.{k}") for k in mlx]
    elif isinstance(mlx, list) and isinstance(ours, list):
        if len(ours) != len(mlx):
            return f"{where}: {len(ours)} items, mlx {len(mlx)}"
        pairs = enumerate(zip(ours, mlx))
        found = [difference(a, b, f"{where}[{i}]") for i, (a, b) in pairs]
    elif type(ours) is not type(mlx) or not same_text(ours, mlx):
        return f"{where}: {ours}, mlx {mlx}"
    else:
        return None
    return next((f for f in found if f), None)


def main(tool):
    ours = answers(tool, "report", sys.executable, CASES)
    mlx = answers(sys.executable, "-B", CASES)
    found = [difference(ours[name], mlx[name], name) for name in mlx]
    found = [f for f in found if f]
    print(*found, sep="\n")
    print(f"{len(mlx) - len(found)} of {len(mlx)} cases equal")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
