from _portwright import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from _portwright import parameters as _parameters
from _portwright import refuse as _refuse


class _empty:
    pass


_KINDS = (
    "POSITIONAL_ONLY",
    "POSITIONAL_OR_KEYWORD",
    "VAR_POSITIONAL",
    "KEYWORD_ONLY",
    "VAR_KEYWORD",
)


class Parameter:
    (
        POSITIONAL_ONLY,
        POSITIONAL_OR_KEYWORD,
        VAR_POSITIONAL,
        KEYWORD_ONLY,
        VAR_KEYWORD,
    ) = range(5)
    empty = _empty

    def __init__(self, name, kind, *, default=_empty, annotation=_empty):
        self.name = name
        self.kind = kind
        self.default = default
        self.annotation = annotation

    def replace(self, **changes):
        current = {
            "name": self.name,
            "kind": self.kind,
            "default": self.default,
            "annotation": self.annotation,
        }
        current.update(changes)
        return Parameter(
            current["name"],
            current["kind"],
            default=current["default"],
            annotation=current["annotation"],
        )

    def __eq__(self, other):
        return isinstance(other, Parameter) and vars(self) == vars(other)

    def __repr__(self):
        return f'<Parameter "{self.name}">'


class BoundArguments:
    def __init__(self, signature, arguments):
        self.signature = signature
        self.arguments = arguments

    @property
    def args(self):
        out = []
        for name, p in self.signature.parameters.items():
            if p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD) or name not in self.arguments:
                break
            if p.kind == p.VAR_POSITIONAL:
                out.extend(self.arguments[name])
            else:
                out.append(self.arguments[name])
        return tuple(out)

    @property
    def kwargs(self):
        out = {}
        positional = len(self.args)
        for i, (name, p) in enumerate(self.signature.parameters.items()):
            if name not in self.arguments or p.kind == p.VAR_POSITIONAL:
                continue
            if p.kind == p.VAR_KEYWORD:
                out.update(self.arguments[name])
            elif p.kind == p.KEYWORD_ONLY or i >= positional:
                out[name] = self.arguments[name]
        return out

    def apply_defaults(self):
        complete = {}
        for name, p in self.signature.parameters.items():
            if name in self.arguments:
                complete[name] = self.arguments[name]
            elif p.default is not _empty:
                complete[name] = p.default
            elif p.kind == p.VAR_POSITIONAL:
                complete[name] = ()
            elif p.kind == p.VAR_KEYWORD:
                complete[name] = {}
        self.arguments = complete


class Signature:
    empty = _empty

    def __init__(self, parameters=None, *, return_annotation=_empty):
        self.parameters = {p.name: p for p in parameters or ()}
        self.return_annotation = return_annotation

    @classmethod
    def from_callable(cls, obj, **options):
        return signature(obj)

    def replace(self, *, parameters=None, return_annotation=_empty):
        return Signature(
            list(self.parameters.values()) if parameters is None else parameters,
            return_annotation=return_annotation,
        )

    def _bind(self, args, kwargs, partial):
        arguments = {}
        args = list(args)
        kwargs = dict(kwargs)
        for name, p in self.parameters.items():
            if p.kind == p.VAR_POSITIONAL:
                if args:
                    arguments[name] = tuple(args)
                    args = []
            elif p.kind == p.VAR_KEYWORD:
                if kwargs:
                    arguments[name] = kwargs
                    kwargs = {}
            elif args and p.kind != p.KEYWORD_ONLY:
                if name in kwargs:
                    raise TypeError(f"multiple values for argument {name!r}")
                arguments[name] = args.pop(0)
            elif name in kwargs and p.kind != p.POSITIONAL_ONLY:
                arguments[name] = kwargs.pop(name)
            elif p.default is _empty and not partial:
                raise TypeError(f"missing a required argument: {name!r}")
        if args:
            raise TypeError("too many positional arguments")
        for name in kwargs:
            raise TypeError(f"got an unexpected keyword argument {name!r}")
        return BoundArguments(self, arguments)

    def bind(self, /, *args, **kwargs):
        return self._bind(args, kwargs, False)

    def bind_partial(self, /, *args, **kwargs):
        return self._bind(args, kwargs, True)

    def __repr__(self):
        return f"<Signature ({', '.join(self.parameters)})>"


_known = {}  # by function: its parameters as they were, signature, one without self


def _signatures(function, found):
    """Of a function with these parameters, as it is and bound; some are asked for
    once for each of many keys."""
    known = _known.get(function)
    if known is None or any(a[2] is not b[2] for a, b in zip(known[0], found)):
        annotations = getattr(function, "__annotations__", {})
        made = Signature(
            [
                Parameter(
                    name,
                    kind,
                    default=default,
                    annotation=annotations.get(name, _empty),
                )
                for name, kind, default in found
            ],
            return_annotation=annotations.get("return", _empty),
        )
        known = _known[function] = (found, made, _without_first(made))
    return known[1:]


def _without_first(made):
    return made.replace(parameters=list(made.parameters.values())[1:])


def _bound(function):
    """The signature of what has its first argument already."""
    if isinstance(function, BuiltinFunctionType) and function in _known:
        return _known[function][2]
    plain = isinstance(function, (FunctionType, BuiltinFunctionType))
    wraps = plain and hasattr(function, "__wrapped__")
    if plain and not wraps and getattr(function, "__signature__", None) is None:
        return _signatures(function, _parameters(function, _empty))[1]
    return _without_first(signature(function))


def signature(obj, *, follow_wrapped=True, **options):
    own = getattr(obj, "__signature__", None)
    if own is not None:
        return own
    if isinstance(obj, MethodType):
        return _bound(obj.__func__)
    if isinstance(obj, type):
        made = obj.__init__ if obj.__init__ is not object.__init__ else obj.__new__
        return _bound(made)
    if follow_wrapped and hasattr(obj, "__wrapped__"):
        return signature(obj.__wrapped__)
    found = _parameters(obj, _empty)
    if found is None:
        if hasattr(obj, "func") and hasattr(obj, "keywords"):
            return _signature_of_partial(obj)
        if not hasattr(type(obj), "__call__"):
            raise TypeError(f"{obj!r} is not a callable object")
        return _bound(type(obj).__call__)
    return _signatures(obj, found)[0]


def _signature_of_partial(obj):
    left = list(signature(obj.func).parameters.values())[len(obj.args) :]
    out = []
    for p in left:
        if p.name in obj.keywords:
            p = p.replace(default=obj.keywords[p.name], kind=Parameter.KEYWORD_ONLY)
        out.append(p)
    return Signature(out)


def isfunction(obj):
    return isinstance(obj, FunctionType)


def ismethod(obj):
    return isinstance(obj, MethodType)


def isbuiltin(obj):
    return isinstance(obj, BuiltinFunctionType)


def isroutine(obj):
    return isinstance(obj, (FunctionType, BuiltinFunctionType, MethodType))


def isclass(obj):
    return isinstance(obj, type)


def ismodule(obj):
    return isinstance(obj, ModuleType)


def isabstract(obj):
    return False


def isdatadescriptor(obj):
    return not isclass(obj) and hasattr(type(obj), "__set__")


def getmro(cls):
    return cls.__mro__


def getdoc(obj):
    return None


def getmodule(obj):
    _refuse("'inspect.getmodule' is not evaluated")


def unwrap(func, *, stop=None):
    while hasattr(func, "__wrapped__") and not (stop is not None and stop(func)):
        func = func.__wrapped__
    return func


def getmembers(obj, predicate=None):
    out = []
    for name in dir(obj):
        value = getattr(obj, name)
        if predicate is None or predicate(value):
            out.append((name, value))
    return out


def getattr_static(obj, name, default=_empty):
    owners = obj.__mro__ if isinstance(obj, type) else (obj, *type(obj).__mro__)
    for owner in owners:
        if name in getattr(owner, "__dict__", {}):
            return owner.__dict__[name]
    if default is _empty:
        raise AttributeError(name)
    return default


def get_annotations(obj, **options):
    return dict(getattr(obj, "__annotations__", {}))


def iscoroutinefunction(obj):
    return False


def isawaitable(obj):
    return False


def isgeneratorfunction(obj):
    return False


def getsource(obj):
    _refuse("'inspect.getsource' is not evaluated")


def getsourcefile(obj):
    _refuse("'inspect.getsourcefile' is not evaluated")


def getfile(obj):
    _refuse("'inspect.getfile' is not evaluated")


def currentframe():
    _refuse("'inspect.currentframe' is not evaluated")


def stack(context=1):
    _refuse("'inspect.stack' is not evaluated")
