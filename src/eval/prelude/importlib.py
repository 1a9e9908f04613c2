from _portwright import import_module as _import_module
from _portwright import refuse as _refuse


def import_module(name, package=None):
    if name.startswith("."):
        parts = package.split(".")
        level = len(name) - len(name.lstrip("."))
        kept = parts[: len(parts) - level + 1]
        name = ".".join([*kept, name[level:]]).rstrip(".")
    return _import_module(name)


def reload(module):
    _refuse("'importlib.reload' is not evaluated")


def invalidate_caches():
    return None
