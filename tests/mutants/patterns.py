"""Patterns over Python's syntax trees.

A pattern is Python source in which a name that begins with two underscores, as a
variable or an attribute, stands for anything; the same name twice for the same thing.
In a call `*__rest` stands for the remaining arguments, `**__more` for the keywords
that the pattern does not name.
"""

import ast
import copy

META = "__"


def is_meta(name):
    return name.startswith(META) and not name.endswith("__")


def _bind(bindings, name, value):
    if name in bindings:
        return same(bindings[name], value)
    bindings[name] = value
    return True


def same(a, b):
    if isinstance(a, ast.AST) and isinstance(b, ast.AST):
        return ast.dump(_plain(a)) == ast.dump(_plain(b))
    return a == b


def _plain(node):
    """Without the difference of loading and storing."""
    node = copy.deepcopy(node)
    for part in ast.walk(node):
        if hasattr(part, "ctx"):
            part.ctx = ast.Load()
    return node


def _match_call(pattern, node, bindings):
    wanted, given = list(pattern.args), list(node.args)
    rest = None
    if wanted and isinstance(wanted[-1], ast.Starred) and _meta_of(wanted[-1].value):
        rest = wanted.pop().value.id
    if len(given) < len(wanted) or (rest is None and len(given) > len(wanted)):
        return False
    if rest is not None and not _bind(bindings, rest, given[len(wanted) :]):
        return False
    if not match(pattern.func, node.func, bindings):
        return False
    if not all(match(p, n, bindings) for p, n in zip(wanted, given)):
        return False
    keywords = {k.arg: k for k in node.keywords if k.arg is not None}
    spread = [k for k in node.keywords if k.arg is None]
    more = None
    for key in pattern.keywords:
        if key.arg is None:
            more = key.value.id
        elif key.arg not in keywords:
            return False
        elif not match(key.value, keywords.pop(key.arg).value, bindings):
            return False
    left = [*keywords.values(), *spread]
    return not left if more is None else _bind(bindings, more, left)


def _meta_of(node):
    return isinstance(node, ast.Name) and is_meta(node.id)


def match(pattern, node, bindings):
    """Whether `node` is of the pattern; fills `bindings`."""
    if _meta_of(pattern) and isinstance(node, ast.expr):
        return _bind(bindings, pattern.id, node)
    if type(pattern) is not type(node):
        return False
    if isinstance(pattern, ast.Call):
        return _match_call(pattern, node, bindings)
    if isinstance(pattern, ast.Attribute) and is_meta(pattern.attr):
        return match(pattern.value, node.value, bindings) and _bind(
            bindings, pattern.attr, node.attr
        )
    for name, wanted in ast.iter_fields(pattern):
        if name in ("ctx", "type_comment", "kind"):
            continue
        given = getattr(node, name)
        if isinstance(wanted, list):
            if len(wanted) != len(given):
                return False
            if not all(match(p, n, bindings) for p, n in zip(wanted, given)):
                return False
        elif isinstance(wanted, ast.AST):
            if not isinstance(given, ast.AST) or not match(wanted, given, bindings):
                return False
        elif wanted != given:
            return False
    return True


class _Fill(ast.NodeTransformer):
    def __init__(self, bindings):
        self.bindings = bindings

    def visit_Name(self, node):
        if node.id not in self.bindings:
            return node
        return _stored(copy.deepcopy(self.bindings[node.id]), node.ctx)

    def visit_Attribute(self, node):
        self.generic_visit(node)
        node.attr = self.bindings.get(node.attr, node.attr)
        return node

    def visit_Call(self, node):
        args, keywords = [], []
        for arg in node.args:
            starred = isinstance(arg, ast.Starred) and _meta_of(arg.value)
            args += self._spliced(arg.value.id) if starred else [self.visit(arg)]
        for key in node.keywords:
            meta = key.arg is None and _meta_of(key.value)
            keywords += self._spliced(key.value.id) if meta else [self.visit(key)]
        node.func, node.args, node.keywords = self.visit(node.func), args, keywords
        return node

    def _spliced(self, name):
        return copy.deepcopy(self.bindings[name])


def _stored(node, ctx):
    if isinstance(node, (ast.Tuple, ast.List)):
        node.elts = [_stored(item, ctx) for item in node.elts]
    if hasattr(node, "ctx"):
        node.ctx = ctx
    return node


def statements(text, **bindings):
    """Source as statements, metavariables filled: nodes, or the names of attributes."""
    made = [_Fill(bindings).visit(item) for item in ast.parse(text).body]
    return [ast.fix_missing_locations(item) for item in made]


def expression(text, **bindings):
    return statements(text, **bindings)[0].value


def _pattern(text):
    [statement] = ast.parse(text).body
    single = isinstance(statement, ast.Expr)
    return statement.value if single else statement


def find(tree, text):
    """[(node, bindings)] of every place of the pattern."""
    pattern = _pattern(text)
    found = []
    for node in ast.walk(tree):
        bindings = {}
        if match(pattern, node, bindings):
            found.append((node, bindings))
    return found


class _Rewrite(ast.NodeTransformer):
    def __init__(self, pattern, new, extra, limit):
        self.pattern, self.new, self.extra, self.limit = pattern, new, extra, limit
        self.count = 0

    def visit(self, node):
        bindings = {}
        if self.count < self.limit and match(self.pattern, node, bindings):
            self.count += 1
            bindings.update(self.extra)
            if isinstance(node, ast.stmt):
                return statements(self.new, **bindings)
            return expression(self.new, **bindings)
        return self.generic_visit(node)


def rewrite(tree, old, new, limit=1000, **extra):
    """Puts `new` in place of the pattern `old`; how often."""
    change = _Rewrite(_pattern(old), new, extra, limit)
    change.visit(tree)
    ast.fix_missing_locations(tree)
    return change.count
