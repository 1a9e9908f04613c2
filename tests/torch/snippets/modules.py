from support import case, floats, ints, over

import torch
from torch import nn


def fill(module):
    """Weights both sides agree on."""
    for i, (_, p) in enumerate(module.named_parameters()):
        p.data.copy_(floats(*p.shape, seed=i + 1, dtype=p.dtype))
    return module.eval()


@case
def layers():
    x = floats(2, 3, 4)
    return (
        fill(nn.Linear(4, 5))(x),
        fill(nn.Linear(4, 5, bias=False))(x),
        fill(nn.LayerNorm(4))(x),
        fill(nn.LayerNorm(4, elementwise_affine=False))(x),
        fill(nn.RMSNorm(4, eps=1e-6))(x),
        fill(nn.Embedding(7, 4, padding_idx=0))(ints(2, 3, high=7)),
        fill(nn.GroupNorm(2, 4))(x.transpose(1, 2)),
        fill(nn.Conv1d(3, 5, 2, padding=1))(x),
        fill(nn.Conv1d(3, 3, 2, groups=3, bias=False))(x),
        fill(nn.BatchNorm1d(3))(x),
        nn.Dropout(0.5).eval()(x),
        nn.Identity()(x),
        fill(nn.Conv2d(1, 2, 2))(x[:1]),
    )


@over(
    "ReLU",
    "ReLU6",
    "SiLU",
    "GELU",
    "Tanh",
    "Sigmoid",
    "Softplus",
    "Mish",
    "LeakyReLU",
    "ELU",
    "Hardtanh",
    "Hardswish",
    "LogSigmoid",
    "SELU",
    "Softsign",
)
def activation_modules(name):
    return getattr(nn, name)()(floats(3, 4) * 3)


@case
def more_activations():
    x = floats(3, 4)
    return (
        nn.GELU(approximate="tanh")(x),
        nn.Softmax(dim=-1)(x),
        nn.LogSoftmax(dim=0)(x),
        nn.GLU()(x),
        nn.Flatten()(floats(2, 3, 4)),
    )


class Block(nn.Module):
    def __init__(self, size, inner):
        super().__init__()
        self.up = nn.Linear(size, inner, bias=False)
        self.down = nn.Linear(inner, size, bias=False)
        self.scale = nn.Parameter(torch.ones(size))
        self.register_buffer("table", torch.arange(size).float(), persistent=False)
        self.register_buffer("kept", torch.zeros(2))
        self.act = nn.SiLU()
        self.plain = torch.zeros(1)
        self.missing = None
        self.size = size

    def forward(self, x, factor=1.0):
        return self.down(self.act(self.up(x))) * self.scale * factor + self.table


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(4, 6) for _ in range(2)])
        self.head = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
        self.extra = nn.ModuleDict({"a": nn.Identity(), "b": nn.Linear(2, 2)})
        self.weights = nn.ParameterList(
            [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3))]
        )
        self.tied = self.blocks[0].up

    def forward(self, x):
        for block in self.blocks:
            x = block(x, factor=0.5)
        return self.head(self.extra["a"](x))


@case
def tree():
    m = fill(Model())
    return (
        m(floats(2, 4)),
        [n for n, _ in m.named_parameters()],
        [n for n, _ in m.named_modules()],
        [n for n, _ in m.named_buffers()],
        [n for n, _ in m.named_children()],
        list(m.state_dict().keys()),
        len(list(m.parameters())),
        len(m.blocks),
        m.training,
        "a" in m.extra,
        m.blocks[-1].size,
        m.get_submodule("blocks.1.up").in_features,
        m.get_parameter("blocks.0.scale").shape,
        len(m.head),
        m.blocks[0].table,
        [n for n, _ in m.blocks[0].named_parameters(recurse=False)],
        m.blocks[0].missing is None,
        isinstance(m.blocks[0].scale, nn.Parameter),
        isinstance(m.blocks[0].plain, nn.Parameter),
        isinstance(m, nn.Module),
        [type(b).__name__ for b in m.blocks],
        len(m.blocks[:1]),
        hasattr(m, "nothing"),
        sum(p.numel() for p in m.parameters()),
    )


@case
def assignment_moves_names():
    m = nn.Module()
    m.a = nn.Parameter(torch.zeros(2))
    m.a = None
    m.b = nn.Linear(1, 1)
    m.register_buffer("c", None)
    m.c = torch.ones(2)
    m.register_parameter("d", None)
    m.e = torch.zeros(1)
    m.e = nn.Parameter(torch.ones(1))
    del m.b
    m.f = nn.Buffer(torch.ones(3))
    m.g = nn.Buffer(torch.ones(3), persistent=False)
    return (
        m.a is None,
        list(m.state_dict()),
        [n for n, _ in m.named_buffers()],
        [n for n, _ in m.named_parameters()],
        hasattr(m, "b"),
        m.d is None,
        getattr(m, "zz", 5),
    )


@case
def hooks():
    m = fill(nn.Linear(2, 2))
    seen = []
    h1 = m.register_forward_pre_hook(lambda mod, args: (args[0] * 2,))
    m.register_forward_hook(lambda mod, args, out: seen.append(out.sum().item()))
    first = m(floats(1, 2))
    h1.remove()
    second = m(floats(1, 2))
    return first, second, len(seen), seen


@case
def conversions():
    m = fill(Model()).to(torch.bfloat16)
    n = Model().half().float()
    return (
        m(floats(2, 4, dtype=torch.bfloat16)).dtype,
        m.blocks[0].up.weight.dtype,
        m.blocks[0].table.dtype,
        n.head[0].weight.dtype,
    )


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, k):
        ctx.save_for_backward(x)
        return x * k

    @staticmethod
    def backward(ctx, grad):
        return grad * 2, None


@torch.no_grad()
def decorated(x):
    with torch.enable_grad():
        y = x + 1
    with torch.no_grad():
        return y * 2


@torch.jit.script
def scripted(x):
    return x.abs()


@case
def surface():
    with torch.inference_mode():
        a = floats(2) + 1
    with torch.autocast(device_type="cpu", enabled=False):
        b = a * 2
    return (
        Double.apply(floats(3), 2.0),
        decorated(floats(2)),
        scripted(floats(2)),
        b,
        torch.cuda.is_available(),
        torch.compiler.is_compiling(),
        torch.jit.is_scripting(),
        torch.jit.is_tracing(),
        torch.is_tensor(3),
        torch.get_default_dtype() == torch.float32,
    )


@case
def random_weights_are_replaced():
    a = nn.Parameter(torch.randn(3, 4))
    b = torch.rand(2)
    nn.init.normal_(a, mean=0.0, std=0.02)
    nn.init.zeros_(a)
    c = torch.empty(5).uniform_(0, 16)
    return a, b.shape, c.shape, torch.log(c).dtype


@case
def tied_and_loaded():
    e, h = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
    h.weight = e.weight
    with torch.no_grad():
        e.weight.copy_(floats(5, 4))
        e.weight[0] = 0
    return h(floats(1, 4)), h.weight is e.weight


@case
def parts_that_libraries_look_for():
    import torch.utils._pytree

    assert hasattr(nn.utils.parametrizations, "weight_norm")
    assert callable(torch.utils._pytree.register_pytree_node)
    assert callable(torch.fx._pytree.register_pytree_flatten_spec)
    x = floats(4)
    assert x.data_ptr() == x.view(2, 2).data_ptr() != floats(4).data_ptr()
    assert x.data_ptr() % 16 == 0
    return x
