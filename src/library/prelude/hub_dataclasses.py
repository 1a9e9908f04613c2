"""huggingface_hub.dataclasses: dataclasses whose fields are checked."""

import collections.abc
import types
import typing
from dataclasses import MISSING, field, fields
from functools import wraps

from huggingface_hub.errors import (
    StrictDataclassClassValidationError,
    StrictDataclassDefinitionError,
    StrictDataclassFieldValidationError,
)


def validated_field(validator, default=MISSING, default_factory=MISSING, **kwargs):
    metadata = dict(kwargs.pop("metadata", None) or {})
    metadata["validator"] = validator if isinstance(validator, list) else [validator]
    return field(
        default=default, default_factory=default_factory, metadata=metadata, **kwargs
    )


def as_validated_field(validator):
    def make(default=MISSING, default_factory=MISSING, **kwargs):
        return validated_field(
            validator, default=default, default_factory=default_factory, **kwargs
        )

    return make


def _kind(value):
    return type(value).__name__


# What follows tells why a value does not fit, or None: most of a union's options do
# not, and exceptions for them would be much of what a config costs.


def _union_fault(name, value, arguments):
    reasons = []
    for option in arguments:
        reason = _fault(name, value, option)
        if reason is None:
            return None
        reasons.append(reason)
    return (
        f"Field '{name}' with value {value!r} doesn't match any type in {arguments}. "
        f"Errors: {'; '.join(reasons)}"
    )


def _literal_fault(name, value, arguments):
    # True is 1 to Python, but not here
    same = [a for a in arguments if isinstance(a, bool) == isinstance(value, bool)]
    if value not in same:
        return f"Field '{name}' expected one of {arguments}, got {value}"


def _items_fault(name, value, kind, noun, arguments):
    if not isinstance(value, kind):
        return f"Field '{name}' expected {noun}, got {_kind(value)}"
    if not arguments:
        return None
    for i, item in enumerate(value):
        if _fault(f"{name}[{i}]", item, arguments[0]) is not None:
            return f"Invalid item at index {i} in '{name}'"


def _tuple_fault(name, value, arguments):
    if len(arguments) == 2 and arguments[1] is ...:
        return _items_fault(name, value, tuple, "a tuple", arguments)
    fault = _items_fault(name, value, tuple, "a tuple", ())
    if fault is not None or not arguments:
        return fault
    if len(arguments) != len(value):
        return (
            f"Field '{name}' expected a tuple of length {len(arguments)}, "
            f"got {len(value)}"
        )
    for i, item in enumerate(value):
        fault = _fault(f"{name}[{i}]", item, arguments[i])
        if fault is not None:
            return fault


def _dict_fault(name, value, arguments):
    fault = _items_fault(name, value, dict, "a dict", ())
    if fault is not None or not arguments:
        return fault
    for key, item in value.items():
        if (
            _fault(f"{name}.key", key, arguments[0]) is not None
            or _fault(f"{name}[{key!r}]", item, arguments[1]) is not None
        ):
            return f"Invalid key or value in dict '{name}'"


def _class_fault(name, value, cls):
    if not isinstance(value, cls) or (cls is int and isinstance(value, bool)):
        return (
            f"Field '{name}' expected {cls.__name__}, got {_kind(value)} "
            f"(value: {value!r})"
        )


_CLASSES = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "list": list,
    "List": list,
    "dict": dict,
    "Dict": dict,
    "tuple": tuple,
    "Tuple": tuple,
    "set": set,
    "Set": set,
    "Sequence": collections.abc.Sequence,
    "None": None,
}


def _split(text, by):
    """Parts of the text at `by`, outside of brackets and quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for i, c in enumerate(text):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "[(":
            depth += 1
        elif c in "])":
            depth -= 1
        elif c == by and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return parts + [text[start:].strip()]


def _literal(text):
    if text[:1] in ("'", '"'):
        return text[1:-1]
    words = {"True": True, "False": False, "None": None}
    return words[text] if text in words else int(text)


_ANNOTATIONS = {}


def _annotation(text):
    """The type an annotation's text stands for; Any for names we do not know."""
    if text not in _ANNOTATIONS:
        _ANNOTATIONS[text] = _parse_annotation(text)
    return _ANNOTATIONS[text]


def _parse_annotation(text):
    options = _split(text, "|")
    if len(options) > 1:
        return typing.Union[tuple(_annotation(option) for option in options)]
    head, bracket, inside = text.partition("[")
    head = head.strip().rpartition(".")[2]
    if not bracket:
        return _CLASSES[head] if head in _CLASSES else typing.Any
    parts = [p for p in _split(inside.strip().removesuffix("]"), ",") if p]
    if head == "Literal":
        return typing.Literal[tuple(_literal(part) for part in parts)]
    arguments = tuple(... if part == "..." else _annotation(part) for part in parts)
    if head == "Optional":
        return typing.Union[arguments[0], None]
    if head == "Union":
        return typing.Union[arguments]
    if head in _CLASSES and _CLASSES[head] not in (int, float, str, bool, None):
        return _CLASSES[head][arguments if len(arguments) > 1 else arguments[0]]
    return typing.Any


def _fault(name, value, expected):
    if isinstance(expected, str):
        expected = _annotation(expected)
    if expected is typing.Any or isinstance(expected, typing.TypeVar):
        return None
    if expected is None:
        if value is not None:
            return f"Field '{name}' expected None, got {_kind(value)}"
        return None
    origin = typing.get_origin(expected)
    if origin is None and isinstance(expected, type):
        return _class_fault(name, value, expected)
    arguments = typing.get_args(expected)
    if origin is typing.Union or origin is types.UnionType:
        return _union_fault(name, value, arguments)
    if origin is typing.Literal:
        return _literal_fault(name, value, arguments)
    if origin is list:
        return _items_fault(name, value, list, "a list", arguments)
    if origin is set:
        return _items_fault(name, value, set, "a set", arguments)
    if origin is collections.abc.Sequence:
        return _items_fault(name, value, (list, tuple, str), "a Sequence", arguments)
    if origin is tuple:
        return _tuple_fault(name, value, arguments)
    if origin is dict:
        return _dict_fault(name, value, arguments)
    return f"Unsupported type for field '{name}': {expected}"


def type_validator(name, value, expected):
    """Raises TypeError unless `value` is what the annotation says."""
    fault = _fault(name, value, expected)
    if fault is not None:
        raise TypeError(fault)


def _plain_types(expected):
    """Types whose every value is what the annotation says: for most fields this
    spares type_validator, which is most of what a config costs."""
    if expected is None:
        return (type(None),)
    if typing.get_origin(expected) in (typing.Union, types.UnionType):
        options = typing.get_args(expected)
        return tuple(plain for option in options for plain in _plain_types(option))
    known = (int, float, str, bool, list, dict, type(None))
    return (expected,) if expected in known else ()


def _validators(f):
    expected = _annotation(f.type) if isinstance(f.type, str) else f.type
    plain = _plain_types(expected)

    def check_type(value):
        if type(value) not in plain:
            type_validator(f.name, value, expected)

    own = f.metadata.get("validator") or []
    return [check_type, *(own if isinstance(own, list) else [own])]


def _check_fields_on_assignment(cls):
    # A base class's own would check everything again.
    assign = getattr(cls.__setattr__, "_assign", cls.__setattr__)

    def __setattr__(self, name, value):
        # Not of self: configs look up their attributes in Python.
        for validator in type(self).__validators__.get(name, ()):
            try:
                validator(value)
            except (ValueError, TypeError) as error:
                raise StrictDataclassFieldValidationError(
                    field=name, cause=error
                ) from error
        assign(self, name, value)

    __setattr__._assign = assign
    cls.__validators__ = {f.name: _validators(f) for f in fields(cls)}
    cls.__setattr__ = __setattr__


def _accept_more_keywords(cls):
    def __init__(self, *args, **kwargs):
        if args:
            raise ValueError(f"{cls.__name__} accepts only keyword arguments")
        for f in fields(cls):
            if f.name in kwargs:
                setattr(self, f.name, kwargs.pop(f.name))
            elif f.default is not MISSING:
                setattr(self, f.name, f.default)
            elif f.default_factory is not MISSING:
                setattr(self, f.name, f.default_factory())
            else:
                raise TypeError(f"Missing required field - '{f.name}'")
        self.__post_init__(**kwargs)

    def __post_init__(self, **kwargs):
        for name, value in kwargs.items():
            setattr(self, name, value)

    cls.__init__ = __init__
    if not hasattr(cls, "__post_init__"):
        cls.__post_init__ = __post_init__


def _validate_after_init(cls):
    names = [n for n in dir(cls) if n.startswith("validate_")]
    methods = [getattr(cls, n) for n in names if callable(getattr(cls, n))]
    cls.__class_validators__ = methods
    initialize = cls.__init__

    def validate(self):
        for method in cls.__class_validators__:
            try:
                method(self)
            except (ValueError, TypeError) as error:
                raise StrictDataclassClassValidationError(
                    validator=method.__name__, cause=error
                ) from error

    @wraps(initialize)
    def __init__(self, *args, **kwargs):
        initialize(self, *args, **kwargs)
        cls.validate(self)

    cls.validate = validate
    cls.__init__ = __init__


def strict(cls=None, *, accept_kwargs=False):
    def decorate(cls):
        if not hasattr(cls, "__dataclass_fields__"):
            raise StrictDataclassDefinitionError(
                f"Class '{cls.__name__}' must be a dataclass before applying @strict."
            )
        _check_fields_on_assignment(cls)
        if accept_kwargs:
            _accept_more_keywords(cls)
        _validate_after_init(cls)
        return cls

    return decorate if cls is None else decorate(cls)


def validate_typed_dict(schema, data):
    for name, expected in schema.__annotations__.items():
        if name in data:
            type_validator(name, data[name], expected)
