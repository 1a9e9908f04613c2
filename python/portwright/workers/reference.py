"""The gold standard: torch and transformers, on CPU."""

import functools
import inspect
import re
import sys
from contextlib import nullcontext

from . import construction, offline
from .streamed_reference import weights_on_disk

offline.environment()


def tensors_of(value, torch):
    """The first tensor of a module's output, or None."""
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, (tuple, list)):
        for item in value:
            found = tensors_of(item, torch)
            if found is not None:
                return found
    if hasattr(value, "last_hidden_state"):
        return value.last_hidden_state
    if hasattr(value, "logits"):
        return value.logits
    return None


def answers_of(value, torch):
    """[[dtype, shape]] of all tensors of a module's output, in order."""
    if isinstance(value, torch.Tensor):
        return [[str(value.dtype).removeprefix("torch."), list(value.shape)]]
    if isinstance(value, (tuple, list)):
        return [answer for item in value for answer in answers_of(item, torch)]
    return []


class Functions:
    """Records, while it is entered, what functions of a module's file are given and
    answer inside the module at `path`: `given:N/I` and `made:N/I` of the N-th call."""

    def __init__(self, model, path, record):
        self._module = model.get_submodule(path)
        self._record = record
        self._inside = False
        self._calls = 0
        self._replaced = {}

    def __enter__(self):
        def begin(*_):
            self._inside, self._calls = True, 0

        def end(*_):
            self._inside = False

        self._handles = [
            self._module.register_forward_pre_hook(begin),
            self._module.register_forward_hook(end),
        ]
        file = sys.modules[type(self._module).__module__]
        for name, function in list(vars(file).items()):
            if inspect.isfunction(function) and function.__module__ == file.__name__:
                self._replaced[name] = function
                setattr(file, name, self._recorded(function))
        self._file = file
        return self

    def _recorded(self, function):
        @functools.wraps(function)
        def recorded(*args, **kwargs):
            if not self._inside:
                return function(*args, **kwargs)
            n = self._calls
            self._calls += 1
            self._store(f"given:{n}", (*args, *kwargs.values()))
            answer = function(*args, **kwargs)
            self._store(f"made:{n}", answer if isinstance(answer, tuple) else (answer,))
            return answer

        return recorded

    def _store(self, key, values):
        torch = self._record.torch
        tensors = [v for v in values if torch.is_tensor(v) and v.is_floating_point()]
        for i, value in enumerate(tensors):
            self._record._store(f"{key}/{i}", value)

    def __exit__(self, *_):
        for handle in self._handles:
            handle.remove()
        for name, function in self._replaced.items():
            setattr(self._file, name, function)


class Capture:
    """Records inputs and outputs of modules by path while it is entered.

    Keys are `in:PATH`, `out:PATH` and, where a module with stacked weights is
    told which experts to use, `routes:PATH`; a module called again adds `#2`, `#3`.
    `prefix` is put before every key (for example `step3/`).
    """

    def __init__(self, model, pattern, torch):
        self.torch = torch
        self.tensors = {}
        self.answers = {}  # key: [[dtype, shape]] of several outputs
        self.order = []
        self.prefix = ""
        self._calls = {}
        self._handles = []
        self._wanted = re.compile(pattern)
        self._model = model

    def __enter__(self):
        for path, module in self._model.named_modules():
            if path and self._wanted.fullmatch(path):
                hook = self._hook(path)
                self._handles.append(
                    module.register_forward_pre_hook(hook[0], with_kwargs=True)
                )
                self._handles.append(module.register_forward_hook(hook[1]))
        return self

    def __exit__(self, *_):
        for handle in self._handles:
            handle.remove()

    def start(self, prefix):
        self.prefix = prefix
        self._calls = {}

    def _hook(self, path):
        def before(module, args, kwargs):
            n = self._calls[path] = self._calls.get(path, 0) + 1
            key = path if n == 1 else f"{path}#{n}"
            value = tensors_of(args, self.torch)
            if value is None:
                value = kwargs.get("hidden_states")
            self._store("in:" + key, value)
            self._store_mask(key, kwargs.get("attention_mask"))
            if any(p.ndim > 2 for p in module.parameters(recurse=False)):
                self._store_routes(key, (*args, *kwargs.values()))
            self.order.append(key)

        def after(module, args, output):
            n = self._calls.get(path, 1)
            key = path if n == 1 else f"{path}#{n}"
            self._store("out:" + key, tensors_of(output, self.torch))
            answers = answers_of(output, self.torch)
            if len(answers) > 1:
                self.answers[self.prefix + key] = answers

        return before, after

    def _store_mask(self, key, mask):
        """1 where a query may look, 0 where it may not: (B, 1, L, S)."""
        if self.torch.is_tensor(mask) and mask.ndim == 4:
            allowed = mask if mask.dtype == self.torch.bool else mask > -1e4
            self._store("mask:" + key, allowed.float())

    def _store_routes(self, key, values):
        """The experts that a module holding their weights is told to use, and
        the weights of their answers."""
        tensors = [v for v in values if self.torch.is_tensor(v) and v.ndim > 1]
        whole = (self.torch.int64, self.torch.int32)
        routes = next((v for v in tensors if v.dtype in whole), None)
        if routes is None:
            return
        self._store("routes:" + key, routes.float())
        for value in tensors:
            if value.dtype not in whole and value.shape == routes.shape:
                self._store("weights:" + key, value.float())
                return

    def _store(self, key, value):
        if value is not None and self.torch.is_tensor(value):
            self.tensors[self.prefix + key] = value.detach().clone().contiguous()


def in_pieces(tensors, prefill, size):
    """What a prefill captured (`step0/...`), cut along its positions: `chunkN/...`."""
    out = {}
    starts = list(enumerate(range(0, prefill, size)))
    for key, value in tensors.items():
        if not key.startswith("step0/"):
            continue
        rest = key.removeprefix("step0/")
        axes = [i for i, n in enumerate(value.shape[:-1]) if n == prefill]
        if len(axes) > 1 and value.shape[0] == 1:
            axes = [i for i in axes if i == 1]
        if len(axes) != 1:
            continue
        for n, start in starts:
            piece = value.narrow(axes[0], start, min(size, prefill - start))
            if rest.startswith("mask:"):  # what it may see begins before it
                piece = piece[..., : start + size]
            out[f"chunk{n}/{rest}"] = piece.clone()
    return out


class Feed:
    """Gives modules, while it is entered, the first input that another run saw."""

    def __init__(self, model, tensors, torch):
        self.torch = torch
        self._handles = []
        for path, module in model.named_modules():
            given = tensors.get("in:" + path)
            if path and given is not None and given.is_floating_point():
                hook = self._hook(given)
                self._handles.append(
                    module.register_forward_pre_hook(hook, with_kwargs=True)
                )

    def _hook(self, given):
        calls = {"n": 0}

        def before(module, args, kwargs):
            calls["n"] += 1
            if calls["n"] > 1:  # what was seen is the first call's
                return None
            # It may be keys, values and queries at once.
            first = args[0] if args else None
            if not self.torch.is_tensor(first):
                first = kwargs.get("hidden_states")
            if not self.torch.is_tensor(first) or first.shape != given.shape:
                return None
            fed = given.to(first.dtype)

            def replaced(value):
                return fed if value is first else value

            return (
                tuple(replaced(v) for v in args),
                {name: replaced(v) for name, v in kwargs.items()},
            )

        return before

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for handle in self._handles:
            handle.remove()


class Answer:
    """Has modules, while it is entered, answer what they did in another run; what
    they made themselves is in `tensors` as `out:PATH`."""

    def __init__(self, model, answers, torch):
        self.torch = torch
        self.tensors = {}
        self._handles = [
            module.register_forward_hook(self._hook(path, answers[path].float()))
            for path, module in model.named_modules()
            if path in answers
        ]

    def _hook(self, path, given):
        calls = {"n": 0}

        def replaced(value):
            fits = value.shape == given.shape and value.is_floating_point()
            return given if fits else value

        def after(module, args, output):
            calls["n"] += 1
            whole = self.torch.is_tensor(output)
            parts = [output] if whole else output
            if calls["n"] > 1 or not isinstance(parts, (tuple, list)):
                return None
            at = next((i for i, p in enumerate(parts) if self.torch.is_tensor(p)), None)
            if at is None or replaced(parts[at]) is parts[at]:
                return None
            self.tensors["out:" + path] = parts[at].detach().clone()
            if whole:
                return given
            return type(output)([*parts[:at], given, *parts[at + 1 :]])

        return after

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for handle in self._handles:
            handle.remove()


class Reference:
    """One loaded model and the ways the battery runs it."""

    _begun = False  # whether it is known how generate() begins
    answers = {}  # {path: [[dtype, shape]]} of modules with several outputs, run last

    def __init__(self, folder, dtype="float32", trust_remote_code=False, scratch=None):
        """`scratch`: a folder for the weights, which then stay on disk."""
        offline.quiet()
        from transformers import AutoModelForCausalLM

        import torch

        self.torch = torch
        self.trusted = trust_remote_code
        options = {
            **offline.dtype_option(getattr(torch, dtype)),
            "attn_implementation": "eager",
            "trust_remote_code": trust_remote_code,
            "local_files_only": True,
        }
        load = AutoModelForCausalLM.from_pretrained
        on_disk = weights_on_disk(scratch, torch) if scratch else nullcontext()
        with on_disk:
            try:
                # Fused experts know no float64, and eager ones are what the source says.
                model = load(folder, experts_implementation="eager", **options)
            except (TypeError, ValueError):  # a library or a model without the choice
                model = load(folder, **options)
        if not scratch:
            construction.restore(model, torch, getattr(torch, dtype))
        self.model = model.eval()
        self.parameters = sum(p.numel() for p in model.parameters())
        offline.use_threads_for(self.parameters)
        generation = self.model.generation_config
        if generation is not None:
            generation.eos_token_id = None
            generation.do_sample = False

    def kept(self, dtype):
        """{name: dtype} of what the source keeps in another one than it was asked."""
        asked = getattr(self.torch, dtype)
        return {
            name: str(value.dtype).removeprefix("torch.")
            for name, value in self.model.state_dict().items()
            if value.is_floating_point() and value.dtype != asked
        }

    def _ids(self, ids):
        return self.torch.tensor(ids, dtype=self.torch.long)

    def _watch(self, capture, functions):
        """A record of modules, and of functions inside the one at `functions`."""
        record = Capture(self.model, capture or "(?!)", self.torch)
        inside = Functions(self.model, functions, record) if functions else None
        return record, inside or nullcontext()

    def forward(self, ids, mask=None, capture=None, use_cache=False, functions=None):
        """ids (B, T); mask (B, T) of 0 and 1. Returns {"logits": (B, T, V), ...}."""
        torch = self.torch
        kwargs = {"use_cache": use_cache}
        if mask is not None:
            mask = self._ids(mask)
            kwargs["attention_mask"] = mask
            # generate() derives positions from the mask, left padding at 1
            positions = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 0)
            if self._accepts("position_ids"):
                kwargs["position_ids"] = positions
        record, inside = self._watch(capture, functions)
        with torch.no_grad(), record, inside:
            logits = self.model(self._ids(ids), **kwargs).logits
        self.answers = record.answers
        return {"logits": logits.contiguous(), **record.tensors}, record.order

    def _accepts(self, name):
        parameters = inspect.signature(self.model.forward).parameters
        return name in parameters or any(
            p.kind is p.VAR_KEYWORD for p in parameters.values()
        )

    def decode(self, ids, prefill, mask=None, chunk=None, capture=None, functions=None):
        """ids (B, T): the first `prefill` columns at once, the rest step by step.

        Rows are decoded together, or by themselves where the model's own decoding
        mixes them. Returns {"logits": (B, T - prefill + 1, V), ...}.
        """
        out, order = self._decode(ids, prefill, mask, chunk, capture, functions)
        if len(ids) > 1 and mask is None and capture is None:
            together = out["logits"]
            first = self._decode(ids[:1], prefill, None, chunk, None)[0]["logits"]
            if (together[:1] - first).abs().max() > 1e-3 * first.abs().max():
                rows = [self._decode([row], prefill, None, chunk, None) for row in ids]
                out["logits"] = self.torch.cat([row["logits"] for row, _ in rows])
        return out, order

    def _generate(self, *args, **kwargs):
        """The library's, where a model has one of its own with another contract."""
        from transformers import GenerationMixin

        if not self._can_keep():
            kwargs["use_cache"] = False
        self._begin_as_it_knows()
        if isinstance(self.model, GenerationMixin):
            return GenerationMixin.generate(self.model, *args, **kwargs)
        return self.model.generate(*args, **kwargs)

    def _can_keep(self):
        """False where generate() cannot make a cache: it counts no layers."""
        from transformers import GenerationMixin

        own = type(self.model)._prepare_cache_for_generation
        return (
            hasattr(
                self.model.config.get_text_config(decoder=True), "num_hidden_layers"
            )
            or own is not GenerationMixin._prepare_cache_for_generation
        )

    def _begin_as_it_knows(self):
        """generate() begins without a cache where a model knows none of the library's
        and answers pairs of tensors, as all did once; with one that keeps all where
        the model knows no window that the library's takes from its config."""
        from transformers import DynamicCache, GenerationMixin

        from . import window

        own = type(self.model)._prepare_cache_for_generation
        if (
            self._begun
            or own is not GenerationMixin._prepare_cache_for_generation
            or not self.model._supports_default_dynamic_cache()
            or not self._can_keep()
        ):
            return
        self._begun = True

        def answers(cache):
            try:
                with self.torch.no_grad():
                    self.model(self._ids([[0]]), past_key_values=cache, use_cache=True)
            except (AttributeError, IndexError, TypeError, ValueError):
                return False
            return True

        config = self.model.config.get_text_config(decoder=True)
        named = "config" in inspect.signature(DynamicCache).parameters
        cache = DynamicCache(config=config) if named else DynamicCache()
        if answers(cache):
            if named and window.forgets_in_vain(self.model, config):
                self.model._prepare_cache_for_generation = window.keep_all
            return
        if not answers(None):
            return
        self.model._supports_default_dynamic_cache = lambda: False
        prepare = inspect.signature(self.model.prepare_inputs_for_generation)
        if "next_sequence_length" not in prepare.parameters:
            # It derives positions from the mask, and takes any for those of the step.
            self.model._prepare_position_ids_for_generation = lambda *_: None

    def _decode(self, ids, prefill, mask, chunk, capture, functions=None):
        """decode() of all rows together.

        Runs generate() with the next tokens forced, so masks, positions and the
        cache are exactly what generate() makes. Returns {"logits": (B, T -
        prefill + 1, V)}: the logits after the prefill and after each step.
        """
        torch = self.torch
        ids = self._ids(ids)
        total = ids.shape[1]

        def force(prefix, scores):
            out = torch.full_like(scores, -1e30)
            column = min(prefix.shape[1], total - 1)
            return out.scatter_(1, ids[:, column : column + 1], 0.0)

        kwargs = {}
        kwargs["attention_mask"] = (
            torch.ones_like(ids[:, :prefill])
            if mask is None
            else self._ids(mask)[:, :prefill]
        )
        if chunk:
            kwargs["prefill_chunk_size"] = chunk
        record, inside = self._watch(capture, functions)
        step = {"n": 0}
        self._begin_as_it_knows()

        def count(module, args, kw):
            record.start(f"step{step['n']}/")
            step["n"] += 1

        handle = self.model.register_forward_pre_hook(count, with_kwargs=True)
        try:
            with torch.no_grad(), record, inside:
                result = self._generate(
                    ids[:, :prefill],
                    max_new_tokens=total - prefill + 1,
                    do_sample=False,
                    use_cache=True,
                    logits_processor=[force],
                    output_logits=True,
                    return_dict_in_generate=True,
                    pad_token_id=0,
                    **kwargs,
                )
        finally:
            handle.remove()
        logits = torch.stack(result.logits, dim=1)
        return {"logits": logits.contiguous(), **record.tensors}, record.order

    def tied(self):
        """{name: name of the tensor that it is}, as the library ties them."""
        names = {}
        out = {}
        for name, value in self.model.named_parameters(remove_duplicate=False):
            first = names.setdefault(id(value), name)
            if first != name:
                out[name] = first
        return out

    def in_bfloat16(self, folder):
        return Reference(folder, "bfloat16", self.trusted)

    def widened(self, low):
        """The weights of `low`, rounded as they are, in float32."""
        import copy

        exact = Reference.__new__(Reference)
        exact.torch, exact.model = self.torch, copy.deepcopy(self.model)
        rounded = {k: v.float() for k, v in low.model.state_dict().items()}
        exact.model.load_state_dict(rounded)
        return exact

    def between(self, folder, ids, low, paths):
        """What lies between modules, in float32: of those in `paths` each answers
        what it did in bfloat16, as `low_precision` left it in the file `low` before.

        Returns ({"in:PATH", "out:PATH"}, order): what modules were given and made,
        `out` of those alone whose answer was another's.
        """
        from safetensors.torch import load_file

        torch = self.torch
        tensors = load_file(low)
        answers = {p: tensors[f"low:{p}"] for p in paths if f"low:{p}" in tensors}
        exact = self.widened(self.in_bfloat16(folder))
        with Answer(exact.model, answers, torch) as answer:
            seen, order = exact.forward(ids, None, ".*", self.low_needs_cache)
        given = {k: v for k, v in seen.items() if k.startswith("in:")}
        given = {k: v for k, v in given.items() if v.is_floating_point()}
        return {**given, **answer.tensors}, order

    def low_precision(self, folder, ids):
        """Each module in bfloat16, and in float32 on the same inputs and weights.

        Returns ({"in:PATH", "low:PATH", "exact:PATH", "logits"}, order), what is
        low in its own dtype, and the experts that modules were told to use:
        "routes:PATH" in bfloat16, "exactly:PATH" in float32. Left are, of the model in
        bfloat16, `answers` of modules with several outputs, and `kept_low`, as `kept`.
        """
        torch = self.torch
        low = self.in_bfloat16(folder)
        self.low_needs_cache = use_cache = False
        try:
            tensors, order = low.forward(ids, capture=".*")
        except RuntimeError:
            # Only its cache may know the dtype of a recurrence's first states.
            self.low_needs_cache = use_cache = True
            tensors, order = low.forward(ids, capture=".*", use_cache=True)
        exact = self.widened(low)
        self.answers, self.kept_low = low.answers, low.kept("bfloat16")
        with Feed(exact.model, tensors, torch):
            fed, _ = exact.forward(ids, capture=".*", use_cache=use_cache)
        out = {"logits": tensors["logits"]}
        for key, value in tensors.items():
            kind, _, path = key.partition(":")
            if kind == "in" and value.is_floating_point():
                out[key] = value
            elif kind == "out" and key in fed and value.is_floating_point():
                out["low:" + path] = value
                out["exact:" + path] = fed[key]
            elif kind == "routes" and key in fed:
                out[key] = value
                out["exactly:" + path] = fed[key]
        return out, order

    def generate(self, ids, tokens):
        """Greedy continuation of ids (B, T): the new ids."""
        ids = self._ids(ids)
        with self.torch.no_grad():
            out = self._generate(
                ids,
                attention_mask=self.torch.ones_like(ids),
                max_new_tokens=tokens,
                do_sample=False,
                pad_token_id=0,
            )
        return out[:, ids.shape[1] :].tolist()


def write_outputs(folder, path, ids, prefill=None):
    """Logits, every module's input and output, and a cached decode, in one file."""
    from safetensors.torch import save_file

    model = Reference(folder)
    tensors, order = model.forward([ids], capture=".*")
    prefill = prefill or len(ids) - 6
    decoded, _ = model.decode([ids], prefill)
    tensors["decode_logits"] = decoded["logits"]
    tensors["ids"] = model.torch.tensor([ids])
    import json

    metadata = {
        "ids": json.dumps(ids),
        "prefill": str(prefill),
        "order": json.dumps(order),
    }
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata)
