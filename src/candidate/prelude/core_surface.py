"""What mlx.core offers besides operations on arrays, as far as running a model
needs it. Each class derived from Namespace becomes the module mlx.core.<name>."""

from mlx._native import bounds, refuse

inf = float("inf")
nan = float("nan")
pi = 3.141592653589793
e = 2.718281828459045
euler_gamma = 0.5772156649015329
newaxis = None


class Namespace:
    pass


class DeviceType:
    def __init__(self, name):
        self._name = name

    def __eq__(self, other):
        return getattr(other, "_name", None) == self._name

    def __hash__(self):
        return hash(self._name)

    def __repr__(self):
        return f"DeviceType.{self._name}"


class Device(DeviceType):
    pass


class Stream:
    pass


cpu = Device("cpu")
gpu = Device("gpu")


def default_device():
    return cpu


def set_default_device(device):
    pass


def default_stream(device):
    return Stream()


def new_stream(device):
    return Stream()


class stream:
    def __init__(self, s):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *args):
        return None


def synchronize(stream=None):
    pass


class finfo:
    def __init__(self, dtype):
        self.dtype = dtype
        self.min, self.max, self.eps, self.smallest_normal = bounds(dtype)


class iinfo:
    def __init__(self, dtype):
        self.dtype = dtype
        self.min, self.max = bounds(dtype)


def compile(fun, inputs=None, outputs=None, shapeless=False):
    """The function itself: what it computes is what the compiled one does."""
    return fun


def checkpoint(fun):
    return fun


def eval(*args):
    pass


def async_eval(*args):
    pass


def clear_cache():
    pass


def depends(inputs, dependencies):
    return inputs


class custom_function:
    """Its forward; nothing here differentiates."""

    def __init__(self, fun):
        self._fun = fun

    def __call__(self, *args, **kwargs):
        return self._fun(*args, **kwargs)

    def vjp(self, fun):
        return fun

    def jvp(self, fun):
        return fun

    def vmap(self, fun):
        return fun


def _refused(name):
    def function(*args, **kwargs):
        refuse(f"mlx.core.{name}() is not evaluated")

    return function


grad = _refused("grad")
value_and_grad = _refused("value_and_grad")
vmap = _refused("vmap")
load = _refused("load")
save_safetensors = _refused("save_safetensors")
savez = _refused("savez")


class metal(Namespace):
    def is_available():
        return False


class cuda(Namespace):
    def is_available():
        return False


class distributed(Namespace):
    """One process alone, as mx.distributed.init() answers without a launcher."""

    class Group:
        def rank(self):
            return 0

        def size(self):
            return 1

    def is_available(backend="any"):
        return False

    def init(strict=False, backend="any"):
        return distributed.Group()

    def all_sum(x, *, group=None, stream=None):
        return x

    def all_gather(x, *, group=None, stream=None):
        return x

    def sum_scatter(x, *, group=None, stream=None):
        return x

    send = _refused("distributed.send")
    recv = _refused("distributed.recv")
    recv_like = _refused("distributed.recv_like")
