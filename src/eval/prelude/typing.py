# Everything here is inert: it may stand in annotations and base lists, and has
# no effect on values.
import collections as _collections
import collections.abc as _abc
import re as _re
from abc import ABCMeta as _ABCMeta

from _portwright import GenericAlias, UnionType
from _portwright import refuse as _refuse

TYPE_CHECKING = False


class _Form:
    def __init__(self, name):
        self._name = name

    def __getitem__(self, args):
        return _Alias(self, args if isinstance(args, tuple) else (args,))

    def __or__(self, other):
        return Union[self, other]

    def __ror__(self, other):
        return Union[other, self]

    def __call__(self, *args, **kwargs):
        raise TypeError(f"{self!r} is not callable")

    def __mro_entries__(self, bases):
        return ()

    def __repr__(self):
        return f"typing.{self._name}"

    def __deepcopy__(self, memo):
        return self


def _name(arg):
    if arg is type(None):
        return "None"
    if arg is ...:
        return "..."
    return arg.__qualname__ if isinstance(arg, type) else repr(arg)


class _Alias:
    def __init__(self, origin, args):
        self.__origin__ = origin
        self.__args__ = args

    def __getitem__(self, args):
        return self

    def __or__(self, other):
        return Union[self, other]

    def __ror__(self, other):
        return Union[other, self]

    def __eq__(self, other):
        return (
            isinstance(other, _Alias)
            and self.__origin__ is other.__origin__
            and self.__args__ == other.__args__
        )

    def __hash__(self):
        return hash(self.__args__)

    def __mro_entries__(self, bases):
        return ()

    def __repr__(self):
        return f"{self.__origin__!r}[{', '.join(_name(a) for a in self.__args__)}]"

    def __deepcopy__(self, memo):
        return self


class _UnionForm(_Form):
    def __getitem__(self, args):
        args = args if isinstance(args, tuple) else (args,)
        flat = []
        for arg in args:
            arg = type(None) if arg is None else arg
            nested = (
                isinstance(arg, UnionType) or getattr(arg, "__origin__", None) is self
            )
            for member in arg.__args__ if nested else (arg,):
                if member not in flat:
                    flat.append(member)
        return flat[0] if len(flat) == 1 else _Alias(self, tuple(flat))


class _OptionalForm(_Form):
    def __getitem__(self, arg):
        return Union[arg, None]


class _LiteralForm(_Form):
    def __getitem__(self, args):
        return _Alias(self, args if isinstance(args, tuple) else (args,))


class _Builtin(_Form):
    # typing.List and the like: a class under another name.
    def __init__(self, name, origin):
        super().__init__(name)
        self.__origin__ = origin

    def __getitem__(self, args):
        return GenericAlias(self.__origin__, args)

    def __call__(self, *args, **kwargs):
        return self.__origin__(*args, **kwargs)

    def __mro_entries__(self, bases):
        return (self.__origin__,)


class Any:
    pass


Union = _UnionForm("Union")
Optional = _OptionalForm("Optional")
Literal = _LiteralForm("Literal")
Annotated = _Form("Annotated")
ClassVar = _Form("ClassVar")
Final = _Form("Final")
Concatenate = _Form("Concatenate")
TypeAlias = _Form("TypeAlias")
TypeGuard = _Form("TypeGuard")
TypeIs = _Form("TypeIs")
Unpack = _Form("Unpack")
Required = _Form("Required")
NotRequired = _Form("NotRequired")
ReadOnly = _Form("ReadOnly")
Self = _Form("Self")
Never = _Form("Never")
NoReturn = _Form("NoReturn")
LiteralString = _Form("LiteralString")

List = _Builtin("List", list)
Dict = _Builtin("Dict", dict)
Tuple = _Builtin("Tuple", tuple)
Set = _Builtin("Set", set)
FrozenSet = _Builtin("FrozenSet", frozenset)
Type = _Builtin("Type", type)
Deque = _Builtin("Deque", _collections.deque)
DefaultDict = _Builtin("DefaultDict", _collections.defaultdict)
OrderedDict = _Builtin("OrderedDict", _collections.OrderedDict)
Counter = _Builtin("Counter", _collections.Counter)
ChainMap = _Builtin("ChainMap", _collections.ChainMap)
Callable = _Builtin("Callable", _abc.Callable)
Iterable = _Builtin("Iterable", _abc.Iterable)
Iterator = _Builtin("Iterator", _abc.Iterator)
Generator = _Builtin("Generator", _abc.Generator)
Sequence = _Builtin("Sequence", _abc.Sequence)
MutableSequence = _Builtin("MutableSequence", _abc.MutableSequence)
Mapping = _Builtin("Mapping", _abc.Mapping)
MutableMapping = _Builtin("MutableMapping", _abc.MutableMapping)
AbstractSet = _Builtin("AbstractSet", _abc.Set)
MutableSet = _Builtin("MutableSet", _abc.MutableSet)
Collection = _Builtin("Collection", _abc.Collection)
Container = _Builtin("Container", _abc.Container)
Reversible = _Builtin("Reversible", _abc.Reversible)
Hashable = _abc.Hashable
Sized = _abc.Sized
KeysView = _Builtin("KeysView", _abc.KeysView)
ValuesView = _Builtin("ValuesView", _abc.ValuesView)
ItemsView = _Builtin("ItemsView", _abc.ItemsView)
Awaitable = _Builtin("Awaitable", _abc.Awaitable)
Coroutine = _Builtin("Coroutine", _abc.Coroutine)
AsyncIterable = _Builtin("AsyncIterable", _abc.AsyncIterable)
AsyncIterator = _Builtin("AsyncIterator", _abc.AsyncIterator)
AsyncGenerator = _Builtin("AsyncGenerator", _abc.AsyncGenerator)
ContextManager = _Form("ContextManager")
AsyncContextManager = _Form("AsyncContextManager")
Pattern = _Builtin("Pattern", _re.Pattern)
Match = _Builtin("Match", _re.Match)
IO = _Form("IO")
TextIO = _Form("TextIO")
BinaryIO = _Form("BinaryIO")
Text = str
ByteString = _abc.ByteString


class _Variable(_Form):
    def __init__(self, name, *constraints, bound=None, default=None, **options):
        super().__init__(name)
        self.__name__ = name
        self.__bound__ = bound
        self.__constraints__ = constraints

    def __repr__(self):
        return f"~{self._name}"


class TypeVar(_Variable):
    pass


class TypeVarTuple(_Variable):
    def __iter__(self):
        return iter([Unpack[self]])


class ParamSpec(_Variable):
    @property
    def args(self):
        return self

    @property
    def kwargs(self):
        return self


AnyStr = TypeVar("AnyStr", bytes, str)


class Generic:
    def __class_getitem__(cls, args):
        return cls


class Protocol:
    def __class_getitem__(cls, args):
        return cls


class SupportsInt(Protocol):
    pass


class SupportsFloat(Protocol):
    pass


class SupportsIndex(Protocol):
    pass


class SupportsAbs(Protocol):
    pass


class TypedDict(dict):
    def __init_subclass__(cls, total=True, **kwargs):
        cls.__total__ = total
        fields = {}
        for base in reversed(cls.__mro__):
            fields.update(base.__dict__.get("__annotations__", {}))
        cls.__annotations__ = fields


class NamedTuple(tuple):
    def __init_subclass__(cls, **kwargs):
        if NamedTuple not in cls.__bases__:
            return
        fields = list(cls.__dict__.get("__annotations__", {}))
        own = cls.__dict__
        defaults = {name: own[name] for name in fields if name in own}
        members = _collections._named_tuple_members(cls.__name__, fields, defaults)
        for name, value in members.items():
            if name in own and name not in fields:
                continue
            setattr(cls, name, staticmethod(value) if name == "__new__" else value)


def NewType(name, tp):
    def new_type(value):
        return value

    new_type.__name__ = name
    new_type.__supertype__ = tp
    return new_type


def cast(typ, val):
    return val


def overload(function):
    def no_implementation(*args, **kwargs):
        raise NotImplementedError("only the last of the overloads is called")

    return no_implementation


def _identity(obj):
    return obj


final = _identity
override = _identity
no_type_check = _identity
runtime_checkable = _identity
runtime = _identity


def dataclass_transform(**options):
    return _identity


def get_origin(tp):
    if isinstance(tp, UnionType):
        return UnionType
    return None if isinstance(tp, _Builtin) else getattr(tp, "__origin__", None)


def get_args(tp):
    return getattr(tp, "__args__", ())


def get_type_hints(obj, globalns=None, localns=None, include_extras=False):
    _refuse("'typing.get_type_hints' is not evaluated: annotations are kept as text")


def assert_type(val, typ):
    return val


def assert_never(arg):
    raise AssertionError(f"Expected code to be unreachable, but got: {arg!r}")


def reveal_type(obj):
    return obj


def is_typeddict(tp):
    return isinstance(tp, type) and issubclass(tp, TypedDict) and tp is not TypedDict
