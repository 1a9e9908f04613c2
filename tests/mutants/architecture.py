"""A model's source as trees, with its parts found by what they do."""

import ast
import importlib.util
import json
from pathlib import Path

from .patterns import find, rewrite, statements


class NotHere(LookupError):
    """The operator finds nothing to change."""


def _package():
    return Path(importlib.util.find_spec("transformers").origin).parent


class _Cleaning(ast.NodeTransformer):
    """What only the library needs goes; what is imported is named in full."""

    def __init__(self, folder):
        self.folder = folder

    def visit_ImportFrom(self, node):
        if node.level > 1:
            parts = ["transformers", "models", self.folder][: 4 - node.level]
            node.module = ".".join([*parts, *([node.module] if node.module else [])])
            node.level = 0
        return node

    def _documented(self, node):
        node.decorator_list = [
            item
            for item in node.decorator_list
            if "auto_docstring" not in ast.dump(item)
        ]
        self.generic_visit(node)
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            if isinstance(first.value.value, str):
                node.body = node.body[1:] or [ast.Pass()]
        return node

    visit_ClassDef = visit_FunctionDef = _documented


def _read(path, folder):
    return _Cleaning(folder).visit(ast.parse(path.read_text()))


def _names(node):
    return {item.id for item in ast.walk(node) if isinstance(item, ast.Name)}


def _defines(node):
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(item.asname or item.name).split(".")[0] for item in node.names}
    if isinstance(node, ast.Assign):
        return {item.id for item in node.targets if isinstance(item, ast.Name)}
    return set()


def prune(tree, roots):
    """Leaves the top level that the roots reach, and branches."""
    kept, open_names = set(), set(roots)
    while open_names:
        wanted, open_names = open_names, set()
        for node in tree.body:
            if id(node) in kept:
                continue
            branch = not _defines(node) and not isinstance(node, ast.Expr)
            if branch or _defines(node) & wanted:
                kept.add(id(node))
                open_names |= _names(node)
    body = [node for node in tree.body if id(node) in kept]
    used = set().union(*(_names(node) for node in body))
    for node in body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            node.names = [
                item
                for item in node.names
                if (item.asname or item.name).split(".")[0] in used | set(roots)
            ]
    tree.body = [node for node in body if getattr(node, "names", True)]


class Architecture:
    """The trees of the modeling and the configuration file of one model.

    `fields` are values that config.json needs besides; `renamed` are (old, new)
    pieces of parameter paths. Operators change all four in place.
    """

    def __init__(self, kind):
        folder = _package() / "models" / kind
        self.kind = kind
        self.modeling = _read(folder / f"modeling_{kind}.py", kind)
        self.config = _read(folder / f"configuration_{kind}.py", kind)
        self.fields = {}
        self.renamed = []
        self.causal_name = next(
            c.name for c in self.classes() if c.name.endswith("ForCausalLM")
        )
        self.config_class = self._config_class()
        prune(self.modeling, {self.causal_name})
        prune(self.config, {self.config_class.name})

    def _config_class(self):
        wanted = _names(self.modeling)
        classes = [n for n in self.config.body if isinstance(n, ast.ClassDef)]
        used = [c for c in classes if c.name in wanted]
        return next((c for c in used if "Text" in c.name), used[0])

    @property
    def causal(self):
        return self.class_named(self.causal_name)

    def classes(self):
        return [n for n in self.modeling.body if isinstance(n, ast.ClassDef)]

    def functions(self):
        return [n for n in self.modeling.body if isinstance(n, ast.FunctionDef)]

    def function(self, name):
        return next((f for f in self.functions() if f.name == name), None)

    def class_named(self, name):
        return next((c for c in self.classes() if c.name == name), None)

    # What does a part's work, by its structure.

    def layer(self):
        """The class of the layers that a list of modules repeats."""
        for cls in self.classes():
            for _, found in find(
                cls, "nn.ModuleList([__c(*__a, **__k) for __i in __r])"
            ):
                layer = self.class_named(getattr(found["__c"], "id", None))
                if layer is not None and method(layer, "forward"):
                    return layer
        raise NotHere("no list of layers")

    def model(self):
        """The class that holds the layers."""
        name = self.layer().name
        for cls in self.classes():
            if find(cls, f"nn.ModuleList([{name}(*__a, **__k) for __i in __r])"):
                return cls
        raise NotHere("no model")

    def attentions(self):
        """Classes that ask for an attention function."""
        found = [
            cls
            for cls in self.classes()
            if find(cls, "ALL_ATTENTION_FUNCTIONS.get_interface(*__a)")
        ]
        return found or self.absent("no attention")

    def norms(self):
        """Classes with one weight that divide by a root of mean squares."""
        found = [
            cls
            for cls in self.classes()
            if find(cls, "torch.rsqrt(__x)")
            and len(method(cls, "forward").args.args) == 2
            and find(cls, "nn.Parameter(__x)")
        ]
        return found or self.absent("no norm of its own")

    def norm_like(self):
        """(class, arguments) as the layer makes its norms."""
        layer = self.layer()
        for name in [cls.name for cls in self.norms()]:
            for _, found in find(layer, f"{name}(__size, *__a, **__k)"):
                return name, found
        raise NotHere("the layer makes no such norm")

    @staticmethod
    def absent(what):
        raise NotHere(what)

    # Changes.

    def add_field(self, name, value):
        """A new field of the config; config.json gives it."""
        kind, default = type(value).__name__, repr(value)
        if isinstance(value, list):
            kind, default = "list[str] | None", "None"
        line = statements(f"{name}: {kind} = {default}")[0]
        body = self.config_class.body
        at = max(
            (i for i, n in enumerate(body) if isinstance(n, ast.AnnAssign)), default=0
        )
        body.insert(at + 1, line)
        self.fields[name] = value
        return f"config.{name}"

    def add_import(self, line):
        self.modeling.body.insert(0, ast.parse(line).body[0])

    def texts(self):
        return ast.unparse(self.modeling) + "\n", ast.unparse(self.config) + "\n"

    def write(self, folder, name, base_config, changes=None):
        """As a checkpoint with its own code, without weights."""
        folder.mkdir(parents=True, exist_ok=True)
        modeling, configuration = f"modeling_{name}", f"configuration_{name}"
        for node in self.modeling.body:
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                node.module = configuration
        for line in self.config_class.body:
            if isinstance(line, ast.Assign) and line.targets[0].id == "model_type":
                line.value = ast.Constant(name)
        texts = self.texts()
        (folder / f"{modeling}.py").write_text(texts[0])
        (folder / f"{configuration}.py").write_text(texts[1])
        config = {**base_config, **self.fields, **(changes or {})}
        config["model_type"] = name
        config["architectures"] = [self.causal_name]
        config["auto_map"] = {
            "AutoConfig": f"{configuration}.{self.config_class.name}",
            "AutoModelForCausalLM": f"{modeling}.{self.causal_name}",
        }
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def method(cls, name):
    for node in cls.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    return None


def extend_init(cls, text, **bindings):
    """Statements at the end of __init__, before what finishes a model."""
    body = method(cls, "__init__").body
    at = len(body)
    for i, node in enumerate(body):
        if find(node, "self.post_init()"):
            at = i
    body[at:at] = statements(text, **bindings)


def must(count, what):
    if not count:
        raise NotHere(what)


def change(tree, old, new, **extra):
    """Rewrites, and says where it does not apply."""
    must(rewrite(tree, old, new, **extra), f"no `{old}`")
