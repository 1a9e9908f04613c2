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
    # Old files warn about their escapes; deep trees are dumped recursively.
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(20000)
    files = options.files or find_files()
    if not options.all and not options.files:
        files = random.Random(options.seed).sample(
            files, min(options.sample, len(files))
        )
    files = files[options.part :: options.parts]
    check = check_round_trip if options.round_trip else compare
    dumper = Dumper(options.tool, options.round_trip)
    if sys.version_info < (3, 11):
        print("the dumps are those of Python 3.11 and later")
        return 77
    counts = {"equal": 0, "differ": 0, "rejected by both": 0, "newer grammar": 0}
    for path in files:
        counts[check(path, dumper)] += 1
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
    parser.add_argument(
        "--round-trip", action="store_true", help="parse, print and parse instead"
    )
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

    def __init__(self, tool, round_trip=False):
        command = [tool, "--round-trip" if round_trip else "--attributes"]
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


def check_round_trip(path, dumper):
    """Whether the printed tree parses to an equal one."""
    answer, good = dumper.dump(path)
    if good:
        return "equal"
    if answer.startswith(b"parsed:") or b"--> <printed>" in answer:
        return differ(path, answer.decode(errors="replace"))
    return "rejected by both"


def compare(path, dumper):
    ours, accepted = dumper.dump(path)
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (SyntaxError, ValueError) as error:
        if not accepted:
            return "rejected by both"
        if needs_newer_python(ours):
            return "newer grammar"
        return differ(path, f"CPython rejects it: {error}")
    if not accepted:
        return differ(path, ours.decode(errors="replace"))
    if not FSTRING_POSITIONS:
        strip_fstrings(tree)
    theirs = dump_tree(tree).encode(errors="surrogatepass")
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


def needs_newer_python(dump):
    """Whether a tree holds what the grammar of this interpreter lacks."""
    if sys.version_info < (3, 12) and (
        b" type_params=[" in dump or b"TypeAlias(" in dump
    ):
        return True
    return sys.version_info < (3, 14) and b"TemplateStr(" in dump


def dump_tree(tree):
    """ast.dump(tree, include_attributes=True), in the form of Python 3.11."""
    if sys.version_info < (3, 12):
        return ast.dump(tree, include_attributes=True)
    if isinstance(tree, list):
        return "[" + ", ".join(map(dump_tree, tree)) + "]"
    if isinstance(tree, ast.JoinedStr):
        # Python 3.12 leaves empty texts behind in format specifications.
        tree.values = [v for v in tree.values if getattr(v, "value", None) != ""]
    if not isinstance(tree, ast.AST):
        return repr(tree)
    parts = []
    for name in tree._fields + tree._attributes:
        value = getattr(tree, name, None)
        if value is None and getattr(type(tree), name, ...) is None:
            continue
        if name == "type_params" and not value:
            continue
        parts.append(f"{name}={dump_tree(value)}")
    return f"{type(tree).__name__}({', '.join(parts)})"


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
