# An environment without variables, and paths as text; nothing touches files.
from types import MappingProxyType as _Proxy

from _portwright import refuse as _refuse

sep = "/"
linesep = "\n"
name = "posix"
curdir = "."
environ = _Proxy({})


class PathLike:
    def __class_getitem__(cls, args):
        return cls


def getenv(key, default=None):
    return default


def cpu_count():
    return 1  # whatever the machine, an evaluation is the same


def fspath(path):
    if isinstance(path, (str, bytes)):
        return path
    return path.__fspath__()


def _refused(name):
    def refused(*args, **kwargs):
        _refuse(f"'os.{name}' is not evaluated: the evaluation touches no files")

    return refused


makedirs = _refused("makedirs")
mkdir = _refused("mkdir")
listdir = _refused("listdir")
scandir = _refused("scandir")
walk = _refused("walk")
remove = _refused("remove")
rename = _refused("rename")
replace = _refused("replace")
getcwd = _refused("getcwd")
chdir = _refused("chdir")
stat = _refused("stat")
getpid = _refused("getpid")
system = _refused("system")
popen = _refused("popen")
devnull = "/dev/null"
