from types import SimpleNamespace as _Namespace

from _portwright import can_import as _can_import
from _portwright import refuse as _refuse


def find_spec(name, package=None):
    if not _can_import(name):
        return None
    return _Namespace(
        name=name, loader=None, origin=None, submodule_search_locations=None
    )


def _refused(*args, **kwargs):
    _refuse("loading a module by its file is not evaluated")


spec_from_file_location = module_from_spec = resolve_name = _refused
