"""Holds what the evaluator computes against what torch computed."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SNIPPETS = HERE / "snippets"

# Relative to the larger of the element itself and the tensor's typical size;
# half types may differ by one unit in the last place.
TOLERANCE = {
    "float64": 2e-6,
    "float32": 1e-6,
    "complex64": 1e-6,
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
}


def modules():
    return sorted(p.stem for p in SNIPPETS.glob("*.py") if p.stem != "support")


def gold(module):
    out = subprocess.run(
        [sys.executable, HERE / "gold.py", SNIPPETS, module],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(out.stdout)


def ours(tool, module):
    out = subprocess.run(
        [tool, SNIPPETS, module], capture_output=True, text=True, timeout=300
    )
    if out.returncode != 0:
        raise RuntimeError(out.stderr)
    return json.loads(out.stdout)


def _numbers(values):
    return [float(v) if isinstance(v, str) else v for v in values]


def _tensors(a, b, where):
    for key in ("dtype", "shape"):
        if a[key] != b[key]:
            return f"{where}: {key} {b[key]}, torch {a[key]}"
    x, y = _numbers(a["values"]), _numbers(b["values"])
    if a["dtype"] not in TOLERANCE:
        if x != y:
            return f"{where}: {y}, torch {x}"
        return None
    finite = [abs(v) for v in x if v == v and abs(v) != float("inf")]
    typical = sum(finite) / len(finite) if finite else 0.0
    tolerance = TOLERANCE[a["dtype"]]
    for i, (p, q) in enumerate(zip(x, y)):
        if p == q or (p != p and q != q):
            continue
        if not abs(p - q) <= tolerance * max(abs(p), typical):
            return f"{where}: element {i} is {q}, torch {p}"
    return None


def difference(a, b, where="result"):
    """What differs, in words; None when nothing does."""
    if isinstance(a, dict) and "dtype" in a:
        if not isinstance(b, dict) or "dtype" not in b:
            return f"{where}: {b}, torch has a tensor"
        return _tensors(a, b, where)
    if isinstance(a, list):
        if not isinstance(b, list) or len(a) != len(b):
            return f"{where}: {b}, torch {a}"
        for i, (p, q) in enumerate(zip(a, b)):
            found = difference(p, q, f"{where}[{i}]")
            if found:
                return found
        return None
    if isinstance(a, float) and isinstance(b, float):
        return (
            None
            if abs(a - b) <= 1e-6 * max(abs(a), 1e-6)
            else f"{where}: {b}, torch {a}"
        )
    return None if a == b else f"{where}: {b}, torch {a}"


def verdict(gold_case, our_case):
    """None when both agree, else the difference."""
    if "result" in gold_case:
        if "result" not in our_case:
            return next(iter(our_case)) + ": " + str(list(our_case.values()))
        return difference(gold_case["result"], our_case["result"])
    if our_case.get("raises") != gold_case["raises"]:
        return f"{our_case}, torch raises {gold_case['raises']}"
    return None


def compare(tool, module, called):
    """(cases, lines that say what differs)"""
    expected = gold(module)
    called.update(expected["called"])
    try:
        got = ours(tool, module)
    except RuntimeError as error:
        return len(expected["cases"]), [f"{module} does not run: {error}"]
    lines = []
    for name, case in expected["cases"].items():
        found = verdict(case, got.get(name, {"missing": ""}))
        if found:
            lines.append(f"{module}.{name}: {found[:400]}")
    return len(expected["cases"]), lines


def main(tool, names):
    if importlib.util.find_spec("torch") is None:
        print("torch is not installed")
        return 77
    total, lines, called = 0, [], set()
    for module in names or modules():
        count, found = compare(tool, module, called)
        total += count
        lines += found
    wanted = set(json.loads((HERE / "functions.json").read_text()))
    print(*lines, sep="\n")
    print(
        f"{total} cases, {len(lines)} differ; "
        f"{len(wanted & called)} of {len(wanted)} functions called"
    )
    if not names and wanted - called:
        print("never called:", *sorted(wanted - called))
        return 1
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
