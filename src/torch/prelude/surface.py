"""What torch offers besides tensor operations, as far as evaluating a model
needs it. Each class derived from Namespace becomes the module torch.<name>."""

from torch._native import refuse

import torch

__version__ = "2.13.0"
inf = float("inf")
nan = float("nan")
pi = 3.141592653589793
e = 2.718281828459045
newaxis = None


class Namespace:
    pass


class _Switch:
    """A context manager and decorator without effect on the result."""

    def __new__(cls, *args, **kwargs):
        if len(args) == 1 and not kwargs and callable(args[0]):
            return args[0]
        return object.__new__(cls)

    def __init__(self, *args, **kwargs):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *args):
        return None

    def __call__(self, function):
        return function


class no_grad(_Switch):
    pass


class enable_grad(_Switch):
    pass


class inference_mode(_Switch):
    pass


class set_grad_enabled(_Switch):
    pass


class _autocast(_Switch):
    def __init__(self, device_type=None, dtype=None, enabled=True, cache_enabled=None):
        if enabled:
            refuse("torch.autocast with enabled=True changes dtypes")


class autocast(_autocast):
    pass


def is_grad_enabled():
    return False


def is_inference_mode_enabled():
    return False


def is_autocast_enabled(device_type=None):
    return False


def get_autocast_dtype(device_type):
    return torch.bfloat16


def get_autocast_gpu_dtype():
    return torch.bfloat16


def is_autocast_available(device_type):
    return False


def _identity_decorator(function=None, *args, **kwargs):
    if function is not None and callable(function):
        return function
    return lambda f: f


def compile(model=None, **kwargs):
    return _identity_decorator(model)


def manual_seed(seed):
    return None


def seed():
    return 0


def get_rng_state():
    return None


def set_rng_state(state):
    return None


def set_printoptions(*args, **kwargs):
    return None


def set_num_threads(count):
    return None


def get_num_threads():
    return 1


def set_float32_matmul_precision(precision):
    return None


def get_float32_matmul_precision():
    return "highest"


def are_deterministic_algorithms_enabled():
    return False


def _assert(condition, message):
    if not condition:
        raise AssertionError(message)


def _check(condition, message=None):
    if not condition:
        raise RuntimeError("Expected cond to be True, but got False.")


def _check_is_size(value, message=None):
    return None


def typename(value):
    return type(value).__name__


class Generator:
    def __init__(self, device="cpu"):
        refuse("torch.Generator draws random numbers")


class SymInt:
    pass


class SymBool:
    pass


class SymFloat:
    pass


class Stream:
    def __init__(self, *args, **kwargs):
        refuse("torch.Stream runs on another device")


class _Format:
    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return "torch." + self.name


preserve_format = _Format("preserve_format")
legacy_contiguous_format = _Format("legacy_contiguous_format")
contiguous_format = _Format("contiguous_format")
strided = _Format("strided")
layout = _Format
memory_format = _Format

_FLOATS = {
    torch.float16: (65504.0, 0.0009765625, 6.103515625e-05, 16, 0.001),
    torch.bfloat16: (
        3.3895313892515355e38,
        0.0078125,
        1.1754943508222875e-38,
        16,
        0.01,
    ),
    torch.float32: (
        3.4028234663852886e38,
        1.1920928955078125e-07,
        1.1754943508222875e-38,
        32,
        1e-06,
    ),
    torch.float64: (
        1.7976931348623157e308,
        2.220446049250313e-16,
        2.2250738585072014e-308,
        64,
        1e-15,
    ),
    torch.float8_e4m3fn: (448.0, 0.125, 0.015625, 8, 1.0),
    torch.float8_e5m2: (57344.0, 0.25, 6.103515625e-05, 8, 1.0),
}

_INTS = {
    torch.uint8: (0, 255, 8),
    torch.int8: (-128, 127, 8),
    torch.int16: (-32768, 32767, 16),
    torch.int32: (-2147483648, 2147483647, 32),
    torch.int64: (-9223372036854775807 - 1, 9223372036854775807, 64),
    torch.uint16: (0, 65535, 16),
    torch.uint32: (0, 4294967295, 32),
}


class finfo:
    def __init__(self, type=None):
        if type is None:
            type = torch.get_default_dtype()
        if type not in _FLOATS:
            raise TypeError("torch.finfo() requires a floating point input type.")
        self.max, self.eps, self.tiny, self.bits, self.resolution = _FLOATS[type]
        self.min = -self.max
        self.smallest_normal = self.tiny
        self.dtype = str(type)[6:]


class iinfo:
    def __init__(self, type):
        if type not in _INTS:
            raise TypeError("torch.iinfo() requires an integer input type.")
        self.min, self.max, self.bits = _INTS[type]
        self.dtype = str(type)[6:]


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """Calls `func` for each index and stacks what it gives, which are tensors."""
    if not isinstance(out_dims, int):
        refuse("torch.vmap with several outputs is not supported")

    def mapped(*args, **kwargs):
        dims = in_dims if isinstance(in_dims, tuple) else (in_dims,) * len(args)
        sizes = {a.shape[d] for a, d in zip(args, dims) if d is not None}
        if len(sizes) != 1:
            raise ValueError(f"vmap: expected all tensors to have one size: {sizes}")
        results = []
        for i in range(sizes.pop()):
            one = [a if d is None else a.select(d, i) for a, d in zip(args, dims)]
            results.append(func(*one, **kwargs))
        return torch.stack(results, out_dims)

    return mapped


def load(*args, **kwargs):
    refuse("torch.load reads files")


def save(*args, **kwargs):
    refuse("torch.save writes files")


class _C(Namespace):  # switches of TorchScript's compiler change no result
    _jit_set_profiling_mode = _jit_set_profiling_executor = staticmethod(bool)
    _jit_override_can_fuse_on_cpu = _jit_override_can_fuse_on_gpu = staticmethod(bool)


class jit(Namespace):
    @staticmethod
    def script(obj=None, *args, **kwargs):
        return _identity_decorator(obj)

    @staticmethod
    def script_if_tracing(function):
        return function

    @staticmethod
    def ignore(function=None, **kwargs):
        return _identity_decorator(function)

    @staticmethod
    def unused(function):
        return function

    @staticmethod
    def export(function):
        return function

    @staticmethod
    def is_scripting():
        return False

    @staticmethod
    def is_tracing():
        return False

    @staticmethod
    def trace(*args, **kwargs):
        refuse("torch.jit.trace is not supported")

    Final = object
    ScriptModule = SymInt


class _NoDevice:
    @staticmethod
    def is_available():
        return False

    @staticmethod
    def device_count():
        return 0

    @staticmethod
    def is_initialized():
        return False

    @staticmethod
    def empty_cache():
        return None

    @staticmethod
    def synchronize(device=None):
        return None

    @staticmethod
    def is_bf16_supported():
        return False

    @staticmethod
    def get_device_capability(device=None):
        refuse("there is no such device")

    device = _Switch
    stream = _Switch


class cuda(Namespace, _NoDevice):
    Stream = Stream
    default_generators = ()

    @staticmethod
    def is_current_stream_capturing():
        return False


class xpu(Namespace, _NoDevice):
    pass


class npu(Namespace, _NoDevice):
    pass


class mps(Namespace, _NoDevice):
    pass


class compiler(Namespace):
    @staticmethod
    def is_compiling():
        return False

    @staticmethod
    def is_dynamo_compiling():
        return False

    @staticmethod
    def is_exporting():
        return False

    @staticmethod
    def disable(function=None, recursive=True, **kwargs):
        return _identity_decorator(function)

    @staticmethod
    def allow_in_graph(function):
        return function

    @staticmethod
    def assume_constant_result(function):
        return function

    @staticmethod
    def compile(model=None, **kwargs):
        return _identity_decorator(model)


class _dynamo(Namespace):
    @staticmethod
    def is_compiling():
        return False

    @staticmethod
    def disable(function=None, recursive=True, **kwargs):
        return _identity_decorator(function)

    @staticmethod
    def allow_in_graph(function):
        return function

    @staticmethod
    def mark_static_address(tensor, guard=True):
        return None

    @staticmethod
    def mark_static(tensor, *args):
        return None

    @staticmethod
    def mark_dynamic(tensor, *args):
        return None

    @staticmethod
    def graph_break():
        return None

    class config:
        pass


class _Flags:
    enabled = False
    allow_tf32 = False

    @staticmethod
    def is_available():
        return False

    @staticmethod
    def is_built():
        return False


class backends(Namespace):
    class cuda(_Flags):
        class matmul:
            allow_tf32 = False
            allow_fp16_reduced_precision_reduction = False

    class cudnn(_Flags):
        deterministic = False
        benchmark = False

    class mps(_Flags):
        pass

    class mkldnn(_Flags):
        pass

    class mkl(_Flags):
        pass


class distributed(Namespace):
    @staticmethod
    def is_available():
        return False

    @staticmethod
    def is_initialized():
        return False

    @staticmethod
    def get_world_size(group=None):
        return 1

    @staticmethod
    def get_rank(group=None):
        return 0

    class ProcessGroup:
        pass

    class ReduceOp:
        pass


class version(Namespace):
    cuda = None
    hip = None
    git_version = ""


class _FunctionContext:
    """What forward() of an autograd function writes to; nothing reads it."""

    needs_input_grad = ()
    saved_tensors = ()

    def save_for_backward(self, *tensors):
        self.saved_tensors = tensors

    def save_for_forward(self, *tensors):
        return None

    def mark_dirty(self, *tensors):
        return None

    def mark_non_differentiable(self, *tensors):
        return None

    def set_materialize_grads(self, value):
        return None


class _Function:
    generate_vmap_rule = False

    @staticmethod
    def setup_context(ctx, inputs, output):
        return None

    @staticmethod
    def backward(ctx, *grads):
        raise NotImplementedError("evaluation does not differentiate")

    @classmethod
    def apply(cls, *args, **kwargs):
        for base in cls.__mro__:
            if base is _Function:
                break
            if "setup_context" in base.__dict__:
                return cls.forward(*args, **kwargs)
        return cls.forward(_FunctionContext(), *args, **kwargs)


class autograd(Namespace):
    Function = _Function
    Variable = torch.Tensor
    no_grad = no_grad
    enable_grad = enable_grad
    set_grad_enabled = set_grad_enabled

    @staticmethod
    def grad(*args, **kwargs):
        refuse("torch.autograd.grad differentiates")

    class function:
        Function = _Function
        FunctionCtx = _FunctionContext

        @staticmethod
        def once_differentiable(function):
            return function

    class profiler:
        record_function = _Switch

    class graph:
        pass


class amp(Namespace):
    autocast = autocast

    @staticmethod
    def custom_fwd(function=None, **kwargs):
        return _identity_decorator(function)

    @staticmethod
    def custom_bwd(function=None, **kwargs):
        return _identity_decorator(function)


def _checkpoint(function, *args, use_reentrant=None, **kwargs):
    for name in ("context_fn", "determinism_check", "debug", "preserve_rng_state"):
        kwargs.pop(name, None)
    return function(*args, **kwargs)


class utils(Namespace):
    class checkpoint:
        checkpoint = staticmethod(_checkpoint)

    class data:
        class Dataset:
            pass

        class IterableDataset:
            pass

        class DataLoader:
            pass

        class Sampler:
            pass

    class _pytree:
        @staticmethod
        def register_pytree_node(*args, **kwargs):
            return None

        @staticmethod
        def _register_pytree_node(*args, **kwargs):
            return None

        @staticmethod
        def _dict_flatten_with_keys(*args, **kwargs):
            raise NotImplementedError("trees are not flattened")

        class Context:
            pass

    class hooks:
        class RemovableHandle:
            pass

    class dlpack:
        pass


class _CustomOp:
    """torch.library.custom_op: the function itself is the operator."""

    def __init__(self, function):
        self._function = function

    def __call__(self, *args, **kwargs):
        return self._function(*args, **kwargs)

    def register_fake(self, function=None, **kwargs):
        return _identity_decorator(function)

    def register_autograd(self, *args, **kwargs):
        return None

    def register_kernel(self, *args, **kwargs):
        return lambda f: f


class library(Namespace):
    @staticmethod
    def custom_op(name, function=None, **kwargs):
        if function is not None and callable(function):
            return _CustomOp(function)
        return _CustomOp

    @staticmethod
    def register_fake(name, function=None, **kwargs):
        return _identity_decorator(function)

    @staticmethod
    def register_autograd(*args, **kwargs):
        return None

    @staticmethod
    def impl(*args, **kwargs):
        return lambda f: f

    @staticmethod
    def define(*args, **kwargs):
        return lambda f: f

    @staticmethod
    def wrap_triton(kernel):
        return kernel

    class Library:
        def __init__(self, *args, **kwargs):
            pass


class overrides(Namespace):
    class TorchFunctionMode(_Switch):
        pass

    @staticmethod
    def has_torch_function(*args):
        return False


class fx(Namespace):
    class Proxy:
        pass

    class _pytree:
        @staticmethod
        def register_pytree_flatten_spec(*args, **kwargs):
            return None

    @staticmethod
    def wrap(function):
        return function

    @staticmethod
    def symbolic_trace(*args, **kwargs):
        refuse("torch.fx traces by running the model")


class nn(Namespace):
    class utils:
        @staticmethod
        def skip_init(module_class, *args, device=None, **kwargs):
            return module_class(*args, **kwargs)

        class parametrizations:
            @staticmethod
            def weight_norm(*args, **kwargs):
                refuse("torch.nn.utils.parametrizations.weight_norm is not supported")


class func(Namespace):
    @staticmethod
    def vmap(*args, **kwargs):
        return vmap(*args, **kwargs)

    @staticmethod
    def functional_call(*args, **kwargs):
        refuse("torch.func.functional_call is not supported")


class profiler(Namespace):
    record_function = _Switch
    profile = _Switch


class _Normal:
    def __init__(self, loc, scale, validate_args=None):
        self.loc = torch.as_tensor(loc, dtype=torch.get_default_dtype())
        self.scale = torch.as_tensor(scale, dtype=torch.get_default_dtype())

    def icdf(self, value):
        return self.loc + self.scale * torch.erfinv(2 * value - 1) * 2**0.5

    def sample(self, *args, **kwargs):
        refuse("torch.distributions draws random numbers")


class _Categorical:
    def __init__(self, probs=None, logits=None, validate_args=None):
        if (probs is None) == (logits is None):
            raise ValueError(
                "Either `probs` or `logits` must be specified, but not both."
            )
        if logits is None:
            probs = probs / probs.sum(-1, keepdim=True)
            eps = torch.finfo(probs.dtype).eps
            logits = torch.log(probs.clamp(min=eps, max=1 - eps))
        else:
            logits = logits - logits.logsumexp(dim=-1, keepdim=True)
            probs = torch.softmax(logits, dim=-1)
        self.logits = logits
        self.probs = probs

    def entropy(self):
        logits = torch.clamp(self.logits, min=torch.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def sample(self, *args, **kwargs):
        refuse("torch.distributions draws random numbers")


class distributions(Namespace):
    Normal = _Normal

    class normal:
        Normal = _Normal

    Categorical = _Categorical


class nested(Namespace):
    @staticmethod
    def nested_tensor(*args, **kwargs):
        refuse("nested tensors are not supported")


class random(Namespace):
    manual_seed = staticmethod(manual_seed)
    fork_rng = _Switch


class types(Namespace):
    Device = torch.device
    Number = (int, float, bool)


class multiprocessing(Namespace):
    pass
