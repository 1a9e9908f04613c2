"""Plants bugs into a port: one edit of its text for each pattern of operation.

Patterns look at operations, keywords of mlx and mlx_lm, and shapes of syntax;
none knows a model. The edits of one pattern within one function make one bug.
"""

import ast
from dataclasses import dataclass, field


@dataclass
class Bug:
    name: str
    scope: str
    line: int
    end: int
    edits: list = field(default_factory=list)


def name_of(func):
    """`f` and `a.b.f` are both `f`."""
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def is_own(node):
    """self.a, self.args.a, args.a"""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in ("self", "args")


def called_own(node):
    """The `a` of a call self.a(...)."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "self":
            return node.func.attr
    return None


class Scope:
    """A function of a class: what patterns may ask about around a node."""

    def __init__(self, text, cls, function):
        self.text = text
        self.cls = cls
        self.function = function
        self.made = {}  # self.NAME -> the call that makes it
        self.bound = {}  # a local name -> what it is bound to first
        self.scalars = set()  # self.NAME = args.FIELD or arithmetic of such
        for node in ast.walk(cls) if cls else ():
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._note(target, node.value)
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.bound.setdefault(node.targets[0].id, node.value)
        names = {name_of(n.func) for n in ast.walk(function) if isinstance(n, ast.Call)}
        self.chooses = bool(names & {"argpartition", "argsort", "topk"})
        self.attends = bool(names & {"update_and_fetch"})

    def _note(self, target, value):
        if not (isinstance(target, ast.Attribute) and is_own(target)):
            return
        if isinstance(value, ast.Call):
            self.made[target.attr] = name_of(value.func)
        elif not any(isinstance(n, ast.Call) for n in ast.walk(value)):
            self.scalars.add(target.attr)

    def source(self, node):
        return ast.get_source_segment(self.text, node)

    @property
    def is_call(self):
        return self.function.name == "__call__"

    @property
    def is_sanitize(self):
        return self.function.name == "sanitize"


def bugs(text):
    """Every bug that can be planted into `text`, as Bug."""
    from .planting_catalogue import PATTERNS

    tree = ast.parse(text)
    found = {}
    for cls, function in _functions(tree):
        scope = Scope(text, cls, function)
        where = f"{cls.name}.{function.name}" if cls else function.name
        for node in ast.walk(function):
            for pattern in PATTERNS:
                for name, target, new in pattern(node, scope):
                    key = (name, where)
                    if key not in found:
                        found[key] = Bug(name, where, target.lineno, target.end_lineno)
                    found[key].edits.append((target, new))
    return [bug for bug in found.values() if bug.edits]


def lines_of(text, scope):
    """The first and the last line of the class, or function, around a scope."""
    wanted = scope.split(".")[0]
    for node in ast.parse(text).body:
        if getattr(node, "name", None) == wanted:
            return node.lineno, node.end_lineno
    return 0, 0


def _functions(tree):
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield node, inner
        elif isinstance(node, ast.FunctionDef):
            yield None, node


def planted(text, bug):
    """The text with the bug in it; None where that is no Python any more."""
    lines = text.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    spans = []
    for node, new in bug.edits:
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        spans.append((begin, end, new.encode()))
    # Outermost first; what lies inside another edit goes with it.
    spans.sort(key=lambda s: (s[0], -s[1]))
    kept = []
    for span in spans:
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    out = text.encode()
    for begin, end, new in reversed(kept):
        out = out[:begin] + new + out[end:]
    out = out.decode()
    try:
        ast.parse(out)
    except SyntaxError:
        return None
    return out if out != text else None
