# Paths as text; nothing touches files.
from _portwright import refuse as _refuse


def _refused(name):
    def refused(*args, **kwargs):
        _refuse(f"'os.path.{name}' is not evaluated: the evaluation touches no files")

    return refused


sep = "/"


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


def split(p):
    i = p.rfind("/") + 1
    head = p[:i]
    return (head.rstrip("/") or head), p[i:]


def basename(p):
    return p[p.rfind("/") + 1 :]


def dirname(p):
    return split(p)[0]


def splitext(p):
    dot = p.rfind(".")
    start = p.rfind("/") + 1
    if dot <= start or not p[start:dot].strip("."):
        return p, ""
    return p[:dot], p[dot:]


def isabs(p):
    return p.startswith("/")


exists = _refused("exists")
isfile = _refused("isfile")
isdir = _refused("isdir")
abspath = _refused("abspath")
realpath = _refused("realpath")
expanduser = _refused("expanduser")
getsize = _refused("getsize")
