"""transformers.utils.import_utils: torch is there, nothing else is."""

from functools import wraps

from packaging import version
from portwright.facts import torch_version as _torch_version

ACCELERATE_MIN_VERSION = "1.1.0"
BITSANDBYTES_MIN_VERSION = "0.46.1"
ENV_VARS_TRUE_VALUES = {"1", "ON", "YES", "TRUE"}
ENV_VARS_TRUE_AND_AUTO_VALUES = ENV_VARS_TRUE_VALUES | {"AUTO"}
GGUF_MIN_VERSION = "0.10.0"
MISTRAL_COMMON_MIN_VERSION = "1.10.0"
TRITON_MIN_VERSION = "1.0.0"
XLA_FSDPV2_MIN_VERSION = "2.2.0"
_torch_available = True


def is_torch_available(*args, **kwargs):
    return True


def get_torch_version():
    return _torch_version


def is_torch_greater_or_equal(library_version, accept_dev=False):
    return version.parse(_torch_version) >= version.parse(library_version)


def is_torch_less_or_equal(library_version, accept_dev=False):
    return version.parse(_torch_version) <= version.parse(library_version)


def get_torch_major_and_minor_version():
    return ".".join(_torch_version.split(".")[:2])


def is_env_variable_true(env_variable):
    return False


def is_env_variable_false(env_variable):
    return False


def is_torchdynamo_compiling():
    return False


def is_torchdynamo_exporting():
    return False


def is_torch_deterministic():
    return False


def is_torch_fx_proxy(x):
    return False


def is_fake_tensor(x):
    return False


def is_jax_jitting(x):
    return False


def is_jit_tracing():
    return False


def is_tracing(tensor=None):
    return False


def is_cuda_stream_capturing():
    return False


def is_torch_flex_attn_available():
    return True  # part of torch; models name its classes


def is_grouped_mm_available():
    return False


def get_device_type(device=None):
    return "cpu"


def get_current_accelerator():
    return None


def torch_compilable_check(cond, msg, error_type=ValueError):
    if not cond:
        raise error_type(msg() if callable(msg) else msg)


def torch_only_method(fn):
    return fn


def requires_backends(obj, backends):
    name = getattr(obj, "__name__", None) or type(obj).__name__
    wanted = backends if isinstance(backends, (list, tuple)) else [backends]
    missing = [b for b in wanted if b != "torch"]
    if missing:
        raise ImportError(f"{name} requires {', '.join(missing)}")


def requires(*, backends=()):
    """Marks what a class needs; checked when it is used."""

    def decorator(obj):
        return obj

    return decorator


def resolve_internal_import(module, chained_path):
    for name in chained_path.split("."):
        if module is None:
            return None
        module = getattr(module, name, None)
    return module


class OptionalDependencyNotAvailable(BaseException):
    pass


class _LazyModule:
    """Named by every package; modules are found without it."""


class DummyObject(type):
    pass


def __getattr__(name):
    if name.startswith("is_") and not name.startswith("is_torch_greater"):

        def unavailable(*args, **kwargs):
            return False

        return unavailable
    raise AttributeError(
        f"module 'transformers.utils.import_utils' has no attribute '{name}'"
    )
