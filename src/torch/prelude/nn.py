"""torch.nn for evaluation: modules hold weights and compute; nothing trains."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
import torch.nn.init as init
from torch._native import Buffer, ModuleBase, Parameter, refuse


class Module(ModuleBase):
    call_super_init = False
    dump_patches = False
    _version = 1

    def forward(self, *args, **kwargs):
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def _call_with_hooks(self, *args, **kwargs):
        for hook, with_kwargs in self.__dict__.get("_forward_pre_hooks", {}).values():
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
            answer = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
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

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
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
                    raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
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
        if memo is None:
            memo = set()
        if id(self) in memo:
            return
        if remove_duplicate:
            memo.add(id(self))
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                below = prefix + "." + name if prefix else name
                for item in module.named_modules(memo, below, remove_duplicate):
                    yield item

    def modules(self):
        for _, module in self.named_modules():
            yield module

    def _named_members(self, kind, prefix, recurse, remove_duplicate):
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in modules if recurse else [(prefix, self)]:
            for name, tensor in getattr(module, kind).items():
                if tensor is None or (remove_duplicate and id(tensor) in seen):
                    continue
                seen.add(id(tensor))
                yield (path + "." + name if path else name), tensor

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        for item in self._named_members("_parameters", prefix, recurse, remove_duplicate):
            yield item

    def parameters(self, recurse=True):
        for _, tensor in self.named_parameters(recurse=recurse):
            yield tensor

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        for item in self._named_members("_buffers", prefix, recurse, remove_duplicate):
            yield item

    def buffers(self, recurse=True):
        for _, tensor in self.named_buffers(recurse=recurse):
            yield tensor

    def state_dict(self, *, destination=None, prefix="", keep_vars=False):
        out = OrderedDict() if destination is None else destination
        for path, module in self.named_modules(remove_duplicate=False):
            start = prefix + path + "." if path else prefix
            for name, tensor in module._parameters.items():
                if tensor is not None:
                    out[start + name] = tensor if keep_vars else tensor.detach()
            for name, tensor in module._buffers.items():
                if tensor is not None and name not in module._non_persistent_buffers_set:
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


class Identity(Module):
    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, input):
        return input


# ---- containers ----


class Sequential(Module):
    def __init__(self, *args):
        super().__init__()
        if len(args) == 1 and isinstance(args[0], dict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for i, module in enumerate(args):
                self.add_module(str(i), module)

    def __getitem__(self, index):
        modules = list(self._modules.values())
        if isinstance(index, slice):
            return Sequential(*modules[index])
        return modules[index]

    def __setitem__(self, index, module):
        self._modules[list(self._modules)[index]] = module

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(list(self._modules.values()))

    def append(self, module):
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        for module in modules:
            self.append(module)
        return self

    def forward(self, input):
        for module in self:
            input = module(input)
        return input


class ModuleList(Module):
    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            for i, module in enumerate(modules):
                self._modules[str(i)] = module

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(list(self._modules.values())[index])
        size = len(self._modules)
        if not -size <= index < size:
            raise IndexError(f"index {index} is out of range")
        return self._modules[str(index + size if index < 0 else index)]

    def __setitem__(self, index, module):
        size = len(self._modules)
        self._modules[str(index + size if index < 0 else index)] = module

    def __delitem__(self, index):
        modules = list(self._modules.values())
        del modules[index]
        self._modules.clear()
        self.extend(modules)

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(list(self._modules.values()))

    def __contains__(self, module):
        return any(module is m for m in self._modules.values())

    def __add__(self, other):
        return ModuleList(list(self) + list(other))

    def append(self, module):
        self._modules[str(len(self._modules))] = module
        return self

    def insert(self, index, module):
        modules = list(self)
        modules.insert(index, module)
        self._modules.clear()
        self.extend(modules)

    def extend(self, modules):
        for module in modules:
            self.append(module)
        return self

    def pop(self, index):
        module = self[index]
        del self[index]
        return module


class ModuleDict(Module):
    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key):
        return self._modules[key]

    def __setitem__(self, key, module):
        self._modules[key] = module

    def __delitem__(self, key):
        del self._modules[key]

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(list(self._modules))

    def __contains__(self, key):
        return key in self._modules

    def clear(self):
        self._modules.clear()

    def pop(self, key):
        return self._modules.pop(key)

    def keys(self):
        return self._modules.keys()

    def items(self):
        return self._modules.items()

    def values(self):
        return self._modules.values()

    def update(self, modules):
        for key, module in modules.items() if hasattr(modules, "items") else modules:
            self._modules[key] = module


class ParameterList(Module):
    def __init__(self, values=None):
        super().__init__()
        if values is not None:
            self.extend(values)

    def __getitem__(self, index):
        values = list(self._parameters.values())
        return values[index]

    def __setitem__(self, index, value):
        self._parameters[str(index)] = value

    def __len__(self):
        return len(self._parameters)

    def __iter__(self):
        return iter(list(self._parameters.values()))

    def append(self, value):
        value = value if isinstance(value, Parameter) else Parameter(value)
        self._parameters[str(len(self))] = value
        return self

    def extend(self, values):
        for value in values:
            self.append(value)
        return self


class ParameterDict(Module):
    def __init__(self, parameters=None):
        super().__init__()
        if parameters is not None:
            for key, value in parameters.items():
                self[key] = value

    def __getitem__(self, key):
        return self._parameters[key]

    def __setitem__(self, key, value):
        self._parameters[key] = value if isinstance(value, Parameter) else Parameter(value)

    def __contains__(self, key):
        return key in self._parameters

    def __len__(self):
        return len(self._parameters)

    def __iter__(self):
        return iter(list(self._parameters))

    def keys(self):
        return self._parameters.keys()

    def items(self):
        return self._parameters.items()

    def values(self):
        return self._parameters.values()


# ---- layers with weights ----


class Linear(Module):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(torch.empty((out_features, in_features), dtype=dtype))
        if bias:
            self.bias = Parameter(torch.empty(out_features, dtype=dtype))
        else:
            self.register_parameter("bias", None)

    def reset_parameters(self):
        return None

    def forward(self, input):
        return F.linear(input, self.weight, self.bias)


class Embedding(Module):
    def __init__(
        self,
        num_embeddings,
        embedding_dim,
        padding_idx=None,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        sparse=False,
        _weight=None,
        _freeze=False,
        device=None,
        dtype=None,
    ):
        super().__init__()
        if max_norm is not None:
            refuse("nn.Embedding with max_norm changes its weights")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        if padding_idx is not None and padding_idx < 0:
            padding_idx = num_embeddings + padding_idx
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        if _weight is None:
            _weight = torch.empty((num_embeddings, embedding_dim), dtype=dtype)
        self.weight = Parameter(_weight)

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, padding_idx=None, **kwargs):
        rows, columns = embeddings.shape
        return cls(rows, columns, padding_idx=padding_idx, _weight=embeddings)

    def reset_parameters(self):
        return None

    def forward(self, input):
        return F.embedding(input, self.weight, self.padding_idx)


class LayerNorm(Module):
    def __init__(
        self,
        normalized_shape,
        eps=1e-5,
        elementwise_affine=True,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        if isinstance(normalized_shape, int):
            normalized_shape = (normalized_shape,)
        self.normalized_shape = tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        if elementwise_affine:
            self.weight = Parameter(torch.ones(self.normalized_shape, dtype=dtype))
        else:
            self.register_parameter("weight", None)
        if elementwise_affine and bias:
            self.bias = Parameter(torch.zeros(self.normalized_shape, dtype=dtype))
        else:
            self.register_parameter("bias", None)

    def reset_parameters(self):
        return None

    def forward(self, input):
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(Module):
    def __init__(
        self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None
    ):
        super().__init__()
        if isinstance(normalized_shape, int):
            normalized_shape = (normalized_shape,)
        self.normalized_shape = tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        if elementwise_affine:
            self.weight = Parameter(torch.ones(self.normalized_shape, dtype=dtype))
        else:
            self.register_parameter("weight", None)

    def reset_parameters(self):
        return None

    def forward(self, x):
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)


class GroupNorm(Module):
    def __init__(
        self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None
    ):
        super().__init__()
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        if affine:
            self.weight = Parameter(torch.ones(num_channels, dtype=dtype))
            self.bias = Parameter(torch.zeros(num_channels, dtype=dtype))
        else:
            self.register_parameter("weight", None)
            self.register_parameter("bias", None)

    def forward(self, input):
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


class _BatchNorm(Module):
    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=True,
        track_running_stats=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        if not track_running_stats:
            refuse("batch normalization over the batch itself is not supported")
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = Parameter(torch.ones(num_features, dtype=dtype))
            self.bias = Parameter(torch.zeros(num_features, dtype=dtype))
        else:
            self.register_parameter("weight", None)
            self.register_parameter("bias", None)
        self.register_buffer("running_mean", torch.zeros(num_features, dtype=dtype))
        self.register_buffer("running_var", torch.ones(num_features, dtype=dtype))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))

    def forward(self, input):
        return F.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    pass


class BatchNorm2d(_BatchNorm):
    pass


class BatchNorm3d(_BatchNorm):
    pass


def _as_tuple(value, count):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * count


class _ConvNd(Module):
    axes = 1

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        padding_mode="zeros",
        device=None,
        dtype=None,
    ):
        super().__init__()
        if in_channels % groups != 0 or out_channels % groups != 0:
            raise ValueError("channels must be divisible by groups")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = _as_tuple(kernel_size, self.axes)
        self.stride = _as_tuple(stride, self.axes)
        self.padding = padding if isinstance(padding, str) else _as_tuple(padding, self.axes)
        self.dilation = _as_tuple(dilation, self.axes)
        self.groups = groups
        self.padding_mode = padding_mode
        if padding_mode != "zeros":
            refuse("convolutions with padding_mode other than zeros are not supported")
        self.weight = Parameter(
            torch.empty((out_channels, in_channels // groups) + self.kernel_size, dtype=dtype)
        )
        if bias:
            self.bias = Parameter(torch.empty(out_channels, dtype=dtype))
        else:
            self.register_parameter("bias", None)

    def reset_parameters(self):
        return None

    def _conv_forward(self, input, weight, bias):
        return self.function(
            input, weight, bias, self.stride, self.padding, self.dilation, self.groups
        )

    def forward(self, input):
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_ConvNd):
    axes = 1
    function = staticmethod(F.conv1d)


class Conv2d(_ConvNd):
    axes = 2
    function = staticmethod(F.conv2d)


class Conv3d(_ConvNd):
    axes = 3
    function = staticmethod(F.conv3d)


# ---- activations ----


class Dropout(Module):
    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        self.p = p
        self.inplace = inplace

    def forward(self, input):
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(Dropout):
    pass


class Dropout2d(Dropout):
    pass


class AlphaDropout(Dropout):
    pass


class ReLU(Module):
    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        return F.relu(input, inplace=self.inplace)


class ReLU6(Module):
    def __init__(self, inplace=False):
        super().__init__()

    def forward(self, input):
        return F.relu6(input)


class SiLU(Module):
    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        return F.silu(input, inplace=self.inplace)


class GELU(Module):
    def __init__(self, approximate="none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, input):
        return F.gelu(input, approximate=self.approximate)


class Tanh(Module):
    def forward(self, input):
        return torch.tanh(input)


class Sigmoid(Module):
    def forward(self, input):
        return torch.sigmoid(input)


class LogSigmoid(Module):
    def forward(self, input):
        return F.logsigmoid(input)


class Softplus(Module):
    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input):
        return F.softplus(input, self.beta, self.threshold)


class Mish(Module):
    def __init__(self, inplace=False):
        super().__init__()

    def forward(self, input):
        return F.mish(input)


class LeakyReLU(Module):
    def __init__(self, negative_slope=0.01, inplace=False):
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, input):
        return F.leaky_relu(input, self.negative_slope)


class ELU(Module):
    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha = alpha

    def forward(self, input):
        return F.elu(input, self.alpha)


class CELU(ELU):
    def forward(self, input):
        return F.celu(input, self.alpha)


class SELU(Module):
    def __init__(self, inplace=False):
        super().__init__()

    def forward(self, input):
        return F.selu(input)


class Hardtanh(Module):
    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False):
        super().__init__()
        self.min_val = min_val
        self.max_val = max_val

    def forward(self, input):
        return F.hardtanh(input, self.min_val, self.max_val)


class Hardswish(Module):
    def __init__(self, inplace=False):
        super().__init__()

    def forward(self, input):
        return F.hardswish(input)


class Hardsigmoid(Module):
    def __init__(self, inplace=False):
        super().__init__()

    def forward(self, input):
        return F.hardsigmoid(input)


class Softsign(Module):
    def forward(self, input):
        return F.softsign(input)


class Softmax(Module):
    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        return F.softmax(input, self.dim)


class LogSoftmax(Module):
    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        return F.log_softmax(input, self.dim)


class GLU(Module):
    def __init__(self, dim=-1):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        return F.glu(input, self.dim)


class Flatten(Module):
    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input):
        return input.flatten(self.start_dim, self.end_dim)


# ---- named, but refused when they are called ----


class _Refused(Module):
    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, *args, **kwargs):
        refuse("nn." + type(self).__name__ + " is not supported")


class CrossEntropyLoss(_Refused):
    pass


class MSELoss(_Refused):
    pass


class BCEWithLogitsLoss(_Refused):
    pass


class BCELoss(_Refused):
    pass


class NLLLoss(_Refused):
    pass


class L1Loss(_Refused):
    pass


class SmoothL1Loss(_Refused):
    pass


class KLDivLoss(_Refused):
    pass


class CTCLoss(_Refused):
    pass


class CosineEmbeddingLoss(_Refused):
    pass


class MultiheadAttention(_Refused):
    pass


class LSTM(_Refused):
    pass


class GRU(_Refused):
    pass


class ConvTranspose1d(_Refused):
    pass


class ConvTranspose2d(_Refused):
    pass


class MaxPool1d(_Refused):
    pass


class MaxPool2d(_Refused):
    pass


class AvgPool1d(_Refused):
    pass


class AvgPool2d(_Refused):
    pass


class AdaptiveAvgPool1d(_Refused):
    pass


class AdaptiveAvgPool2d(_Refused):
    pass


class Upsample(_Refused):
    pass


class ZeroPad2d(_Refused):
    pass


class DataParallel(_Refused):
    pass


class Bilinear(_Refused):
    pass
