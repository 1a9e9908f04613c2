from _portwright import new_instance as _new_instance
from _portwright import refuse as _refuse


class auto:
    def __init__(self, value=None):
        self.value = value


class nonmember:
    def __init__(self, value):
        self.value = value


class member:
    def __init__(self, value):
        self.value = value


class EnumType(type):
    def __iter__(cls):
        return iter([cls._member_map_[name] for name in cls._member_names_])

    def __reversed__(cls):
        return iter([cls._member_map_[name] for name in reversed(cls._member_names_)])

    def __len__(cls):
        return len(cls._member_names_)

    def __contains__(cls, value):
        if isinstance(value, cls):
            return True
        return any(m._value_ == value for m in cls)

    def __getitem__(cls, name):
        return cls._member_map_[name]

    def __repr__(cls):
        return f"<enum {cls.__name__!r}>"

    @property
    def __members__(cls):
        return dict(cls._member_map_)


EnumMeta = EnumType


def _is_member(name, value):
    if name.startswith("_") and name.endswith("_") or name.startswith("__"):
        return False
    if isinstance(value, nonmember) or isinstance(value, type):
        return False
    return isinstance(value, (auto, member)) or not hasattr(value, "__get__")


def _is_builtin(cls):
    return cls.__module__ == "builtins"


def _new_member(cls, args):
    # The first class of the MRO that knows how to make one.
    for base in cls.__mro__:
        if "__new__" in base.__dict__ and not _is_builtin(base):
            return base.__new__(cls, *args)
    if issubclass(cls, str):
        return str.__new__(cls, *args)
    if issubclass(cls, tuple):
        return tuple.__new__(cls, *args)
    return _new_instance(cls)


def _use_enum_text(cls):
    # A mixed-in type's own repr and str do not show in members.
    if any("_keeps_text_" in base.__dict__ for base in cls.__mro__):
        return
    for name in ("__repr__", "__str__", "__format__"):
        for base in cls.__mro__:
            if name in base.__dict__:
                if _is_builtin(base):
                    setattr(cls, name, Enum.__dict__[name])
                break


class Enum(metaclass=EnumType):
    def __init_subclass__(cls, **kwargs):
        cls._member_map_ = {}
        cls._member_names_ = []
        cls._member_map_.update(getattr(cls.__bases__[-1], "_member_map_", {}))
        if cls._member_map_:
            raise TypeError(f"{cls.__name__} cannot extend an enumeration with members")
        if issubclass(cls, (int, float)):
            for name, method in _NUMBER_METHODS.items():
                if not any(
                    name in base.__dict__
                    for base in cls.__mro__
                    if not _is_builtin(base)
                ):
                    setattr(cls, name, method)
        _use_enum_text(cls)
        values = []
        for name, value in list(cls.__dict__.items()):
            if not _is_member(name, value):
                if isinstance(value, nonmember):
                    setattr(cls, name, value.value)
                continue
            if isinstance(value, member):
                value = value.value
            if isinstance(value, auto):
                generate = cls._generate_next_value_
                value = generate(name, 1, len(values), list(values))
            values.append(value)
            cls._add_member(name, value)

    @classmethod
    def _add_member(cls, name, value):
        args = value if isinstance(value, tuple) else (value,)
        made = _new_member(cls, args)
        if "_value_" not in vars(made):
            object.__setattr__(made, "_value_", value)
        for known in cls._member_map_.values():
            if known._value_ == made._value_ and type(known._value_) is type(
                made._value_
            ):
                cls._member_map_[name] = known
                setattr(cls, name, known)
                return
        object.__setattr__(made, "_name_", name)
        object.__setattr__(made, "__objclass__", cls)
        if "__init__" in [
            n for b in cls.__mro__ if not _is_builtin(b) for n in b.__dict__
        ]:
            made.__init__(*args)
        cls._member_map_[name] = made
        cls._member_names_.append(name)
        setattr(cls, name, made)

    def __class_call__(cls, value=None, *args, **kwargs):
        if args or kwargs or not cls._member_map_:
            _refuse("the functional interface of enum is not evaluated")
        if isinstance(value, cls):
            return value
        for known in cls._member_map_.values():
            if known._value_ == value:
                return known
        found = cls._missing_(value)
        if isinstance(found, cls):
            return found
        raise ValueError(f"{value!r} is not a valid {cls.__qualname__}")

    @staticmethod
    def _generate_next_value_(name, start, count, last_values):
        return max(last_values) + 1 if last_values else start

    @classmethod
    def _missing_(cls, value):
        return None

    @property
    def name(self):
        return self._name_

    @property
    def value(self):
        return self._value_

    def __repr__(self):
        return f"<{type(self).__name__}.{self._name_}: {self._value_!r}>"

    def __str__(self):
        return f"{type(self).__name__}.{self._name_}"

    def __format__(self, spec):
        return format(str(self), spec)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


class ReprEnum(Enum):
    _keeps_text_ = True


def _number(value):
    return value._value_ if isinstance(value, Enum) else value


_NUMBER_METHODS = {
    "__int__": lambda self: int(self._value_),
    "__index__": lambda self: self._value_,
    "__float__": lambda self: float(self._value_),
    "__bool__": lambda self: bool(self._value_),
    "__hash__": lambda self: hash(self._value_),
    "__eq__": lambda self, other: self._value_ == _number(other),
    "__ne__": lambda self, other: self._value_ != _number(other),
    "__lt__": lambda self, other: self._value_ < _number(other),
    "__le__": lambda self, other: self._value_ <= _number(other),
    "__gt__": lambda self, other: self._value_ > _number(other),
    "__ge__": lambda self, other: self._value_ >= _number(other),
    "__add__": lambda self, other: self._value_ + _number(other),
    "__radd__": lambda self, other: _number(other) + self._value_,
    "__sub__": lambda self, other: self._value_ - _number(other),
    "__rsub__": lambda self, other: _number(other) - self._value_,
    "__mul__": lambda self, other: self._value_ * _number(other),
    "__rmul__": lambda self, other: _number(other) * self._value_,
    "__truediv__": lambda self, other: self._value_ / _number(other),
    "__floordiv__": lambda self, other: self._value_ // _number(other),
    "__mod__": lambda self, other: self._value_ % _number(other),
    "__neg__": lambda self: -self._value_,
    "__and__": lambda self, other: self._value_ & _number(other),
    "__or__": lambda self, other: self._value_ | _number(other),
}


class IntEnum(int, ReprEnum):
    def __str__(self):
        return str(self._value_)

    def __format__(self, spec):
        return format(self._value_, spec)


class StrEnum(str, ReprEnum):
    @staticmethod
    def _generate_next_value_(name, start, count, last_values):
        return name.lower()

    def __str__(self):
        return self._value_

    def __format__(self, spec):
        return format(self._value_, spec)


class Flag(Enum):
    @staticmethod
    def _generate_next_value_(name, start, count, last_values):
        return 2 * max(last_values) if last_values else start

    @classmethod
    def _missing_(cls, value):
        if not isinstance(value, int):
            return None
        made = _new_instance(cls)
        object.__setattr__(made, "_value_", value)
        names = [n for n in cls._member_names_ if cls._member_map_[n]._value_ & value]
        object.__setattr__(made, "_name_", "|".join(names) if names else None)
        cls._member_map_[f"_{value}"] = made
        return made

    def __or__(self, other):
        return type(self)(self._value_ | _number(other))

    def __and__(self, other):
        return type(self)(self._value_ & _number(other))

    def __xor__(self, other):
        return type(self)(self._value_ ^ _number(other))

    def __invert__(self):
        every = 0
        for known in type(self):
            every |= known._value_
        return type(self)(every & ~self._value_)

    def __contains__(self, other):
        return other._value_ & self._value_ == other._value_

    def __bool__(self):
        return bool(self._value_)


class IntFlag(int, Flag):
    _keeps_text_ = True


def unique(enumeration):
    if len(enumeration._member_map_) != len(enumeration._member_names_):
        raise ValueError(f"duplicate values found in {enumeration!r}")
    return enumeration
