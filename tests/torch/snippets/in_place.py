from support import FLOATS, bools, case, floats, ints, over

import torch

METHODS = {
    "add_": lambda x: x.add_(1),
    "sub_": lambda x: x.sub_(floats(4)),
    "mul_": lambda x: x.mul_(2),
    "div_": lambda x: x.div_(3),
    "pow_": lambda x: x.pow_(2),
    "neg_": lambda x: x.neg_(),
    "exp_": lambda x: x.exp_(),
    "tanh_": lambda x: x.tanh_(),
    "sigmoid_": lambda x: x.sigmoid_(),
    "relu_": lambda x: x.relu_(),
    "clamp_": lambda x: x.clamp_(-1, 1),
    "clamp_min_": lambda x: x.clamp_min_(0),
    "fill_": lambda x: x.fill_(2.5),
    "zero_": lambda x: x.zero_(),
    "copy_": lambda x: x.copy_(floats(3, 4, seed=8)),
    "copy_ broadcast": lambda x: x.copy_(torch.arange(4)),
    "masked_fill_": lambda x: x.masked_fill_(bools(3, 4), 9),
    "index_fill_": lambda x: x.index_fill_(0, torch.tensor([1]), 3),
    "index_copy_": lambda x: x.index_copy_(1, torch.tensor([0]), torch.ones(3, 1)),
    "scatter_": lambda x: x.scatter_(1, ints(3, 2, high=4), 5.0),
    "scatter_add_": lambda x: x.scatter_add_(1, ints(3, 4, high=4), floats(3, 4)),
    "addcmul_": lambda x: x.addcmul_(floats(3, 4), floats(3, 4, seed=4)),
    "lerp_": lambda x: x.lerp_(torch.ones(3, 4), 0.5),
    "cumsum_": lambda x: x.cumsum_(1),
    "tril_": lambda x: x.tril_(),
    "triu_": lambda x: x.triu_(1),
    "floor_": lambda x: x.floor_(),
    "abs_": lambda x: x.abs_(),
    "sqrt_": lambda x: x.abs_().sqrt_(),
    "logical_not_": lambda x: x.logical_not_(),
    "eq_": lambda x: x.eq_(0),
    "fill_diagonal_": lambda x: x.fill_diagonal_(1),
    "remainder_": lambda x: x.remainder_(0.7),
    "floor_divide_": lambda x: x.floor_divide_(0.3),
    "nan_to_num_": lambda x: x.nan_to_num_(),
}


@over(*list(METHODS))
def whole(name):
    x = floats(3, 4)
    y = METHODS[name](x)
    return x, y, y is x


@over(*list(METHODS))
def through_a_view(name):
    x = floats(4, 3, 2).transpose(0, 1)
    y = x[..., 1]
    METHODS[name](y)
    return x, y


@over(*list(METHODS))
def through_the_base(name):
    x = floats(3, 4)
    rows, column, flat = x[1], x[:, 2], x.view(-1)
    METHODS[name](x)
    return rows, column, flat


@over(*FLOATS)
def halves(dtype):
    x = floats(3, 4, dtype=dtype)
    x += 0.1
    x *= floats(4)[0]
    x.add_(floats(3, 4, dtype=dtype), alpha=0.5)
    x /= 3
    y = ints(3)
    y += 2
    y *= True
    return x, y


@case
def types_that_do_not_fit():
    out = []
    for f in (
        lambda: ints(3).add_(1.5),
        lambda: ints(3).div_(2),
        lambda: bools(3).add_(1),
        lambda: floats(1).add_(floats(3)),
        lambda: floats(3).copy_(floats(2)),
    ):
        try:
            f()
            out.append("fine")
        except RuntimeError:
            out.append("RuntimeError")
    return out


@case
def static_cache():
    cache = torch.zeros(1, 2, 8, 4)
    keys = floats(1, 2, 3, 4)
    cache.index_copy_(2, torch.arange(3), keys)
    cache[:, :, 3:4] = floats(1, 2, 1, 4, seed=5)
    window = cache[:, :, :4]
    cache[:, :, 0].zero_()
    rolled = cache.roll(-1, dims=2)
    cache.copy_(rolled)
    cache[:, :, -1:, :].copy_(floats(1, 2, 1, 4, seed=6))
    return cache, window


@case
def conv_state():
    state = torch.zeros(1, 3, 4)
    x = floats(1, 3, 2)
    new = torch.cat([state, x], dim=-1)
    state.copy_(new[:, :, -4:])
    state = state.roll(shifts=-1, dims=-1)
    state[:, :, -1] = x[:, :, 0]
    return state, (state * floats(3, 4)).sum(-1)


@case
def inputs_are_changed():
    def change(t):
        t += 1
        t = t * 2
        t += 1
        return t

    x = floats(3)
    return change(x), x
