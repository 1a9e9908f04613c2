from types import SimpleNamespace as _Namespace

from _portwright import can_import as _can_import
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


class PackageNotFoundError(ModuleNotFoundError):
    pass


def _version(name):
    raise PackageNotFoundError(name)


def _find_spec(name, package=None):
    if not _can_import(name):
        return None
    return _Namespace(name=name, loader=None, origin=None, submodule_search_locations=None)


def _spec_refused(*args, **kwargs):
    _refuse("loading a module by its file is not evaluated")


class _Loader:
    pass


util = _Namespace(
    find_spec=_find_spec,
    spec_from_file_location=_spec_refused,
    module_from_spec=_spec_refused,
)
metadata = _Namespace(
    version=_version,
    PackageNotFoundError=PackageNotFoundError,
    packages_distributions=lambda: {},
)
machinery = _Namespace(ModuleSpec=_spec_refused, SourceFileLoader=_spec_refused)
abc = _Namespace(Loader=_Loader, MetaPathFinder=_Loader)
