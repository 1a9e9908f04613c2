"""Emitted ports beside mlx-lm's hand-written files of the same type, in numbers.

    portwright sweep -o DIR && python bench/compare_ports.py DIR/ports

For each type that has both: lines of code (blank ones, comments and docstrings not
counted), functions beside those that every port has, and calls and operators in
the forwards; then the medians, and the parts of a file whose lines make the
difference. Nothing is judged: what is computed, `portwright verify` tells.
"""

import argparse
import ast
import statistics
import sys
from importlib.util import find_spec
from pathlib import Path

# What mlx-lm itself calls, and Python.
USUAL = {"__init__", "__call__", "__post_init__", "sanitize", "layers", "make_cache"}
USUAL |= {"shard", "pipeline", "quant_predicate", "cast_predicate"}
USUAL |= {"head_dim", "n_kv_heads"}
OPERATORS = (ast.Call, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Subscript)
PARTS = (
    "imports",
    "arguments",
    "construction",
    "forward",
    "sanitize",
    "machines",
    "rest",
)


def code_lines(node):
    """The lines on which a node's statements stand, docstrings left out."""
    lines = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            continue
        if hasattr(part, "lineno"):
            lines.add(part.lineno)
            if isinstance(part, (ast.Call, ast.List, ast.Tuple, ast.Dict)):
                lines.add(part.end_lineno)  # the closing bracket
    return lines


def part_of(statement, owner):
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return "imports"
    if owner is not None and any(
        getattr(base, "id", "") == "BaseModelArgs" for base in owner.bases
    ):
        return "arguments"
    name = getattr(statement, "name", "")
    return {
        "__init__": "construction",
        "__call__": "forward",
        "sanitize": "sanitize",
        "shard": "machines",
        "pipeline": "machines",
    }.get(name, "rest")


class Figures:
    def __init__(self, file):
        tree = ast.parse(file.read_text())
        self.parts = dict.fromkeys(PARTS, 0)
        self.helpers = 0
        self.operations = 0
        for statement in tree.body:
            if isinstance(statement, ast.ClassDef):
                self.parts["rest"] += 1 + len(statement.decorator_list)
                for member in statement.body:
                    self._count(member, statement)
            else:
                self._count(statement, None)
        self.lines = sum(self.parts.values())

    def _count(self, statement, owner):
        part = part_of(statement, owner)
        self.parts[part] += len(code_lines(statement))
        if isinstance(statement, ast.FunctionDef):
            self.helpers += statement.name not in USUAL
            if statement.name == "__call__":
                nodes = ast.walk(statement)
                self.operations += sum(isinstance(n, OPERATORS) for n in nodes)


def compare(ours, theirs):
    pairs = []
    for file in sorted(ours.glob("*.py")):
        other = theirs / file.name
        if other.is_file():
            pairs.append((file.stem, Figures(file), Figures(other)))
    return pairs


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ports", type=Path, help="folder of emitted files")
    parser.add_argument("--mlx-lm", type=Path, help="folder of mlx_lm's models")
    options = parser.parse_args()
    theirs = options.mlx_lm
    if theirs is None:
        theirs = Path(find_spec("mlx_lm").origin).parent / "models"
    pairs = compare(options.ports, theirs)
    if not pairs:
        print(f"{options.ports} has no port of a type in {theirs}", file=sys.stderr)
        return 2
    columns = ("lines", "helpers", "operations")
    print(f"{'':24}" + "".join(f"{name:^17}" for name in columns) + " ratio")
    ratios = []
    for name, a, b in pairs:
        cells = [(getattr(a, c), getattr(b, c)) for c in columns]
        ratios.append(a.lines / b.lines)
        text = "".join(f"{x:>8} /{y:>6} " for x, y in cells)
        print(f"{name:24}{text} {ratios[-1]:5.2f}")

    def median(side, value):
        return statistics.median(value(pair[side]) for pair in pairs)

    print(f"\n{len(pairs)} types; ours, theirs (medians):")
    for c in columns:
        print(
            f"  {c:14}{median(1, lambda f: getattr(f, c)):6.0f}"
            f"{median(2, lambda f: getattr(f, c)):6.0f}"
        )
    for part in PARTS:
        print(
            f"    {part:12}{median(1, lambda f: f.parts[part]):6.0f}"
            f"{median(2, lambda f: f.parts[part]):6.0f}"
        )
    # Most of theirs run on one machine alone.
    alone = [
        (a.lines - a.parts["machines"]) / (b.lines - b.parts["machines"])
        for _, a, b in pairs
    ]
    for name, values in (("", ratios), (" without shard and pipeline", alone)):
        shorter = sum(value <= 1 for value in values)
        print(
            f"  ratio of lines{name}: {statistics.median(values):.2f},"
            f" at most 1: {shorter}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
