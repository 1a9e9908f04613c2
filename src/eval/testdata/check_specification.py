"""Runs the `py` blocks of the given Markdown files under CPython."""

import sys
import traceback
import types


def blocks(path):
    inside = False
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        if line.rstrip() == "```py":
            inside, start, text = True, number, []
        elif line.rstrip() == "```" and inside:
            inside = False
            yield start, "\n" * start + "".join(text)
        elif inside:
            text.append(line)


failed = 0
for path in sys.argv[1:]:
    for start, text in blocks(path):
        try:
            # Its own module: dataclasses look annotations up in sys.modules.
            module = types.ModuleType("specification")
            sys.modules["specification"] = module
            exec(compile(text, path, "exec"), module.__dict__)
        except BaseException:
            failed += 1
            print(f"{path}:{start}:")
            traceback.print_exc()
sys.exit(bool(failed))
