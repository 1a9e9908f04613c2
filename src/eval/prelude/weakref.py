# References here keep their objects: nothing is collected while evaluating.
from _portwright import refuse as _refuse


class ref:
    def __init__(self, obj, callback=None):
        self._obj = obj

    def __call__(self):
        return self._obj

    def __eq__(self, other):
        return isinstance(other, ref) and self._obj is other._obj

    def __hash__(self):
        return hash(self._obj)


WeakMethod = ref
ReferenceType = ref


def proxy(obj, callback=None):
    return obj


class WeakKeyDictionary(dict):
    pass


class WeakValueDictionary(dict):
    pass


class WeakSet(set):
    pass


def finalize(obj, func, *args, **kwargs):
    _refuse("'weakref.finalize' is not evaluated")
