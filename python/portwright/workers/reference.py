"""The gold standard: torch and transformers, on CPU."""

import re

from . import offline

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


class Capture:
    """Records inputs and outputs of modules by path while it is entered.

    Keys are `in:PATH`, `out:PATH` and, where a module with stacked weights is
    told which experts to use, `routes:PATH`; a module called again adds `#2`, `#3`.
    `prefix` is put before every key (for example `step3/`).
    """

    def __init__(self, model, pattern, torch):
        self.torch = torch
        self.tensors = {}
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
            if any(p.ndim > 2 for p in module.parameters(recurse=False)):
                self._store_routes(key, (*args, *kwargs.values()))
            self.order.append(key)

        def after(module, args, output):
            n = self._calls.get(path, 1)
            key = path if n == 1 else f"{path}#{n}"
            self._store("out:" + key, tensors_of(output, self.torch))

        return before, after

    def _store_routes(self, key, values):
        """The experts that a module holding their weights is told to use."""
        for value in values:
            if self.torch.is_tensor(value) and value.ndim > 1:
                if value.dtype in (self.torch.int64, self.torch.int32):
                    self._store("routes:" + key, value.float())
                    return

    def _store(self, key, value):
        if value is not None and self.torch.is_tensor(value):
            self.tensors[self.prefix + key] = value.detach().clone().contiguous()


class Reference:
    """One loaded model and the ways the battery runs it."""

    def __init__(self, folder, dtype="float32", trust_remote_code=False):
        offline.quiet()
        from transformers import AutoModelForCausalLM

        import torch

        self.torch = torch
        options = {
            "dtype": getattr(torch, dtype),
            "attn_implementation": "eager",
            "trust_remote_code": trust_remote_code,
            "local_files_only": True,
        }
        load = AutoModelForCausalLM.from_pretrained
        try:
            # Fused experts know no float64, and eager ones are what the source says.
            model = load(folder, experts_implementation="eager", **options)
        except (TypeError, ValueError):  # a library or a model without the choice
            model = load(folder, **options)
        self.model = model.eval()
        self.parameters = sum(p.numel() for p in model.parameters())
        offline.use_threads_for(self.parameters)
        generation = self.model.generation_config
        if generation is not None:
            generation.eos_token_id = None
            generation.do_sample = False

    def _ids(self, ids):
        return self.torch.tensor(ids, dtype=self.torch.long)

    def forward(self, ids, mask=None, capture=None):
        """ids (B, T); mask (B, T) of 0 and 1. Returns {"logits": (B, T, V), ...}."""
        torch = self.torch
        kwargs = {"use_cache": False}
        if mask is not None:
            mask = self._ids(mask)
            kwargs["attention_mask"] = mask
            # generate() derives positions from the mask, left padding at 1
            positions = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 0)
            if self._accepts("position_ids"):
                kwargs["position_ids"] = positions
        with torch.no_grad(), Capture(self.model, capture or "(?!)", torch) as record:
            logits = self.model(self._ids(ids), **kwargs).logits
        return {"logits": logits.contiguous(), **record.tensors}, record.order

    def _accepts(self, name):
        import inspect

        parameters = inspect.signature(self.model.forward).parameters
        return name in parameters or any(
            p.kind is p.VAR_KEYWORD for p in parameters.values()
        )

    def decode(self, ids, prefill, mask=None, chunk=None, capture=None):
        """ids (B, T): the first `prefill` columns at once, the rest step by step.

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
        record = Capture(self.model, capture or "(?!)", torch)
        step = {"n": 0}

        def count(module, args, kw):
            record.start(f"step{step['n']}/")
            step["n"] += 1

        handle = self.model.register_forward_pre_hook(count, with_kwargs=True)
        try:
            with torch.no_grad(), record:
                result = self.model.generate(
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

    def generate(self, ids, tokens):
        """Greedy continuation of ids (B, T): the new ids."""
        ids = self._ids(ids)
        with self.torch.no_grad():
            out = self.model.generate(
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
