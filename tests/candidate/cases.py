"""What both MLX's Python binding and our own mlx.core compute, as one text."""

import json

import mlx.core as mx

A = mx.arange(24).reshape(2, 3, 4)
X = (mx.arange(24).reshape(2, 3, 4).astype(mx.float32) - 11.5) / 7
J = mx.array([2, 0, 1])
H = X.astype(mx.bfloat16)


def assigned(x, index, value):
    y = mx.array(x)
    y[index] = value
    return y


def aliased():
    """In-place operators give the object its new value: other names see it."""
    x = mx.array([1.0, 2.0])
    y = x
    y += 1
    return [x, y]


CASES = {
    "weak int": lambda: X + 1,
    "weak float on int": lambda: A * 0.5,
    "weak float on half": lambda: H * 0.5,
    "weak bool": lambda: A + True,
    "bool array and int": lambda: (A > 3) + 1,
    "int divided": lambda: A / 2,
    "floor": lambda: [-A // 5, -A % 5, -X // 0.3],
    "power": lambda: [2 ** A[0, 0], X**2, 2.0 ** -mx.arange(3)],
    "reflected": lambda: [1 - X, 1 / (X + 9), 7 // (A + 1)],
    "half with float": lambda: H + X,
    "int types": lambda: A.astype(mx.uint8) + A.astype(mx.int64),
    "compare": lambda: [A > 3, X <= 0, A == 5, A != 5],
    "logic": lambda: [(A > 3) & (A < 9), (A > 3) | (A < 1), ~(A > 3)],
    "alias": aliased,
    "unary": lambda: [mx.exp(X), mx.rsqrt(X + 2), mx.sigmoid(X), mx.erf(X), abs(X)],
    "round": lambda: [mx.floor(X), mx.ceil(X), mx.round(X, 1), mx.sign(X)],
    "softmax": lambda: [mx.softmax(X, axis=-1), mx.softmax(H, -1, precise=True)],
    "where": lambda: [mx.where(A > 3, X, 0), mx.where(A > 3, 1, 0.5)],
    "clip": lambda: [mx.clip(X, 0, None), mx.clip(A, 2, 9), mx.clip(X, -1, 1)],
    "maximum": lambda: [mx.maximum(X, 0), mx.minimum(A, 4), mx.logaddexp(X, 0.0)],
    "array of ints": lambda: [mx.array([1, 2]), mx.array([[True], [False]])],
    "array of mixed": lambda: [mx.array([1, 2.5]), mx.array(3), mx.array([])],
    "array of arrays": lambda: mx.array([mx.array(1), mx.array(2)]),
    "array dtype": lambda: [mx.array([1.5, 2], mx.int32), mx.array(X, mx.float16)],
    "arange": lambda: [mx.arange(3), mx.arange(1, 2, 0.25), mx.arange(4.0)],
    "arange dtype": lambda: mx.arange(0, 8, 2, dtype=mx.float32),
    "full": lambda: [mx.full((2, 2), 3), mx.full(2, 0.5), mx.full((2,), mx.inf)],
    "zeros": lambda: [mx.zeros((2, 1)), mx.ones(3, mx.int32), mx.zeros_like(A)],
    "tri": lambda: [mx.tril(X[0]), mx.triu(X[0], k=1), mx.tri(3), mx.eye(3)],
    "linspace": lambda: mx.linspace(0, 1, 5),
    "reduce": lambda: [A.sum(), X.mean(-1), X.max(axis=(0, 1)), A.prod(0)],
    "keepdims": lambda: [X.sum(-1, keepdims=True), mx.logsumexp(X, (1, 2), True)],
    "var": lambda: [X.var(-1), mx.std(X, axis=0, ddof=1)],
    "any": lambda: [(A > 22).any(), mx.all(A > 3, axis=-1)],
    "argmax": lambda: [X.argmax(-1), mx.argmin(X)],
    "scan": lambda: [mx.cumsum(A, axis=1), X.cumsum(-1, reverse=True)],
    "scan exclusive": lambda: mx.cumsum(A, -1, inclusive=False),
    "sort": lambda: [mx.sort(-A), mx.argsort(-X, axis=1)],
    "topk": lambda: mx.sort(mx.topk(X, 2, axis=-1)),
    "partition": lambda: mx.sort(mx.argpartition(-X, kth=1, axis=-1)[..., :2]),
    "reshape": lambda: [A.reshape(6, -1), A.reshape((4, 6)), mx.reshape(A, (24,))],
    "flatten": lambda: [A.flatten(), A.flatten(0, 1), mx.unflatten(A, -1, (2, 2))],
    "transpose": lambda: [
        A.T,
        A.transpose(0, 2, 1),
        A.swapaxes(0, 1),
        A.moveaxis(0, 2),
    ],
    "expand": lambda: [mx.expand_dims(A, (0, 2)), A[:1].squeeze(0), A.squeeze()],
    "split": lambda: [*mx.split(A, 2, axis=-1), *A.split([1, 2], axis=1)],
    "join": lambda: [mx.concatenate([A, A], axis=1), mx.stack([X, X], axis=-1)],
    "repeat": lambda: [mx.repeat(A, 2, axis=1), mx.tile(J, (2, 2))],
    "roll": lambda: [mx.roll(A, 1), mx.roll(A, shift=-1, axis=2)],
    "pad": lambda: [
        mx.pad(J, 1),
        mx.pad(A, [(0, 0), (1, 0), (0, 2)]),
        mx.pad(X[0], (1, 2)),
    ],
    "broadcast": lambda: mx.broadcast_to(J, (2, 3)),
    "get int": lambda: [A[1], A[-1, 2], A[0, 1, 2]],
    "get slice": lambda: [A[:, 1:], A[..., :2], A[:, ::-1], A[:, -1:, ::2]],
    "get new axis": lambda: [A[:, None], J[None, :, None], A[..., None, 0]],
    "get array": lambda: [A[:, J], J[J], A[mx.array([1, 0])], A[..., J]],
    "get apart": lambda: [
        A[mx.array([0, 1]), :, mx.array([1, 2])],
        A[J[:2] % 2, 1:, 0],
    ],
    "get adjacent": lambda: [A[:, J, J], A[None, 0, J], A[mx.array([[0], [1]]), J]],
    "get list": lambda: A[[1, 0]],
    "get mixed": lambda: [A[0, :, J], A[mx.array(1)], A[:, mx.array([0, 2]), 1:3]],
    "set slice": lambda: assigned(A, (slice(None), slice(1, 3)), -1),
    "set broadcast": lambda: assigned(X, (Ellipsis, slice(0, 2)), mx.array([5.0, 6.0])),
    "set int": lambda: [assigned(A, 0, 7), assigned(A, (1, 2), J[0])],
    "set array": lambda: assigned(A, (slice(None), mx.array([0, 2])), 9),
    "set pairs": lambda: assigned(A, (0, J, J), mx.array([1, 2, 3])),
    "set cast": lambda: assigned(A, (0, 0), 2.7),
    "set mask": lambda: assigned(X, X > 0, 0.0),
    "at": lambda: [X.at[..., :2].multiply(3.0), A.at[0].add(1)],
    "take": lambda: [mx.take(A, J, axis=1), mx.take(J, 0), mx.take(A, 2, axis=1)],
    "along": lambda: mx.take_along_axis(X, mx.argsort(X, axis=-1), axis=-1),
    "put": lambda: mx.put_along_axis(X, mx.array([[[1]]]), mx.array(0.5), axis=-1),
    "iterate": lambda: list(A),
    "numbers": lambda: [
        len(A),
        A.shape,
        A.ndim,
        A.size,
        A[0, 0, 1].item(),
        float(X[0, 0, 0]),
    ],
    "lists": lambda: [A[0].tolist(), (A[0] > 3).tolist()],
    "matmul": lambda: [X @ X.swapaxes(-1, -2), mx.addmm(X[0, 0, :3], X[0], X[0].T)],
    "einsum": lambda: mx.einsum("bij,bkj->bik", X, X),
    "gather_mm": lambda: mx.gather_mm(
        X[:, :1], X.swapaxes(1, 2), rhs_indices=mx.array([1, 0])
    ),
    "conv1d": lambda: mx.conv1d(X, mx.ones((4, 2, 1)), groups=4, padding=1),
    "norms": lambda: [
        mx.fast.rms_norm(X, None, 1e-5),
        mx.fast.rms_norm(X, X[0, 0], 1e-5),
        mx.fast.layer_norm(X, X[0, 0], X[0, 1], 1e-5),
        mx.linalg.norm(X, axis=-1, keepdims=True),
    ],
    "rope": lambda: [
        mx.fast.rope(X, 4, traditional=False, base=100.0, scale=1.0, offset=3),
        mx.fast.rope(
            X[None],
            2,
            traditional=True,
            base=None,
            scale=0.5,
            offset=0,
            freqs=mx.array([3.0]),
        ),
        mx.fast.rope(
            X[:, None],
            4,
            traditional=False,
            base=10.0,
            scale=1.0,
            offset=mx.array([1, 5]),
        ),
    ],
    "attention": lambda: [
        mx.fast.scaled_dot_product_attention(X[None], X[None], X[None], scale=0.5),
        mx.fast.scaled_dot_product_attention(
            X[None], X[None], X[None], scale=0.5, mask="causal"
        ),
        mx.fast.scaled_dot_product_attention(
            X[None], X[None], X[None], scale=0.5, mask=mx.tril(mx.ones((3, 3))) > 0
        ),
    ],
    "quantized": lambda: mx.dequantize(
        *mx.quantize(mx.arange(64.0).reshape(1, 64), 32, 8), 32, 8
    ),
    "types": lambda: [
        str(X.dtype),
        str((A > 0).dtype),
        mx.float32 == X.dtype,
        mx.issubdtype(mx.bfloat16, mx.floating),
        mx.issubdtype(mx.int32, mx.floating),
        mx.uint32.size,
        mx.finfo(mx.float16).max,
        mx.finfo(mx.float32).min,
        mx.iinfo(mx.int32).max,
    ],
    "nan": lambda: [
        mx.isnan(mx.array([mx.nan, 1.0])),
        mx.nan_to_num(mx.array([mx.inf])),
    ],
    "as strided": lambda: mx.as_strided(mx.arange(8), (3, 2), (2, 1), 1),
}


def plain(value):
    if isinstance(value, mx.array):
        floats = mx.issubdtype(value.dtype, mx.floating)
        numbers = value.astype(mx.float32) if floats else value
        return {
            "dtype": str(value.dtype),
            "shape": list(value.shape),
            "values": [str(v) for v in numbers.flatten().tolist()],
        }
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return str(value)


def outcome(case):
    try:
        return plain(case())
    except Exception as error:
        return {"raises": type(error).__name__}


def report():
    return json.dumps({name: outcome(case) for name, case in CASES.items()})


if __name__ == "__main__":
    print(report())
