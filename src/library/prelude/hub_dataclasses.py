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


def _check_union(name, value, arguments):
    reasons = []
    for option in arguments:
        try:
            type_validator(name, value, option)
            return
        except TypeError as error:
            reasons.append(str(error))
    raise TypeError(
        f"Field '{name}' with value {value!r} doesn't match any type in {arguments}. "
        f"Errors: {'; '.join(reasons)}"
    )


def _check_literal(name, value, arguments):
    # True is 1 to Python, but not here
    same = [a for a in arguments if isinstance(a, bool) == isinstance(value, bool)]
    if value not in same:
        raise TypeError(f"Field '{name}' expected one of {arguments}, got {value}")


def _check_items(name, value, kind, noun, arguments):
    if not isinstance(value, kind):
        raise TypeError(f"Field '{name}' expected {noun}, got {_kind(value)}")
    if not arguments:
        return
    for i, item in enumerate(value):
        try:
            type_validator(f"{name}[{i}]", item, arguments[0])
        except TypeError as error:
            raise TypeError(f"Invalid item at index {i} in '{name}'") from error


def _check_tuple(name, value, arguments):
    if len(arguments) == 2 and arguments[1] is ...:
        _check_items(name, value, tuple, "a tuple", arguments)
        return
    _check_items(name, value, tuple, "a tuple", ())
    if not arguments:
        return
    if len(arguments) != len(value):
        raise TypeError(
            f"Field '{name}' expected a tuple of length {len(arguments)}, "
            f"got {len(value)}"
        )
    for i, item in enumerate(value):
        type_validator(f"{name}[{i}]", item, arguments[i])


def _check_dict(name, value, arguments):
    _check_items(name, value, dict, "a dict", ())
    if not arguments:
        return
    for key, item in value.items():
        try:
            type_validator(f"{name}.key", key, arguments[0])
            type_validator(f"{name}[{key!r}]", item, arguments[1])
        except TypeError as error:
            raise TypeError(f"Invalid key or value in dict '{name}'") from error


def _check_class(name, value, cls):
    if not isinstance(value, cls) or (cls is int and isinstance(value, bool)):
        raise TypeError(
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


def type_validator(name, value, expected):
    """Raises TypeError unless `value` is what the annotation says."""
    if isinstance(expected, str):
        expected = _annotation(expected)
    if expected is typing.Any or isinstance(expected, typing.TypeVar):
        return
    if expected is None:
        if value is not None:
            raise TypeError(f"Field '{name}' expected None, got {_kind(value)}")
        return
    origin = typing.get_origin(expected)
    arguments = typing.get_args(expected)
    if origin is typing.Union or origin is types.UnionType:
        _check_union(name, value, arguments)
    elif origin is typing.Literal:
        _check_literal(name, value, arguments)
    elif origin is list:
        _check_items(name, value, list, "a list", arguments)
    elif origin is set:
        _check_items(name, value, set, "a set", arguments)
    elif origin is collections.abc.Sequence:
        _check_items(name, value, (list, tuple, str), "a Sequence", arguments)
    elif origin is tuple:
        _check_tuple(name, value, arguments)
    elif origin is dict:
        _check_dict(name, value, arguments)
    elif isinstance(expected, type):
        _check_class(name, value, expected)
    else:
        raise TypeError(f"Unsupported type for field '{name}': {expected}")


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
    assign = cls.__setattr__

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
