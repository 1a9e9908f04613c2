# An environment without variables, and paths as text; nothing touches files.
from _portwright import refuse as _refuse
from types import MappingProxyType as _Proxy

sep = "/"
linesep = "\n"
name = "posix"
curdir = "."
environ = _Proxy({})


def cpu_count():
    return None  # as where it cannot be told


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


class path:
    sep = "/"

    @staticmethod
    def join(first, *rest):
        out = first
        for part in rest:
            if part.startswith("/"):
                out = part
            elif not out or out.endswith("/"):
                out += part
            else:
                out += "/" + part
        return out

    @staticmethod
    def split(p):
        i = p.rfind("/") + 1
        head = p[:i]
        return (head.rstrip("/") or head), p[i:]

    @staticmethod
    def basename(p):
        return p[p.rfind("/") + 1 :]

    @staticmethod
    def dirname(p):
        return path.split(p)[0]

    @staticmethod
    def splitext(p):
        dot = p.rfind(".")
        start = p.rfind("/") + 1
        if dot <= start or not p[start:dot].strip("."):
            return p, ""
        return p[:dot], p[dot:]

    @staticmethod
    def isabs(p):
        return p.startswith("/")

    exists = staticmethod(_refused("path.exists"))
    isfile = staticmethod(_refused("path.isfile"))
    isdir = staticmethod(_refused("path.isdir"))
    abspath = staticmethod(_refused("path.abspath"))
    realpath = staticmethod(_refused("path.realpath"))
    expanduser = staticmethod(_refused("path.expanduser"))
    getsize = staticmethod(_refused("path.getsize"))
