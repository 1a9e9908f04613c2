"""What a battery asks of a port beyond running it: other configs, caches on disc,
quantized weights, a training step."""

import copy
import tempfile
from pathlib import Path

from .candidate_weights import raw_weights
from .protocol import failure

_GROUP = 32  # the smallest group: tiny models have small rows


def classes_of(candidate):
    return candidate.module.Model, candidate.module.ModelArgs


def _weights(candidate):
    mx = candidate.mx
    dtype = getattr(mx, candidate.dtype)
    return {
        name: w.astype(dtype) if mx.issubdtype(w.dtype, mx.floating) else w
        for name, w in raw_weights(mx, candidate.checkpoint).items()
    }


def _made(candidate, config, weights):
    """The port's model of a config, with those weights."""
    from mlx_lm import utils

    model_class, args_class = classes_of(candidate)
    decode = getattr(utils, "_decode_tagged_floats", lambda config: config)
    model = model_class(args_class.from_dict(decode(copy.deepcopy(config))))
    kept = dict(weights)
    if hasattr(model, "sanitize"):
        kept = model.sanitize(kept)
    model.eval()
    model.load_weights(list(kept.items()), strict=True)
    candidate.keep(candidate.kept, model)
    return model


def in_form(candidate, config):
    """The same port with the same weights, under another config."""
    twin = copy.copy(candidate)
    twin.config = config
    twin.model = _made(candidate, config, _weights(candidate))
    return twin


def with_configs(candidate, configs, ids):
    """The logits of the same weights under each config.

    Returns ({"logits/N": (B, T, V)}, {N: why there are none, as protocol.failure}).
    """
    mx = candidate.mx
    weights = _weights(candidate)
    tensors, errors = {}, {}
    for number, config in enumerate(configs):
        try:
            logits = _made(candidate, config, weights)(mx.array(ids))
            mx.eval(logits)
            tensors[f"logits/{number}"] = logits
        except Exception as error:
            errors[str(number)] = failure(error)
    return tensors, errors


def _steps(candidate, cache, ids):
    """Logits (B, S, V) of single steps."""
    mx = candidate.mx
    out = []
    for t in range(ids.shape[1]):
        out.append(candidate.model(ids[:, t : t + 1], cache=cache))
        mx.eval(out[-1])
    return mx.concatenate(out, axis=1)


def prompt_cache(candidate, ids, prefill, extra):
    """Steps after a cache that was saved and loaded, and after one that was
    trimmed of `extra` tokens where mlx_lm says it can be.

    Returns {"plain", "saved", "trimmed"}: logits (B, S, V).
    """
    from mlx_lm.models import cache as caches

    mx = candidate.mx
    ids = candidate.array(ids)
    prompt, rest = ids[:, :prefill], ids[:, prefill:]

    def filled(tokens):
        cache = candidate.new_cache()
        logits = candidate.model(tokens, cache=cache)
        mx.eval(logits, [c.state for c in cache])
        return cache

    out = {"plain": _steps(candidate, filled(prompt), rest)}
    with tempfile.TemporaryDirectory(prefix="portwright-cache-") as folder:
        file = str(Path(folder) / "cache.safetensors")
        caches.save_prompt_cache(file, filled(prompt))
        loaded = caches.load_prompt_cache(file)
        out["saved"] = _steps(candidate, loaded, rest)
    longer = mx.concatenate([prompt, prompt[:, :extra]], axis=1)
    cache = filled(longer)
    if caches.can_trim_prompt_cache(cache):
        caches.trim_prompt_cache(cache, extra)
        out["trimmed"] = _steps(candidate, cache, rest)
    return out


def _fitting(model):
    """The port's own predicate, but where its groups do not fit a tiny row."""
    predicate = getattr(model, "quant_predicate", None)

    def fits(path, module):
        answer = predicate(path, module) if predicate is not None else True
        group = answer.get("group_size", 1) if isinstance(answer, dict) else 1
        return answer if module.weight.shape[-1] % group == 0 else False

    return fits


def _fake_quantized(mx, model, chosen):
    """Weights of the chosen modules as they are after a round of quantization."""
    for path, module in model.named_modules():
        if path in chosen and "weight" in module:
            group, bits = chosen[path]
            packed = mx.quantize(module.weight, group, bits)
            module.weight = mx.dequantize(*packed, group, bits)


def _unreached(before):
    """Large matrices that no module able to be quantized holds."""
    from mlx.utils import tree_flatten

    parameters = dict(tree_flatten(before.parameters()))
    total = sum(p.size for p in parameters.values())
    able = {p for p, m in before.named_modules() if hasattr(m, "to_quantized")}
    return [
        name
        for name, p in parameters.items()
        if p.ndim >= 2
        and p.shape[-1] % _GROUP == 0
        and p.shape[-2] >= _GROUP
        and p.size * 200 > total
        and name.rpartition(".")[0] not in able
    ]


def quantized(candidate, fresh, ids, prefill, bits):
    """A port quantized by its own predicate against the same port with the
    rounded weights, and against itself saved and loaded again.

    `fresh` loads the port anew. Returns (tensors, facts): `quantized`, `rounded`
    and `reloaded` are logits of a prefill and steps (B, S, V); `tokens` counts
    quantized modules, `unreached` names matrices left as they were.
    """
    from mlx_lm import utils

    mx = candidate.mx
    twin = fresh()
    model, config = utils.quantize_model(
        *(twin.model, twin.config, _GROUP, bits),
        quant_predicate=_fitting(twin.model),
    )
    chosen = {
        path: (module.group_size, module.bits)
        for path, module in model.named_modules()
        if hasattr(module, "bits")
    }
    twin.model = model
    tensors = {"quantized": twin.decode(ids, prefill)[0]["logits"]}
    rounded = fresh()
    unreached = _unreached(rounded.model)
    _fake_quantized(mx, rounded.model, chosen)
    tensors["rounded"] = rounded.decode(ids, prefill)[0]["logits"]
    with tempfile.TemporaryDirectory(prefix="portwright-quantized-") as folder:
        folder = Path(folder)
        utils.save_model(folder, model, donate_model=False)
        utils.save_config(dict(config), config_path=folder / "config.json")
        classes = classes_of(candidate)
        twin.model, _ = utils.load_model(
            folder,
            get_model_classes=lambda config: classes,
            model_config={"model_file": None},
        )
        tensors["reloaded"] = twin.decode(ids, prefill)[0]["logits"]
    return tensors, {"modules": len(chosen), "unreached": unreached}


def lora(fresh, ids, steps):
    """A few steps of mlx_lm's own fine-tuning on one batch.

    Returns {losses, adapters, unmoved}: the loss before each step and after the
    last, how many tensors are trained, and those that no step moved.
    """
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim
    from mlx.utils import tree_flatten
    from mlx_lm.tuner.trainer import default_loss
    from mlx_lm.tuner.utils import linear_to_lora_layers

    model = fresh().model
    model.freeze()
    options = {"rank": 4, "scale": 10.0, "dropout": 0.0}
    linear_to_lora_layers(model, len(model.layers), options)
    model.train()
    before = dict(tree_flatten(model.trainable_parameters()))
    batch = mx.array(ids)
    lengths = mx.array([[1, batch.shape[1] - 1]] * batch.shape[0])
    optimizer = optim.Adam(learning_rate=5e-3)
    step = nn.value_and_grad(model, default_loss)
    losses = []
    for _ in range(steps):
        (loss, _), gradients = step(model, batch, lengths)
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state, loss)
        losses.append(loss.item())
    losses.append(default_loss(model, batch, lengths)[0].item())
    after = dict(tree_flatten(model.trainable_parameters()))
    unmoved = [
        name
        for name, value in after.items()
        if name.endswith("lora_b") and bool(mx.array_equal(value, before[name]))
    ]
    return {"losses": losses, "adapters": len(before), "unmoved": unmoved}
