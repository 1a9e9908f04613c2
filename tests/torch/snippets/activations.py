import torch.nn.functional as F
from support import FLOATS, case, floats, over

import torch


@over(
    "relu",
    "relu6",
    "silu",
    "gelu",
    "softplus",
    "logsigmoid",
    "mish",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "hardtanh",
    "hardsigmoid",
    "hardswish",
    "softsign",
    "tanhshrink",
    "sigmoid",
    "tanh",
)
def activation(name):
    f = getattr(F, name)
    return (
        f(floats(4, 6) * 4),
        f(floats(5, dtype=torch.bfloat16) * 3),
        f(torch.tensor(0.5)),
    )


@over(*FLOATS)
def with_arguments(dtype):
    x = floats(4, 6, dtype=dtype) * 6
    return (
        F.gelu(x, approximate="tanh"),
        F.softplus(x, beta=2.0, threshold=3.0),
        F.leaky_relu(x, 0.2),
        F.elu(x, alpha=0.5),
        F.hardtanh(x, -2, 2),
        F.glu(x, dim=-1),
        F.threshold(x, 0.5, -1.0),
        torch.relu(x),
    )


@over(*FLOATS)
def softmaxes(dtype):
    x = floats(2, 3, 5, dtype=dtype) * 5
    return (
        F.softmax(x, dim=-1),
        F.softmax(x, dim=1),
        torch.softmax(x, -1),
        x.softmax(dim=-1),
        F.softmax(x, dim=-1, dtype=torch.float32),
        torch.softmax(x, -1, torch.float32),
        F.log_softmax(x, dim=-1),
        x.log_softmax(0),
        F.softmin(x, dim=-1),
        F.softmax(x, dim=-1, dtype=torch.float32).to(dtype),
    )


@case
def softmax_of_hidden_rows():
    x = torch.full((2, 3), float("-inf"))
    x[0, 1] = 1.0
    return F.softmax(x, dim=-1), F.softmax(torch.tensor(3.0), dim=0)


@case
def dropout_is_the_input():
    x = floats(3, 4)
    y = F.dropout(x, p=0.5, training=False)
    y[0] = 5
    return x, y, F.dropout(x, 0.3, False)


@case
def in_place_activation():
    x = floats(3, 4)
    y = F.relu(x, inplace=True)
    z = floats(4)
    F.silu(z, inplace=True)
    torch.relu_(w := floats(3))
    return x, y, z, w


@case
def learned_slopes():
    x = floats(2, 3, 4)
    return (
        F.prelu(x, floats(1)),
        F.prelu(x, floats(3)),
        torch.nn.PReLU()(x),
        torch.distributions.normal.Normal(0, 1).icdf(torch.tensor([0.5, 0.95])),
    )
