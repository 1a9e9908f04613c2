"""Compares our syntax trees with CPython's, file by file, attributes included.

Walks the standard library and the site-packages of the interpreter that runs this.
Positions inside f-strings are compared from Python 3.12 on; before, CPython's own
were wrong there.
"""

import argparse
import ast
import random
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path

FSTRING_POSITIONS = sys.version_info >= (3, 12)
POSITIONS = ("lineno", "col_offset", "end_lineno", "end_col_offset")


def main():
    options = parse_arguments()
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(20000)
    files = options.files or find_files()
    if not options.all and not options.files:
        files = random.Random(options.seed).sample(files, min(options.sample, len(files)))
    files = files[options.part :: options.parts]
    dumper = Dumper(options.tool)
    counts = {"equal": 0, "differ": 0, "rejected by both": 0, "newer grammar": 0}
    for path in files:
        counts[compare(path, dumper)] += 1
    dumper.close()
    print(
        f"{counts['equal']} files equal, {counts['differ']} differ, "
        f"{counts['rejected by both']} rejected by both, "
        f"{counts['newer grammar']} newer grammar"
    )
    return 1 if counts["differ"] else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", help="the syntax_dump executable")
    parser.add_argument("files", nargs="*", help="these files, instead of a walk")
    parser.add_argument("--all", action="store_true", help="every file")
    parser.add_argument("--sample", type=int, default=400)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--part", type=int, default=0, help="of --parts, from 0")
    parser.add_argument("--parts", type=int, default=1)
    return parser.parse_args()


def find_files():
    paths = sysconfig.get_paths()
    found = set()
    for name in ("stdlib", "purelib", "platlib"):
        found.update(str(p) for p in Path(paths[name]).rglob("*.py") if p.is_file())
    return sorted(found)


class Dumper:
    """One syntax_dump process that is fed many files."""

    def __init__(self, tool):
        command = [tool, "--attributes"]
        if not FSTRING_POSITIONS:
            command.append("--no-fstring-attributes")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def dump(self, path):
        """The dump, and whether the file was accepted (else: diagnostics)."""
        self.process.stdin.write(path.encode() + b"\n")
        self.process.stdin.flush()
        verdict, size = self.process.stdout.readline().split()
        text = self.process.stdout.read(int(size) + 1)[:-1]
        return text, verdict == b"ok"

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(path, dumper):
    ours, accepted = dumper.dump(path)
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (SyntaxError, ValueError) as error:
        if not accepted:
            return "rejected by both"
        if needs_newer_python(path):
            return "newer grammar"
        return differ(path, f"CPython rejects it: {error}")
    if not accepted:
        return differ(path, ours.decode(errors="replace"))
    if not FSTRING_POSITIONS:
        strip_fstrings(tree)
    theirs = ast.dump(tree, include_attributes=True).encode(errors="surrogatepass")
    if ours == theirs:
        return "equal"
    at = next(
        (i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b),
        min(len(ours), len(theirs)),
    )
    return differ(
        path,
        f"ours:   ...{ours[max(0, at - 150) : at + 100].decode(errors='replace')}\n"
        f"theirs: ...{theirs[max(0, at - 150) : at + 100].decode(errors='replace')}",
    )


def needs_newer_python(path):
    """Whether the file is written for a later grammar, and says so by its name."""
    return False


def differ(path, how):
    print(f"{path}\n{how}", flush=True)
    return "differ"


def strip_fstrings(tree):
    """Removes the positions inside f-strings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            for inner in ast.walk(node):
                if inner is not node and hasattr(inner, "lineno"):
                    for name in POSITIONS:
                        delattr(inner, name)


if __name__ == "__main__":
    sys.exit(main())
