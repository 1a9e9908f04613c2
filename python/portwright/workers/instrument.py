"""Watches and feeds the modules of an mlx model while it runs.

An instance gets a subclass of its own class whose __call__ records the first
array that comes in and goes out, and may replace the first. Nothing else about
the model changes, and leaving the context restores every class.
"""

import inspect
import re


def first_array(value, mx):
    if isinstance(value, mx.array):
        return value
    if isinstance(value, (tuple, list)):
        for item in value:
            found = first_array(item, mx)
            if found is not None:
                return found
    return None


def arrays_of(value, mx):
    """All arrays of a module's output, in order."""
    if isinstance(value, mx.array):
        return [value]
    if isinstance(value, (tuple, list)):
        return [array for item in value for array in arrays_of(item, mx)]
    return []


def _fits(value, array):
    """One shape, or tokens as rows on one side: the last axis and size agree."""
    if array.shape == value.shape:
        return True
    ranks_differ = len(array.shape) != len(value.shape)
    return (
        ranks_differ and array.size == value.size and array.shape[-1] == value.shape[-1]
    )


def _replace_first(args, kwargs, array, mx):
    """args and kwargs with their first array replaced, where the shapes allow, and
    with it wherever else it is given: it may be keys, values and queries at once."""
    arrays = (v for v in (*args, *kwargs.values()) if isinstance(v, mx.array))
    first = next(arrays, None)
    if first is None or not _fits(first, array):
        return args, kwargs
    fed = array.reshape(first.shape).astype(first.dtype)

    def replaced(value):
        return fed if value is first else value

    return [replaced(v) for v in args], {k: replaced(v) for k, v in kwargs.items()}


def _replace_answer(result, array, mx):
    """A module's result with its first array replaced, where the shapes allow."""
    if isinstance(result, mx.array):
        fits = _fits(result, array)
        return array.reshape(result.shape).astype(result.dtype) if fits else result
    if isinstance(result, (tuple, list)):
        parts = list(result)
        for i, part in enumerate(parts):
            if isinstance(part, mx.array):
                parts[i] = _replace_answer(part, array, mx)
                return type(result)(parts) if type(result) in (tuple, list) else result
    return result


def _replace_mask(cls, args, kwargs, allowed, mx, whole=False):
    """args and kwargs with the argument `mask` saying what is `allowed`, in the
    form that it has; without it, for None. `whole`: it is as wide as the keys."""
    names = list(inspect.signature(cls.__call__).parameters)[1:]
    if "mask" not in names:
        return args, kwargs
    args = list(args)
    at = names.index("mask")
    given = args[at] if at < len(args) else kwargs.get("mask")
    if allowed is None or isinstance(allowed, str):
        if at < len(args):
            args[at] = allowed
        return args, {k: allowed if k == "mask" else v for k, v in kwargs.items()}
    mask = allowed.astype(mx.bool_)
    if isinstance(given, mx.array) and mask.shape[-2] > 1 and not whole:
        # What a cache has forgotten lies before all that it holds.
        mask = mask[..., -given.shape[-1] :]
    if isinstance(given, mx.array) and mx.issubdtype(given.dtype, mx.floating):
        mask = mx.where(mask, 0.0, mx.finfo(given.dtype).min).astype(given.dtype)
    if at < len(args):
        args[at] = mask
        return args, kwargs
    return args, {**kwargs, "mask": mask}


def _mask_of(cls, args, kwargs, mx):
    """The array that is given as `mask`, or None."""
    names = list(inspect.signature(cls.__call__).parameters)[1:]
    given = kwargs.get("mask")
    if "mask" in names[: len(args)]:
        given = args[names.index("mask")]
    return given if isinstance(given, mx.array) else None


def _stacked(module, mx):
    """How many experts' weights it holds, itself or right below. Kernels of a
    convolution by channel and slopes of heads are no more than matrices."""
    near = [module, *module.children().values()]
    values = [a for m in near if isinstance(m, dict) for a in m.values()]
    arrays = [a for a in values if isinstance(a, mx.array)]
    stacks = [a for a in arrays if sum(n > 1 for n in a.shape) > 2]
    return min((a.shape[0] for a in stacks), default=0)


class Instrument:
    """Records `in:PATH`, `out:PATH` and, of modules that are told which experts
    to use, `routes:PATH` and their number `experts:PATH`; of those given an array as
    mask, `kept:PATH`, whether they left it as it was; a repeated call adds `#2`, `#3`. Injected are `in:PATH`, `mask:PATH`, and `out:PATH` after the module's
    own has been recorded."""

    entered = None  # the one that records now
    masked = None  # the kind of cache that an injected mask came from

    def __init__(self, model, mx, capture=None, inject=None, unmasked=(), asked=None):
        """`unmasked`: paths of modules that are given no mask; `asked`: {path:
        function of the number of tokens} of those that are given what it answers."""
        self.mx = mx
        self.unmasked = unmasked
        self.asked = asked or {}
        self.model = model
        self.tensors = {}
        self.order = []
        self.dtypes = {}
        self.answers = {}  # key: [[dtype, shape]] of several outputs
        self.prefix = ""
        self.inject = inject or {}
        self._calls = {}
        self._capture = re.compile(capture or "(?!)")
        self._restore = []

    def __enter__(self):
        Instrument.entered = self
        seen = set()
        for path, module in self.model.named_modules():
            if not path or id(module) in seen:
                continue
            seen.add(id(module))
            injected = any(self._feeds(k, path) for k in self.inject)
            injected = injected or path in self.unmasked or path in self.asked
            if injected or self._capture.fullmatch(path):
                cls = type(module)
                self._restore.append((module, cls))
                module.__class__ = self._subclass(module, path)
        return self

    def __exit__(self, *_):
        Instrument.entered = None
        for module, cls in self._restore:
            module.__class__ = cls

    def start(self, prefix):
        """Keys of the calls that follow begin with `prefix`."""
        self.prefix = prefix
        self._calls = {}

    @staticmethod
    def _feeds(key, path):
        return key.split(":", 1)[-1].split("#")[0] == path

    def _subclass(self, module, path):
        cls = type(module)
        mx = self.mx
        watch = self
        experts = _stacked(module, mx)

        def __call__(module, *args, **kwargs):
            n = watch._calls[path] = watch._calls.get(path, 0) + 1
            key = path if n == 1 else f"{path}#{n}"
            array = watch.inject.get(f"{watch.prefix}in:{key}")
            if array is not None and not experts:  # whose rows may be sorted
                args, kwargs = _replace_first(args, kwargs, array, mx)
            mask = watch.inject.get(f"{watch.prefix}mask:{key}")
            asked = path in watch.asked
            if asked:
                mask = watch.asked[path]
            if callable(mask):  # of as many tokens as are given
                mask = mask(first_array(args, mx).shape[1])
            if mask is not None or asked or path in watch.unmasked:
                args, kwargs = _replace_mask(cls, args, kwargs, mask, mx, asked)
            entered = first_array([*args, *kwargs.values()], mx)
            watch._store("in:" + key, entered)
            if experts:
                watch._store_routes(key, args, experts)
            watch.order.append(key)
            mask = _mask_of(cls, args, kwargs, mx)
            before = None if mask is None else mx.array(mask)
            result = cls.__call__(module, *args, **kwargs)
            if mask is not None:
                kept = mx.array_equal(before, mask)
                watch._store("kept:" + key, kept.astype(mx.float32))
            answers = arrays_of(result, mx)
            watch._store("out:" + key, next(iter(answers), None))
            if len(answers) > 1:
                watch.answers[watch.prefix + key] = [
                    [str(a.dtype).removeprefix("mlx.core."), a.shape] for a in answers
                ]
            watch._store_choice(key, result)
            answer = watch.inject.get(f"{watch.prefix}out:{key}")
            if answer is not None:
                result = _replace_answer(result, answer, mx)
            return result

        return type(
            cls.__name__, (cls,), {"__call__": __call__, "__module__": cls.__module__}
        )

    def _store(self, key, array):
        if array is not None:
            self.tensors[self.prefix + key] = array
            self.dtypes[self.prefix + key] = str(array.dtype).removeprefix("mlx.core.")

    def _store_choice(self, key, result):
        """What a router answers: experts, and their weights in the same shape."""
        parts = result if isinstance(result, (tuple, list)) else ()
        arrays = [a for a in parts if isinstance(a, self.mx.array) and a.ndim > 1]
        whole = [a for a in arrays if self.mx.issubdtype(a.dtype, self.mx.integer)]
        for weights in arrays:
            if whole and weights is not whole[0] and weights.shape == whole[0].shape:
                self._store("chosen:" + key, whole[0].astype(self.mx.float32))
                self._store("weighed:" + key, weights)
                return

    def _store_routes(self, key, args, experts):
        """The outermost module that is told decides; those below only obey."""
        told = [k.split("routes:")[1] for k in self.tensors if "routes:" in k]
        if any(key.startswith(path + ".") for path in told):
            return
        for value in args:
            if isinstance(value, self.mx.array) and value.ndim > 1:
                if self.mx.issubdtype(value.dtype, self.mx.integer):
                    self._store("routes:" + key, value.astype(self.mx.float32))
                    self._store("experts:" + key, self.mx.array([float(experts)]))
                    return
