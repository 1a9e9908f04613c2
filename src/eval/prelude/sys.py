import collections as _collections

from _portwright import can_import as _can_import
from _portwright import import_module as _import_module
from _portwright import is_imported as _is_imported
from _portwright import refuse as _refuse

_VersionInfo = _collections.namedtuple(
    "version_info", ["major", "minor", "micro", "releaselevel", "serial"]
)
version_info = _VersionInfo(3, 11, 0, "final", 0)
version = "3.11.0"
maxsize = 0x7FFFFFFFFFFFFFFF
platform = "linux"
byteorder = "little"
argv = [""]
path = []
flags = None


class _Implementation:
    name = "cpython"


implementation = _Implementation()


class _Modules:
    # What could be imported answers as if it had been.
    def __getitem__(self, name):
        if not _can_import(name):
            raise KeyError(name)
        return _import_module(name)

    def get(self, name, default=None):
        return _import_module(name) if _can_import(name) else default

    def __contains__(self, name):
        return _is_imported(name)

    def __setitem__(self, name, module):
        _refuse(f"'sys.modules[{name!r}]' cannot be replaced")


modules = _Modules()


class _Stream:
    def write(self, text):
        return len(text)

    def flush(self):
        return None

    def isatty(self):
        return False


stdout = _Stream()
stderr = _Stream()


def getrecursionlimit():
    return 1000


def setrecursionlimit(limit):
    return None


def intern(string):
    return string


def exc_info():
    _refuse("'sys.exc_info' is not evaluated")


def exit(status=None):
    raise SystemExit(status)


def getrefcount(obj):
    _refuse("'sys.getrefcount' is not evaluated")


def getsizeof(obj, default=0):
    _refuse("'sys.getsizeof' is not evaluated")
