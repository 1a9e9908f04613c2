"""torch.nn.init: a checkpoint replaces every weight, so nothing is drawn."""


def _as_it_is(tensor, *args, **kwargs):
    return tensor


uniform_ = normal_ = trunc_normal_ = dirac_ = eye_ = sparse_ = _as_it_is
xavier_uniform_ = xavier_normal_ = orthogonal_ = _as_it_is
kaiming_uniform_ = kaiming_normal_ = _as_it_is
xavier_uniform = xavier_normal = kaiming_uniform = kaiming_normal = _as_it_is
_no_grad_trunc_normal_ = variance_scaling_ = _as_it_is
lecun_normal_ = default_flax_embed_init_ = _as_it_is


def constant_(tensor, val):
    return tensor.fill_(val)


def zeros_(tensor):
    return tensor.zero_()


def ones_(tensor):
    return tensor.fill_(1)


def copy_(tensor, other):
    return tensor.copy_(other)


def calculate_gain(nonlinearity, param=None):
    return 1.0


def _calculate_fan_in_and_fan_out(tensor):
    rest = 1
    for size in tensor.shape[2:]:
        rest *= size
    return tensor.shape[1] * rest, tensor.shape[0] * rest
