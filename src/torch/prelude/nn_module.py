"""torch.nn for evaluation: modules hold weights and compute; nothing trains."""

from collections import OrderedDict

from torch._native import ModuleBase, refuse

import torch


class Module(ModuleBase):
    call_super_init = False
    dump_patches = False
    _version = 1

    def forward(self, *args, **kwargs):
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def _call_with_hooks(self, *args, **kwargs):
        for hook, with_kwargs in list(
            self.__dict__.get("_forward_pre_hooks", {}).values()
        ):
            if with_kwargs:
                answer = hook(self, args, kwargs)
                if answer is not None:
                    args, kwargs = answer
            else:
                answer = hook(self, args)
                if answer is not None:
                    args = answer if isinstance(answer, tuple) else (answer,)
        result = self.forward(*args, **kwargs)
        for hook, with_kwargs in self.__dict__.get("_forward_hooks", {}).values():
            answer = (
                hook(self, args, kwargs, result)
                if with_kwargs
                else hook(self, args, result)
            )
            if answer is not None:
                result = answer
        return result

    def _add_hook(self, name, hook, with_kwargs, prepend):
        hooks = self.__dict__.get(name)
        if hooks is None:
            hooks = OrderedDict()
            object.__setattr__(self, name, hooks)
        handle = _RemovableHandle(hooks)
        hooks[handle.id] = (hook, with_kwargs)
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        return handle

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        return self._add_hook("_forward_pre_hooks", hook, with_kwargs, prepend)

    def register_forward_hook(
        self, hook, *, prepend=False, with_kwargs=False, always_call=False
    ):
        return self._add_hook("_forward_hooks", hook, with_kwargs, prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        return _RemovableHandle({})

    def _register_load_state_dict_pre_hook(self, hook, with_module=False):
        return _RemovableHandle({})

    def register_load_state_dict_pre_hook(self, hook):
        return _RemovableHandle({})

    def register_load_state_dict_post_hook(self, hook):
        return _RemovableHandle({})

    def register_state_dict_post_hook(self, hook):
        return _RemovableHandle({})

    def get_submodule(self, target):
        module = self
        if target:
            for name in target.split("."):
                if not hasattr(module, name):
                    raise AttributeError(
                        f"{type(module).__name__} has no attribute `{name}`"
                    )
                module = getattr(module, name)
                if not isinstance(module, Module):
                    raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def get_parameter(self, target):
        path, _, name = target.rpartition(".")
        parameters = self.get_submodule(path)._parameters
        if name not in parameters:
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return parameters[name]

    def get_buffer(self, target):
        path, _, name = target.rpartition(".")
        buffers = self.get_submodule(path)._buffers
        if name not in buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return buffers[name]

    def set_submodule(self, target, module, strict=False):
        path, _, name = target.rpartition(".")
        setattr(self.get_submodule(path), name, module)

    def named_children(self):
        seen = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self):
        for _, module in self.named_children():
            yield module

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        if memo is not None:
            refuse("named_modules(memo=...) is not supported")
        return iter(self._list_modules(prefix, remove_duplicate))

    def modules(self):
        return iter([module for _, module in self._list_modules("", True)])

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        return iter(
            self._list_members("_parameters", prefix, recurse, remove_duplicate)
        )

    def parameters(self, recurse=True):
        return iter(
            [t for _, t in self._list_members("_parameters", "", recurse, True)]
        )

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        return iter(self._list_members("_buffers", prefix, recurse, remove_duplicate))

    def buffers(self, recurse=True):
        return iter([t for _, t in self._list_members("_buffers", "", recurse, True)])

    def state_dict(self, *, destination=None, prefix="", keep_vars=False):
        out = OrderedDict() if destination is None else destination
        for path, module in self._list_modules("", False):
            start = prefix + path + "." if path else prefix
            for name, tensor in module._parameters.items():
                if tensor is not None:
                    out[start + name] = tensor if keep_vars else tensor.detach()
            for name, tensor in module._buffers.items():
                if (
                    tensor is not None
                    and name not in module._non_persistent_buffers_set
                ):
                    out[start + name] = tensor if keep_vars else tensor.detach()
        return out

    def load_state_dict(self, *args, **kwargs):
        refuse("load_state_dict() is not supported; weights come from the checkpoint")

    def apply(self, function):
        for module in self.children():
            module.apply(function)
        function(self)
        return self

    def _apply(self, function, recurse=True):
        for module in self.modules():
            for kind in (module._parameters, module._buffers):
                for name, tensor in kind.items():
                    if tensor is not None:
                        tensor.data = function(tensor)
        return self

    def train(self, mode=True):
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self):
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        return self

    def zero_grad(self, set_to_none=True):
        return None

    def _to_dtype(self, dtype):
        def convert(tensor):
            return tensor.to(dtype) if tensor.is_floating_point() else tensor

        return self._apply(convert)

    def to(self, *args, dtype=None, device=None, non_blocking=False):
        for value in args:
            if isinstance(value, torch.dtype):
                dtype = value
            elif isinstance(value, torch.Tensor):
                dtype = value.dtype
        return self if dtype is None else self._to_dtype(dtype)

    def float(self):
        return self._to_dtype(torch.float32)

    def double(self):
        return self._to_dtype(torch.float64)

    def half(self):
        return self._to_dtype(torch.float16)

    def bfloat16(self):
        return self._to_dtype(torch.bfloat16)

    def cpu(self):
        return self

    def cuda(self, device=None):
        return self

    def compile(self, *args, **kwargs):
        return None

    def extra_repr(self):
        return ""

    def _get_name(self):
        return type(self).__name__

    def __repr__(self):
        return self._get_name() + "()"

    def __dir__(self):
        return list(self.__dict__)


class _RemovableHandle:
    count = 0

    def __init__(self, hooks):
        _RemovableHandle.count += 1
        self.id = _RemovableHandle.count
        self.hooks = hooks

    def remove(self):
        self.hooks.pop(self.id, None)
