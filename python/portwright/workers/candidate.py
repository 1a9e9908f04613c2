"""The other side: a port running in mlx_lm exactly as mlx_lm runs it."""

import copy
import itertools
import sys
import types
from pathlib import Path

from . import emulation, streamed_candidate
from .instrument import Instrument
from .module_lines import lines_of
from .protocol import WorkerError

_counter = itertools.count(1)


def import_port(path):
    """A fresh module from a file, as a member of mlx_lm.models."""
    import mlx_lm.models  # noqa: F401

    source = Path(path).read_text(encoding="utf-8")
    name = f"mlx_lm.models.portwright_{next(_counter)}"
    module = types.ModuleType(name)
    module.__file__ = str(path)
    module.__package__ = "mlx_lm.models"
    sys.modules[name] = module  # dataclasses look their module up
    try:
        # Compiled here: a .pyc could be stale when a file is rewritten in a second.
        exec(compile(source, str(path), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    for needed in ("Model", "ModelArgs"):
        if not hasattr(module, needed):
            raise WorkerError("port-invalid", f"{path} defines no class {needed}")
    return module


class Candidate:
    """One loaded model and the ways the battery runs it.

    It computes in `dtype`, whatever its weights are stored in: torch does too.
    `streamed`: a layer has weights only while it is called. `lazy`: nothing is read
    before it is used.
    """

    def __init__(
        self,
        checkpoint,
        port=None,
        dtype="float32",
        strict=True,
        streamed=False,
        lazy=False,
    ):
        import mlx.core as mx

        emulation.install(mx)
        self.mx = mx
        self.again = lambda: Candidate(
            checkpoint, port, dtype, strict, streamed, lazy
        ).keep(self.kept)
        self.kept = {}
        self.module = None
        self.checkpoint = Path(checkpoint)
        self.dtype = dtype
        self._options = {"lazy": streamed or lazy, "strict": strict}
        if port is not None:
            self.module = import_port(port)
            classes = (self.module.Model, self.module.ModelArgs)
            self._options["get_model_classes"] = lambda config: classes
            self._options["model_config"] = {"model_file": None}
        else:
            self._options["trust_remote_code"] = True
        self.streamer = None
        if streamed:
            streamed_candidate.allow_many_files()
        self.model, self.config = self._read()
        if self.module is None:
            self.module = sys.modules.get(type(self.model).__module__)
        if streamed:
            self.streamer = streamed_candidate.Streamer(
                self.model, self.layer_paths(), self._fresh
            )
        elif not lazy:
            mx.eval(self.model.parameters())

    def _read(self):
        """The model as mlx_lm loads it, in `dtype`, and its config."""
        from mlx_lm import utils

        model, config = utils.load_model(self.checkpoint, **self._options)
        self._cast(model, getattr(self.mx, self.dtype))
        return model, config

    def _fresh(self):
        """All parameters once more, none of them evaluated."""
        from mlx.utils import tree_flatten

        model, _ = self._read()
        self.keep(self.kept, model)
        return dict(tree_flatten(model.parameters()))

    def _cast(self, model, dtype):
        """As mlx_lm.convert casts: floats that the model lets be cast. In float32
        all of them are, which loses nothing."""
        from mlx.utils import tree_map_with_path

        mx = self.mx
        allow = getattr(model, "cast_predicate", lambda _: True)

        def change(path, value):
            floating = mx.issubdtype(value.dtype, mx.floating)
            cast = floating and (dtype == mx.float32 or allow(path))
            return value.astype(dtype) if cast else value

        model.update(tree_map_with_path(change, model.parameters()))

    def keep(self, dtypes, model=None):
        """Parameters {path: dtype} that the source computes with in another dtype
        than the rest, whatever it was loaded in. Returns self."""
        from mlx.utils import tree_map_with_path

        self.kept = dtypes
        if model is None:
            model = self.model
            if self.streamer:
                self.streamer.forget()

        def change(path, value):
            known = path in dtypes
            return value.astype(getattr(self.mx, dtypes[path])) if known else value

        if dtypes:
            model.update(tree_map_with_path(change, model.parameters()))
        return self

    def lines(self):
        """{path: {class, file, line, call}} of every module."""
        return lines_of(self.model, self.module)

    def array(self, ids):
        return self.mx.array(ids)

    def layer_paths(self):
        """The paths of the decoder layers, in order."""
        wanted = {id(layer): i for i, layer in enumerate(self.model.layers)}
        found = {}
        for path, module in self.model.named_modules():
            if id(module) in wanted and path:
                found.setdefault(wanted[id(module)], path)
        return [found[i] for i in sorted(found)]

    def forward(self, ids, capture=None, inject=None, cache=False, unmasked=()):
        """ids (B, T). Returns ({"logits": (B, T, V), ...}, watch). Modules in
        `unmasked` are given no mask."""
        prompt_cache = self.new_cache() if cache else None
        with Instrument(self.model, self.mx, capture, inject, unmasked) as watch:
            logits = self.model(self.array(ids), cache=prompt_cache)
            self.mx.eval(logits, list(watch.tensors.values()))
        return {"logits": logits, **watch.tensors}, watch

    def new_cache(self):
        from mlx_lm.models.cache import make_prompt_cache

        return make_prompt_cache(self.model)

    def cache_kinds(self):
        return [type(c).__name__ for c in self.new_cache()]

    def windows(self):
        """The sizes of the caches that forget."""
        made = [i for c in self.new_cache() for i in getattr(c, "caches", [c])]
        return sorted({c.max_size for c in made if hasattr(c, "max_size")})

    def other_cache(self, sizes):
        """New caches, those of the layers in `sizes` {layer: size} exchanged: for
        a rotating one of that size, or for one that keeps all (0)."""
        from mlx_lm.models.cache import KVCache, RotatingKVCache

        cache = self.new_cache()
        for layer, size in sizes.items():
            made = RotatingKVCache(max_size=size) if size else KVCache()
            cache[int(layer)] = made
        return cache

    def decode(
        self,
        ids,
        prefill,
        chunk=None,
        capture=None,
        inject=None,
        sizes=None,
        unmasked=(),
        masked=None,
    ):
        """ids (B, T): `prefill` tokens (in chunks), then single steps.

        logits: (B, T - prefill + 1, V), after the prefill and after each step;
        prefill_logits: (B, prefill, V). Captures of step n begin with `stepN/`,
        step 0 being the prefill. `masked` [path, layer]: that module gets the mask
        which the cache of its layer asks for.
        """
        mx = self.mx
        ids = self.array(ids)
        cache = self.other_cache(sizes or {})
        asked = {masked[0]: self._mask_maker(cache[masked[1]])} if masked else {}
        with Instrument(self.model, mx, capture, inject, unmasked, asked) as watch:
            parts = []
            size = chunk or prefill
            for start in range(0, prefill, size):
                watch.start("step0/" if not chunk else f"chunk{start // size}/")
                end = min(start + size, prefill)
                parts.append(self.model(ids[:, start:end], cache=cache))
                mx.eval(parts[-1], [c.state for c in cache])
            prefill_logits = mx.concatenate(parts, axis=1)
            steps = [prefill_logits[:, -1:]]
            for t in range(prefill, ids.shape[1]):
                watch.start(f"step{t - prefill + 1}/")
                steps.append(self.model(ids[:, t : t + 1], cache=cache))
                mx.eval(steps[-1])
            mx.eval(list(watch.tensors.values()))
        logits = mx.concatenate(steps, axis=1)
        out = {"logits": logits, "prefill_logits": prefill_logits}
        return {**out, **watch.tensors}, watch

    def reached_lines(self, ids, prefill):
        """The lines of the port's file that loading, a prefill and steps run."""
        file = self.module.__file__
        lines = set()

        def local(frame, event, _):
            lines.add(frame.f_lineno)
            return local

        def trace(frame, event, _):
            return local if frame.f_code.co_filename == file else None

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            self.again().decode(ids, prefill)
        finally:
            sys.settrace(before)
        return lines

    def batch(self, prompts, steps, chunk=2048, capture=None, masked=None):
        """Unequal prompts together, as batch_generate runs them, then `steps`.

        `steps` (B, S) are the forced next tokens. Returns logits (B, S + 1, V):
        after the prompt's last token, and after each step. Captures of piece n of
        the prompts begin with `pieceN/`, those of step n with `stepN/`. `masked`
        [path, layer, part]: that module gets the mask which its layer's cache, or a
        part of it, asks for; the kind of that cache is the watch's `masked`.
        """
        from mlx_lm.generate import PromptProcessingBatch

        mx = self.mx
        caches = [self.new_cache() for _ in prompts]
        columns = [[p[-1] for p in prompts], *zip(*steps)]
        out = []
        inject = {f"mask:{masked[0]}": None} if masked else None
        with Instrument(self.model, mx, capture, inject) as watch:
            watch.inject = {}

            def run(prefix, ids, cache):
                watch.start(prefix)
                if masked:
                    part = self._part(cache[masked[1]], masked[2])
                    watch.inject[f"{prefix}mask:{masked[0]}"] = part.make_mask
                    watch.masked = type(part).__name__
                logits = self.model(ids, cache=cache)
                mx.eval(list(watch.tensors.values()))
                return logits

            pieces = itertools.count()
            batch = PromptProcessingBatch(
                lambda ids, cache: run(f"piece{next(pieces)}/", ids, cache),
                list(range(len(prompts))),
                caches,
                prefill_step_size=chunk,
            )
            batch.prompt([p[:-1] for p in prompts])
            for n, column in enumerate(columns):
                ids = mx.array(list(column))[:, None]
                out.append(run(f"step{n}/", ids, batch.prompt_cache))
                mx.eval(out[-1])
        return {"logits": mx.concatenate(out, axis=1), **watch.tensors}, watch

    @staticmethod
    def _mask_maker(cache):
        def made(length):
            try:
                return cache.make_mask(length, return_array=True, window_size=None)
            except TypeError:  # of states
                return cache.make_mask(length)

        return made

    @staticmethod
    def _part(cache, part):
        parts = getattr(cache, "caches", [cache])
        if part >= len(parts):
            raise WorkerError("bad-request", f"a cache has no part {part}")
        return parts[part]

    def left_padded(self, prompts, pad=0, capture=None, masked=None):
        """Unequal prompts left-padded over batch caches: logits (B, T, V). `masked`
        as in `batch`."""
        from mlx_lm.models import cache as caches

        mx = self.mx
        longest = max(map(len, prompts))
        padding = [longest - len(p) for p in prompts]

        def batched(c):
            kind = type(c)
            if kind is caches.KVCache:
                return caches.BatchKVCache(padding)
            if kind is caches.RotatingKVCache and not c.keep:
                return caches.BatchRotatingKVCache(c.max_size, padding)
            if kind is caches.ArraysCache:
                c.left_padding = mx.array(padding)
                return c
            if kind is caches.CacheList:
                return caches.CacheList(*(batched(x) for x in c.caches))
            raise WorkerError(
                "unsupported-cache", f"{kind.__name__} has no batched form"
            )

        cache = [batched(c) for c in self.new_cache()]
        ids = mx.array([[pad] * n + list(p) for n, p in zip(padding, prompts)])
        feed = {}
        if masked:
            part = self._part(cache[masked[1]], masked[2])
            feed[f"mask:{masked[0]}"] = part.make_mask
        with Instrument(self.model, mx, capture, feed) as watch:
            if masked:
                watch.masked = type(part).__name__
            logits = self.model(ids, cache=cache)
            mx.eval(logits, list(watch.tensors.values()))
        return {"logits": logits, **watch.tensors}, watch

    def deepcopied(self, ids):
        """The logits of a deep copy of the model."""
        twin = copy.deepcopy(self.model)
        logits = twin(self.array(ids))
        self.mx.eval(logits)
        return {"logits": logits}

    def speed(self, ids, tokens):
        """{prefill, step, peak}: seconds, the least of several, since a machine
        at work only adds to them; bytes of memory."""
        import time

        mx = self.mx
        mx.reset_peak_memory()
        prefills, steps = [], []
        for _ in range(5):
            cache = self.new_cache()
            begin = time.perf_counter()
            logits = self.model(mx.array([ids]), cache=cache)
            mx.eval(logits)
            prefills.append(time.perf_counter() - begin)
            for _ in range(tokens):
                token = mx.argmax(logits[:, -1:], axis=-1)
                begin = time.perf_counter()
                logits = self.model(token, cache=cache)
                mx.eval(logits)
                steps.append(time.perf_counter() - begin)
        return {
            "prefill": min(prefills),
            "step": min(steps),
            "peak": mx.get_peak_memory(),
        }

    def generate(self, ids, tokens):
        """Greedy continuation of one prompt through mlx_lm.generate_step."""
        from mlx_lm.generate import generate_step

        steps = generate_step(self.mx.array(ids), self.model, max_tokens=tokens)
        return [int(token) for token, _ in steps]
