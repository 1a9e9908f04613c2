"""Where the classes of a model's modules are written."""

import ast
import functools
import inspect
import sys
from pathlib import Path

from . import streamed_candidate


def lines_of(model, port):
    """{path: {class, file, line, call, answer}} of every module; `port`: the file that is
    judged, as a module of Python."""
    known = {}
    out = {}
    for path, module in model.named_modules():
        cls = streamed_candidate.original_class(module)
        if cls not in known:
            known[cls] = _lines(cls, port)
        out[path] = {"class": cls.__name__, **known[cls]}
    return out


@functools.cache
def _functions(file):
    """{class: line of the function of the same file whose answer its forward
    returns}."""
    body = ast.parse(Path(file).read_text(encoding="utf-8")).body
    lines = {n.name: n.lineno for n in body if isinstance(n, ast.FunctionDef)}
    out = {}
    for cls in (n for n in body if isinstance(n, ast.ClassDef)):
        for function in cls.body:
            if getattr(function, "name", "") == "__call__":
                called = getattr(
                    getattr(function.body[-1], "value", None), "func", None
                )
                if getattr(called, "id", None) in lines:
                    out[cls.name] = lines[called.id]
    return out


def _lines(cls, port):
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    call = getattr(cls, "__call__", None)
    line = getattr(getattr(call, "__code__", None), "co_firstlineno", None)
    owned = port is not None and cls.__module__ == port.__name__
    try:
        start = inspect.getsourcelines(cls)[1]
    except (OSError, TypeError):
        start = line
    answer = _functions(file).get(cls.__name__) if owned else None
    lines = {"line": start, "call": line, "answer": answer}
    return {"file": file, **lines, "in_port": owned}
