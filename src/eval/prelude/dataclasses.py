import copy as _copy
from types import MappingProxyType

from _portwright import make_init as _make_init
from _portwright import refuse as _refuse


class _Missing:
    def __repr__(self):
        return "MISSING"

    def __deepcopy__(self, memo):
        return self


class _KeywordOnly:
    pass


MISSING = _Missing()
KW_ONLY = _KeywordOnly()


class FrozenInstanceError(AttributeError):
    pass


class InitVar:
    def __init__(self, type=None):
        self.type = type

    def __class_getitem__(cls, type):
        return InitVar(type)


class Field:
    name = None
    type = None
    default_factory = MISSING
    init = True
    repr = True
    hash = None
    compare = True
    metadata = MappingProxyType({})
    kw_only = MISSING
    _init_only = False

    def __init__(self, default=MISSING, **given):
        self.default = default
        self.__dict__.update(given)

    def __repr__(self):
        return f"Field(name={self.name!r},type={self.type!r},default={self.default!r})"


def field(
    *,
    default=MISSING,
    default_factory=MISSING,
    init=True,
    repr=True,
    hash=None,
    compare=True,
    metadata=None,
    kw_only=MISSING,
):
    if default is not MISSING and default_factory is not MISSING:
        raise ValueError("cannot specify both default and default_factory")
    return Field(
        default,
        default_factory=default_factory,
        init=init,
        repr=repr,
        hash=hash,
        compare=compare,
        metadata={} if metadata is None else metadata,
        kw_only=kw_only,
    )


def _kind(annotation):
    """The last word of what an annotation's text names: "ClassVar" of
    "typing.ClassVar[int]"."""
    if not isinstance(annotation, str):
        return ""
    head = annotation.strip("'\" ").split("[")[0].strip()
    return head.split(".")[-1]


def _own_fields(cls, kw_only):
    own = []
    for name, annotation in cls.__dict__.get("__annotations__", {}).items():
        kind = _kind(annotation)
        if kind == "ClassVar":
            continue
        if kind == "KW_ONLY":
            kw_only = True
            continue
        default = cls.__dict__.get(name, MISSING)
        f = default if isinstance(default, Field) else Field(default)
        f.name = name
        f.type = annotation
        if kind == "InitVar":
            f._init_only = True
        if f.kw_only is MISSING:
            f.kw_only = kw_only
        if f.default_factory is MISSING and isinstance(f.default, (list, dict, set)):
            kind = type(f.default)
            raise ValueError(
                f"mutable default {kind} for field {name} is not allowed: use default_factory"
            )
        own.append(f)
        if isinstance(default, Field):
            if default.default is MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, default.default)
    for name, value in cls.__dict__.items():
        if isinstance(value, Field) and name not in cls.__dict__.get(
            "__annotations__", {}
        ):
            raise TypeError(f"{name!r} is a field but has no type annotation")
    return own


def _process(cls, init, repr, eq, order, unsafe_hash, frozen, kw_only):
    all_fields = {}
    for base in reversed(cls.__mro__[1:]):
        all_fields.update(base.__dict__.get("__dataclass_fields__", {}))
    for f in _own_fields(cls, kw_only):
        all_fields[f.name] = f
    cls.__dataclass_fields__ = all_fields
    cls.__dataclass_params__ = {"frozen": frozen, "eq": eq, "order": order}
    fields = list(all_fields.values())
    own = cls.__dict__
    if init:
        made = _make_init(
            cls.__qualname__, fields, MISSING, frozen, hasattr(cls, "__post_init__")
        )
        if "__init__" not in own:
            cls.__init__ = made
    if repr and "__repr__" not in own:
        cls.__repr__ = _repr_of(fields)
    has_eq = "__eq__" in own
    if eq and not has_eq:
        cls.__eq__ = _eq_of(fields)
    if order:
        _add_order(cls, _compared(fields))
    if frozen:
        cls.__setattr__ = _frozen_setattr
        cls.__delattr__ = _frozen_delattr
    if unsafe_hash or (eq and frozen and "__hash__" not in own):
        cls.__hash__ = _hash_of(
            [f.name for f in fields if (f.compare if f.hash is None else f.hash)]
        )
    elif eq and not has_eq and "__hash__" not in own:
        cls.__hash__ = None
    if "__match_args__" not in own:
        cls.__match_args__ = _MatchArgs(fields)
    return cls


class _MatchArgs:
    """Most classes are never matched: their fields are listed when one is."""

    def __init__(self, fields):
        self.fields = fields

    def __get__(self, instance, owner=None):
        return tuple(f.name for f in self.fields if f.init and not f.kw_only)


def _compared(fields):
    return [f.name for f in fields if f.compare and not f._init_only]


def _repr_of(fields):
    def __repr__(self):
        text = ", ".join(
            f"{f.name}={getattr(self, f.name)!r}"
            for f in fields
            if f.repr and not f._init_only
        )
        return f"{type(self).__qualname__}({text})"

    return __repr__


def _eq_of(fields):
    def __eq__(self, other):
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, n) == getattr(other, n) for n in _compared(fields))

    return __eq__


def _hash_of(names):
    def __hash__(self):
        return hash(tuple(getattr(self, n) for n in names))

    return __hash__


def _add_order(cls, names):
    def key(obj):
        return tuple(getattr(obj, n) for n in names)

    def ordering(compare):
        def method(self, other):
            if other.__class__ is not self.__class__:
                return NotImplemented
            return compare(key(self), key(other))

        return method

    cls.__lt__ = ordering(lambda a, b: a < b)
    cls.__le__ = ordering(lambda a, b: a <= b)
    cls.__gt__ = ordering(lambda a, b: a > b)
    cls.__ge__ = ordering(lambda a, b: a >= b)


def _frozen_setattr(self, name, value):
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _frozen_delattr(self, name):
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def dataclass(
    cls=None,
    /,
    *,
    init=True,
    repr=True,
    eq=True,
    order=False,
    unsafe_hash=False,
    frozen=False,
    match_args=True,
    kw_only=False,
    slots=False,
    weakref_slot=False,
):
    def wrap(cls):
        return _process(cls, init, repr, eq, order, unsafe_hash, frozen, kw_only)

    return wrap if cls is None else wrap(cls)


def fields(class_or_instance):
    found = getattr(class_or_instance, "__dataclass_fields__", None)
    if found is None:
        raise TypeError("must be called with a dataclass type or instance")
    return tuple(f for f in found.values() if not f._init_only)


def is_dataclass(obj):
    cls = obj if isinstance(obj, type) else type(obj)
    return hasattr(cls, "__dataclass_fields__")


def _convert(obj, dict_factory, as_dict):
    if is_dataclass(obj) and not isinstance(obj, type):
        pairs = [
            (f.name, _convert(getattr(obj, f.name), dict_factory, as_dict))
            for f in fields(obj)
        ]
        return dict_factory(pairs) if as_dict else tuple(value for _, value in pairs)
    if isinstance(obj, tuple) and hasattr(obj, "_fields"):
        return type(obj)(*[_convert(v, dict_factory, as_dict) for v in obj])
    if isinstance(obj, (list, tuple)):
        return type(obj)([_convert(v, dict_factory, as_dict) for v in obj])
    if isinstance(obj, dict):
        return type(obj)(
            (_convert(k, dict_factory, as_dict), _convert(v, dict_factory, as_dict))
            for k, v in obj.items()
        )
    return _copy.deepcopy(obj)


def asdict(obj, *, dict_factory=dict):
    if isinstance(obj, type) or not is_dataclass(obj):
        raise TypeError("asdict() should be called on dataclass instances")
    return _convert(obj, dict_factory, True)


def astuple(obj, *, tuple_factory=tuple):
    if isinstance(obj, type) or not is_dataclass(obj):
        raise TypeError("astuple() should be called on dataclass instances")
    return tuple_factory(_convert(obj, dict, False))


def replace(obj, /, **changes):
    for f in obj.__dataclass_fields__.values():
        if not f.init:
            if f.name in changes:
                raise ValueError(f"field {f.name} is declared with init=False")
        elif f.name not in changes:
            if f._init_only and f.default is MISSING:
                raise ValueError(f"InitVar {f.name!r} must be specified with replace()")
            if not f._init_only:
                changes[f.name] = getattr(obj, f.name)
    return obj.__class__(**changes)


def make_dataclass(*args, **kwargs):
    _refuse("'dataclasses.make_dataclass' is not evaluated")
