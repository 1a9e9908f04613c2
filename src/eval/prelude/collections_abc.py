from abc import ABCMeta as _ABCMeta

from _portwright import GenericAlias, dict_items, dict_keys, dict_values


class _AbstractType(_ABCMeta):
    # `_methods`: having them all makes an instance; `_registered`: classes that
    # are instances whatever they define.
    def __instancecheck__(cls, instance):
        own = cls.__dict__
        if isinstance(instance, own.get("_registered", ())):
            return True
        methods = own.get("_methods")
        if not methods:
            return False
        if methods == ("__call__",):
            return callable(instance)
        kind = type(instance)
        return all(getattr(kind, name, None) is not None for name in methods)

    def register(cls, subclass):
        cls._registered = cls.__dict__.get("_registered", ()) + (subclass,)
        return subclass


class _Abstract(metaclass=_AbstractType):
    __class_getitem__ = classmethod(GenericAlias)


class Hashable(_Abstract):
    _methods = ("__hash__",)


class Callable(_Abstract):
    _methods = ("__call__",)


class Sized(_Abstract):
    _methods = ("__len__",)


class Container(_Abstract):
    _methods = ("__contains__",)


class Iterable(_Abstract):
    _methods = ("__iter__",)


class Iterator(Iterable):
    _methods = ("__iter__", "__next__")

    def __iter__(self):
        return self


class Generator(Iterator):
    _methods = ("send", "throw", "close", "__iter__", "__next__")


class Reversible(Iterable):
    _methods = ("__reversed__", "__iter__")


class Collection(Sized, Iterable, Container):
    _methods = ("__len__", "__iter__", "__contains__")


class Awaitable(_Abstract):
    _methods = ("__await__",)


class Coroutine(Awaitable):
    _methods = ("__await__", "send", "throw", "close")


class AsyncIterable(_Abstract):
    _methods = ("__aiter__",)


class AsyncIterator(AsyncIterable):
    _methods = ("__aiter__", "__anext__")


class AsyncGenerator(AsyncIterator):
    _methods = ("__aiter__", "__anext__", "asend", "athrow")


class Buffer(_Abstract):
    _registered = (bytes,)


ByteString = Buffer


class Sequence(Reversible, Collection):
    _registered = (list, tuple, str, range, bytes)

    def __iter__(self):
        return iter([self[i] for i in range(len(self))])

    def __contains__(self, value):
        return any(item is value or item == value for item in self)

    def __reversed__(self):
        return iter([self[i] for i in reversed(range(len(self)))])

    def index(self, value, start=0, stop=None):
        for i in range(start, len(self) if stop is None else stop):
            if self[i] is value or self[i] == value:
                return i
        raise ValueError

    def count(self, value):
        return sum(1 for item in self if item is value or item == value)


class MutableSequence(Sequence):
    _registered = (list,)

    def append(self, value):
        self.insert(len(self), value)

    def clear(self):
        while len(self):
            self.pop()

    def reverse(self):
        self[:] = list(reversed(self))

    def extend(self, values):
        for value in list(values):
            self.append(value)

    def pop(self, index=-1):
        value = self[index]
        del self[index]
        return value

    def remove(self, value):
        del self[self.index(value)]

    def __iadd__(self, values):
        self.extend(values)
        return self


class Set(Collection):
    _registered = (set, frozenset, dict_keys, dict_items)

    @classmethod
    def _from_iterable(cls, items):
        return cls(items)

    def __le__(self, other):
        return len(self) <= len(other) and all(item in other for item in self)

    def __lt__(self, other):
        return len(self) < len(other) and self <= other

    def __ge__(self, other):
        return len(self) >= len(other) and all(item in self for item in other)

    def __gt__(self, other):
        return len(self) > len(other) and self >= other

    def __eq__(self, other):
        return len(self) == len(other) and self <= other

    def __and__(self, other):
        return self._from_iterable([item for item in other if item in self])

    def __or__(self, other):
        return self._from_iterable([*self, *other])

    def __sub__(self, other):
        return self._from_iterable([item for item in self if item not in other])

    def isdisjoint(self, other):
        return not any(item in self for item in other)


class MutableSet(Set):
    _registered = (set,)

    def remove(self, value):
        if value not in self:
            raise KeyError(value)
        self.discard(value)

    def clear(self):
        for item in list(self):
            self.discard(item)

    def __ior__(self, other):
        for item in other:
            self.add(item)
        return self


class MappingView(Sized):
    _registered = (dict_keys, dict_values, dict_items)


class KeysView(MappingView, Set):
    _registered = (dict_keys,)


class ItemsView(MappingView, Set):
    _registered = (dict_items,)


class ValuesView(MappingView, Collection):
    _registered = (dict_values,)


class Mapping(Collection):
    _registered = (dict,)

    def get(self, key, default=None):
        try:
            return self[key]
        except KeyError:
            return default

    def __contains__(self, key):
        try:
            self[key]
        except KeyError:
            return False
        return True

    def keys(self):
        return {key: self[key] for key in self}.keys()

    def items(self):
        return {key: self[key] for key in self}.items()

    def values(self):
        return {key: self[key] for key in self}.values()

    def __eq__(self, other):
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(self.items()) == dict(other.items())


_missing = object()


class MutableMapping(Mapping):
    _registered = (dict,)

    def pop(self, key, default=_missing):
        try:
            value = self[key]
        except KeyError:
            if default is _missing:
                raise
            return default
        del self[key]
        return value

    def popitem(self):
        for key in self:
            value = self[key]
            del self[key]
            return key, value
        raise KeyError

    def clear(self):
        for key in list(self):
            del self[key]

    def update(self, other=(), /, **kwargs):
        for key, value in dict(other, **kwargs).items():
            self[key] = value

    def setdefault(self, key, default=None):
        try:
            return self[key]
        except KeyError:
            self[key] = default
        return default
