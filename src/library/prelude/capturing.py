"""What goes into and comes out of modules, by path, while a model runs."""

import re

import torch


def first_tensor(value):
    """The first tensor of a module's output, or None."""
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, (tuple, list)):
        for item in value:
            found = first_tensor(item)
            if found is not None:
                return found
    for name in ("last_hidden_state", "logits"):
        if hasattr(value, name):
            return getattr(value, name)
    return None


class Capture:
    """Keys are `in:PATH` and `out:PATH`; a module called again adds `#2`, `#3`.

    The n-th call of the model itself, from 0, puts `stepN/` before them when
    `steps` is set.
    """

    def __init__(self, model, pattern, steps):
        self.tensors = {}
        self._calls = {}
        self._prefix = ""
        self._runs = 0
        self._handles = []
        wanted = re.compile(pattern)
        if steps:
            model.register_forward_pre_hook(self._start)
        for path, module in model.named_modules():
            if path and wanted.fullmatch(path):
                self._watch(path, module)

    def _start(self, module, args):
        self._prefix = f"step{self._runs}/"
        self._runs += 1
        self._calls = {}

    def _watch(self, path, module):
        def before(module, args, kwargs):
            self._calls[path] = self._calls.get(path, 0) + 1
            value = first_tensor(args)
            if value is None:
                value = kwargs.get("hidden_states")
            self._store("in:" + self._key(path), value)

        def after(module, args, output):
            self._store("out:" + self._key(path), first_tensor(output))

        self._handles += [
            module.register_forward_pre_hook(before, with_kwargs=True),
            module.register_forward_hook(after),
        ]

    def stop(self):
        for handle in self._handles:
            handle.remove()

    def _key(self, path):
        count = self._calls.get(path, 1)
        return path if count == 1 else f"{path}#{count}"

    def _store(self, key, value):
        if isinstance(value, torch.Tensor):
            self.tensors[self._prefix + key] = value.detach().clone()
