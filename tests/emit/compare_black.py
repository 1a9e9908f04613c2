"""Holds the emitter's layout against black and isort themselves.

Every model file of the installed mlx_lm, and a fixed sample of transformers'
modeling files, is stripped of its layout (ast.unparse), laid out by layout_tool
and by black and isort, and compared. The goldens in src/emit/testdata/layout are
checked in the same way. Run by ctest, by pytest (LAYOUT_TOOL names the tool), or
by hand with files to compare.
"""

import argparse
import ast
import difflib
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import black
import isort

GOLDENS = Path(__file__).parents[2] / "src/emit/testdata/layout"
SAMPLE = 20
# How many of the sample must be equal.
FLOOR = 20
EMPTY = Path(tempfile.mkdtemp())
ISORT = isort.Config(profile="black", directory=str(EMPTY), src_paths=(EMPTY,))


def expected(source):
    """What black and then isort leave."""
    return isort.code(black.format_str(source, mode=black.Mode()), config=ISORT)


def layout(tool, sources):
    """Ours for each source; a failure is its message behind "error: "."""
    with tempfile.TemporaryDirectory() as directory:
        paths = []
        for index, source in enumerate(sources):
            paths.append(Path(directory) / f"{index}.py")
            paths[-1].write_text(source)
        out = subprocess.run([tool, *paths], stdout=subprocess.PIPE, check=True).stdout
    results = []
    while out:
        head, out = out.split(b"\n", 1)
        status, size = head.split()
        text, out = out[: int(size)].decode(), out[int(size) :]
        results.append(text if status == b"ok" else f"error: {text}")
    return results


def package(name):
    return Path(importlib.util.find_spec(name).submodule_search_locations[0])


def unformatted(path):
    return ast.unparse(ast.parse(path.read_text())) + "\n"


def mlx_lm_files():
    return sorted(package("mlx_lm").glob("models/*.py"))


def transformers_sample(count=SAMPLE):
    files = sorted(package("transformers").glob("models/*/modeling_*.py"))
    return sorted(random.Random(25).sample(files, count))


def compare(tool, named_sources, show=0):
    """Counts the equal ones and names the others."""
    differing = []
    ours = layout(tool, [source for _, source in named_sources])
    for (name, source), mine in zip(named_sources, ours):
        theirs = expected(source)
        if mine == theirs:
            continue
        differing.append(name)
        if len(differing) <= show:
            diff = difflib.unified_diff(
                theirs.splitlines(),
                mine.splitlines(),
                "black",
                "ours",
                n=2,
                lineterm="",
            )
            print(f"--- {name}", *list(diff)[2:60], sep="\n")
    equal = len(named_sources) - len(differing)
    print(f"{equal} files equal, {len(differing)} differ")
    for name in differing:
        print(f"  differs: {name}")
    return equal, len(differing)


def goldens():
    """(name, input, expected) of each pair of blocks below a heading."""
    cases = []
    for path in sorted(GOLDENS.glob("*.md")):
        name, blocks, block = path.stem, [], None
        for line in path.read_text().splitlines():
            if line.startswith("#") and block is None:
                name, blocks = f"{path.stem}: {line.lstrip('# ')}", []
            elif line.startswith("```") and block is None:
                block = []
            elif line == "```":
                blocks.append("".join(f"{text}\n" for text in block))
                block = None
                if len(blocks) == 2:
                    cases.append((name, *blocks))
            elif block is not None:
                block.append(line)
    return cases


def tool_of_environment():
    tool = os.environ.get("LAYOUT_TOOL")
    if not tool:
        import pytest

        pytest.skip("LAYOUT_TOOL names no layout_tool")
    return tool


def test_mlx_lm():
    sources = [(path.name, unformatted(path)) for path in mlx_lm_files()]
    assert compare(tool_of_environment(), sources)[1] == 0


def test_transformers():
    sources = [(path.name, unformatted(path)) for path in transformers_sample()]
    assert compare(tool_of_environment(), sources)[0] >= FLOOR


def test_goldens():
    cases = goldens()
    assert cases
    ours = layout(tool_of_environment(), [source for _, source, _ in cases])
    for (name, source, golden), mine in zip(cases, ours):
        assert golden == expected(source), name
        assert golden == expected(golden), name
        assert golden == mine, name


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--show", type=int, default=3, help="how many diffs to print")
    parser.add_argument("--as-is", action="store_true", help="keep the files' layout")
    parser.add_argument("--set", choices=["mlx_lm", "transformers", "goldens"])
    parser.add_argument("--sample", type=int, default=SAMPLE)
    options = parser.parse_args()
    os.environ["LAYOUT_TOOL"] = options.tool
    sets = {
        "mlx_lm": mlx_lm_files(),
        "transformers": transformers_sample(options.sample),
    }
    if options.files or options.set in sets:
        read = Path.read_text if options.as_is else unformatted
        files = options.files or sets[options.set]
        sources = [(path.name, read(path)) for path in files]
        return compare(options.tool, sources, options.show)[1] > 0
    for test in (test_mlx_lm, test_transformers, test_goldens):
        if options.set in (None, test.__name__.removeprefix("test_")):
            print(test.__name__)
            test()
    return 0


if __name__ == "__main__":
    sys.exit(main())
