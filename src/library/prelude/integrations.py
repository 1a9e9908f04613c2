"""transformers.integrations: no kernels, no accelerators, the model's own code."""

from functools import wraps
from inspect import signature


def _with_arguments(*args, **kwargs):
    return lambda obj: obj


# What these would put in place of the model's code are optional kernels.
use_kernel_forward_from_hub = _with_arguments
use_kernelized_func = _with_arguments
use_kernel_func_from_hub = _with_arguments
force_accelerate_hooks = _with_arguments


def use_kernel_func_from_hub_with_fallback(func_name, package, internal_path=None):
    """The torch function, given only the keywords it knows."""

    def decorator(function):
        known = tuple(signature(function).parameters)

        @wraps(function)
        def wrapped(*args, **kwargs):
            if (
                kwargs.get("cu_seqlens") is not None
                or kwargs.get("seq_idx") is not None
            ):
                raise ValueError(f"`{func_name}` can't keep packed sequences apart")
            return function(*args, **{k: v for k, v in kwargs.items() if k in known})

        return wrapped

    return decorator


def get_kernel(kernel_name, **kwargs):
    raise ImportError(f"kernel {kernel_name} is not available")


def lazy_load_kernel(kernel_name, mapping=None):
    return None


def is_kernel(name):
    return False


def _gate(self, gate_up_out):
    gate, up = gate_up_out.chunk(2, dim=-1)
    return self.act_fn(gate) * up


def use_experts_implementation(
    experts_class=None,
    *,
    experts_interface=None,
    is_concatenated=True,
    is_transposed=False,
    has_bias=False,
    has_gate=True,
    has_post_expert_norm=False,
):
    """The class's own forward, which is the eager implementation."""

    def decorator(cls):
        initialize = cls.__init__

        @wraps(initialize)
        def __init__(self, config, *args, **kwargs):
            initialize(self, config, *args, **kwargs)
            self.config = config
            self.has_gate = has_gate
            self.has_bias = has_bias
            self.has_post_expert_norm = has_post_expert_norm
            self.is_transposed = is_transposed
            self.is_concatenated = is_concatenated
            self._is_expert_parallel = False

        if not hasattr(cls, "_apply_gate"):
            cls._apply_gate = _gate
        cls.__init__ = __init__
        return cls

    return decorator if experts_class is None else decorator(experts_class)


def is_deepspeed_zero3_enabled():
    return False


def is_deepspeed_available():
    return False


def deepspeed_config():
    return None


def is_fsdp_enabled():
    return False


def is_fsdp_managed_module(module):
    return False


def is_dtensor(tensor):
    return False


def get_device(device_map, param_name, valid_torch_device=False):
    return "cpu"


class PeftAdapterMixin:
    pass


class DistributedMixin:
    pass
