from _portwright import refuse as _refuse

WRAPPER_ASSIGNMENTS = ("__module__", "__name__", "__qualname__", "__doc__")
WRAPPER_UPDATES = ("__dict__",)
_missing = object()


def update_wrapper(
    wrapper, wrapped, assigned=WRAPPER_ASSIGNMENTS, updated=WRAPPER_UPDATES
):
    for name in assigned:
        value = getattr(wrapped, name, _missing)
        if value is not _missing:
            setattr(wrapper, name, value)
    for name, value in getattr(wrapped, "__dict__", {}).items():
        setattr(wrapper, name, value)
    wrapper.__wrapped__ = wrapped
    return wrapper


def wraps(wrapped, assigned=WRAPPER_ASSIGNMENTS, updated=WRAPPER_UPDATES):
    return lambda wrapper: update_wrapper(wrapper, wrapped, assigned, updated)


class partial:
    def __init__(self, func, /, *args, **keywords):
        if isinstance(func, partial):
            args = func.args + args
            keywords = {**func.keywords, **keywords}
            func = func.func
        self.func = func
        self.args = args
        self.keywords = keywords

    def __call__(self, /, *args, **keywords):
        return self.func(*self.args, *args, **{**self.keywords, **keywords})

    def __repr__(self):
        parts = [repr(self.func)]
        parts.extend(repr(a) for a in self.args)
        parts.extend(f"{k}={v!r}" for k, v in self.keywords.items())
        return f"functools.partial({', '.join(parts)})"


class partialmethod:
    def __init__(self, func, /, *args, **keywords):
        self.func = func
        self.args = args
        self.keywords = keywords

    def __get__(self, obj, cls=None):
        get = getattr(self.func, "__get__", None)
        if get is None:
            return partial(self.func, *self.args, **self.keywords)
        if obj is None and not isinstance(self.func, (classmethod, staticmethod)):
            return lambda self_, *args, **kw: self.func(
                self_, *self.args, *args, **{**self.keywords, **kw}
            )
        return partial(get(obj, cls), *self.args, **self.keywords)


def reduce(function, iterable, initial=_missing, /):
    iterator = iter(iterable)
    if initial is _missing:
        value = next(iterator, _missing)
        if value is _missing:
            raise TypeError("reduce() of empty iterable with no initial value")
    else:
        value = initial
    for item in iterator:
        value = function(value, item)
    return value


class _Cached:
    # Functions are remembered without arguments only: a remembered result would
    # carry the origin of another call's arguments.
    def __init__(self, function):
        self._function = function
        self._result = _missing
        update_wrapper(self, function)

    def __call__(self, *args, **kwargs):
        if args or kwargs:
            return self._function(*args, **kwargs)
        if self._result is _missing:
            self._result = self._function()
        return self._result

    def __get__(self, obj, cls=None):
        if obj is None:
            return self
        return partial(self._function, obj)

    def cache_clear(self):
        self._result = _missing

    def cache_info(self):
        _refuse("'cache_info' of a cached function is not evaluated")

    def __deepcopy__(self, memo):
        return self


def lru_cache(maxsize=128, typed=False):
    if callable(maxsize):
        return _Cached(maxsize)
    return _Cached


def cache(function, /):
    return _Cached(function)


class cached_property:
    def __init__(self, func):
        self.func = func
        self.attrname = None
        self.__doc__ = func.__doc__

    def __set_name__(self, owner, name):
        self.attrname = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        value = self.func(instance)
        object.__setattr__(instance, self.attrname, value)
        return value


def _negate(method):
    def negated(self, other):
        result = method(self, other)
        return result if result is NotImplemented else not result

    return negated


def _or_equal(method):
    def or_equal(self, other):
        result = method(self, other)
        return result if result is NotImplemented else result or self == other

    return or_equal


def _and_unequal(method):
    def and_unequal(self, other):
        result = method(self, other)
        return result if result is NotImplemented else result and self != other

    return and_unequal


def _not_or_equal(method):
    def not_or_equal(self, other):
        result = method(self, other)
        return result if result is NotImplemented else not result and self != other

    return not_or_equal


def _not_or_is_equal(method):
    def not_or_is_equal(self, other):
        result = method(self, other)
        return result if result is NotImplemented else not result or self == other

    return not_or_is_equal


_ORDERINGS = {
    "__lt__": (("__gt__", _not_or_equal), ("__le__", _or_equal), ("__ge__", _negate)),
    "__le__": (
        ("__ge__", _not_or_is_equal),
        ("__lt__", _and_unequal),
        ("__gt__", _negate),
    ),
    "__gt__": (("__lt__", _not_or_equal), ("__ge__", _or_equal), ("__le__", _negate)),
    "__ge__": (
        ("__le__", _not_or_is_equal),
        ("__gt__", _and_unequal),
        ("__lt__", _negate),
    ),
}


def total_ordering(cls):
    roots = [n for n in _ORDERINGS if any(n in c.__dict__ for c in cls.__mro__[:-1])]
    if not roots:
        raise ValueError("must define at least one ordering operation: < > <= >=")
    root = next(n for n in ("__lt__", "__le__", "__gt__", "__ge__") if n in roots)
    for name, make in _ORDERINGS[root]:
        if name not in roots:
            setattr(cls, name, make(getattr(cls, root)))
    return cls


def cmp_to_key(compare):
    class Key:
        def __init__(self, obj):
            self.obj = obj

        def __lt__(self, other):
            return compare(self.obj, other.obj) < 0

        def __eq__(self, other):
            return compare(self.obj, other.obj) == 0

    return Key


def singledispatch(function):
    registry = {object: function}

    def dispatch(cls):
        for base in cls.__mro__:
            if base in registry:
                return registry[base]
        return function

    def register(cls, method=None):
        if method is None:
            if not isinstance(cls, type):
                _refuse("singledispatch by annotation is not evaluated")
            return lambda f: register(cls, f)
        registry[cls] = method
        return method

    @wraps(function)
    def wrapper(*args, **kwargs):
        return dispatch(type(args[0]))(*args, **kwargs)

    wrapper.register = register
    wrapper.dispatch = dispatch
    wrapper.registry = registry
    return wrapper
