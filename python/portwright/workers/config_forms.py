"""Other configs for the weights of a loaded model.

Some mean the same to transformers, so a port must take them alike; some change
the result without changing a shape, so a port that keeps its result ignores a
field; some change nothing, because the source has a value of its own or reads
none, so a port that computes otherwise takes what is not taken.
"""

import copy
import json
from pathlib import Path

_VISIBLE = 1e-3  # of the largest logit: what a changed field must move at least
_EXPLAINS = 2e-4  # as far as a port is wrong at least
_SAME = 1e-5
_WINDOW = 8  # shorter than the usual prompts
_PART = "partial_rotary_factor"
_LARGEST = 50_000_000  # parameters; every form is a model of its own
# Of the file and of generation, not of the computation on given weights; ties
# and sizes of vocabularies decide what a checkpoint holds.
_NOT_COMPUTED = {
    "architectures",
    "auto_map",
    "dtype",
    "model_type",
    "quantization_config",
    "tie_word_embeddings",
    "torch_dtype",
    "transformers_version",
    "use_cache",
    "vocab_size",
}


_SCALINGS = [
    {"rope_type": "linear", "factor": 2.0},
    {
        "rope_type": "llama3",
        "factor": 4.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16,
    },
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
    {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 16,
        "attention_factor": 1.3,
    },
]


def _ropes(config, above=()):
    """The paths of ropes without scaling, one for all layers or one for a kind."""
    for key, value in config.items():
        if isinstance(value, dict):
            if (
                "rope" in ".".join((*above, key))
                and value.get("rope_type") == "default"
            ):
                yield (*above, key), value
            yield from _ropes(value, (*above, key))


def _scalings(config, rotated):
    """(path, scaling, form): scaled forms of ropes that have none; `rotated` is the
    number of dimensions that a rope rotates, where that is known."""
    heads = config.get("num_attention_heads")
    if config.get("head_dim", heads) is None and heads:
        # Some functions of the library read it, and only them.
        config = {**config, "head_dim": config["hidden_size"] // heads}
    for path, rope in _ropes(config):
        longrope = {
            "rope_type": "longrope",
            "factor": 4.0,
            "short_factor": [1.0 + 0.1 * i for i in range(rotated // 2)],
            "long_factor": [2.0 + 0.1 * i for i in range(rotated // 2)],
            "original_max_position_embeddings": 16,
        }
        for scaling in [*_SCALINGS, *([longrope] if rotated else [])]:
            yield path, scaling, _with(config, path, {**rope, **scaling})
        dynamic = {"rope_type": "dynamic", "factor": 2.0}
        form = _with(config, path, {**rope, **dynamic})
        if "max_position_embeddings" in config:  # it grows from there on
            form["max_position_embeddings"] = 16
            yield path, dynamic, form


def _paths(config, above=()):
    """Every field, those inside nested objects too."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _paths(value, (*above, key))
        elif key not in _NOT_COMPUTED and not key.endswith("_token_id"):
            yield (*above, key), value


def _with(config, path, value):
    out = copy.deepcopy(config)
    inner = out
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return out


def _without(config, path):
    out = copy.deepcopy(config)
    inner = out
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return out


def _flat_rope(config):
    """The form of the v4 era, in place of nested rope parameters."""
    out = copy.deepcopy(config)
    rope = out.pop("rope_parameters", None) or {}
    if "rope_theta" in rope:
        out["rope_theta"] = rope.pop("rope_theta")
        if "partial_rotary_factor" in rope:
            out["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
        plain = rope.get("rope_type", "default") == "default"
        out["rope_scaling"] = None if plain else rope
    return out


def _is_window(key, value):
    """A field that bounds, or may bound, how far back attention looks."""
    named = any(word in key for word in ("window", "chunk_size", "local_attention"))
    other = any(word in key for word in ("layers", "pattern"))
    number = value is None or isinstance(value, int) and not isinstance(value, bool)
    return named and not other and number


def _switches(config):
    """[{path: value}]: what else may have to be said for a window to act."""
    paths = list(_paths(config))
    on = {
        path: True
        for path, value in paths
        if value is False and any(w in path[-1] for w in ("sliding", "window", "swa"))
    }
    first = {
        path: 0
        for path, value in paths
        if isinstance(value, int) and path[-1] == "max_window_layers"
    }
    yield {}
    yield on
    for path, value in paths:
        if path[-1] == "layer_types" and isinstance(value, list):
            kinds = ["sliding_attention", "full_attention"]
            yield {**on, **first, path: [kinds[i % 2] for i in range(len(value))]}
    yield {**on, **first}


def _others(value, activations):
    """Values to try in place of one, the mildest that may show first."""
    if isinstance(value, bool):
        return [not value]
    if value is None:
        return [0.5, 4]
    if isinstance(value, float):
        return [0.1, 1.0] if value < 0.01 else [value * 0.5, value * 0.1, value * 3]
    if isinstance(value, int):
        # None of what there is to choose from leaves the choice to ties.
        return [value + 1, *([value - 1] if value != 1 else []), value * 2]
    if isinstance(value, str) and value in activations:
        return [a for a in ("relu", "gelu", "silu") if a != value][:2]
    if isinstance(value, list) and value != value[::-1]:
        return [value[::-1]]
    return []


def _decoded(form):
    """The config as transformers reads it from its file: floats that JSON lacks."""

    def number(item):
        return float(item["__float__"]) if set(item) == {"__float__"} else item

    return json.loads(json.dumps(form), object_hook=number)


def _made(model, form):
    """Another model with the weights of `model`."""
    config = type(model.config).from_dict(_decoded(form))
    config._attn_implementation = "eager"
    if hasattr(model.config, "_experts_implementation"):
        config._experts_implementation = "eager"
    out = type(model)(config)
    out.load_state_dict(model.state_dict(), strict=True)
    return out.eval()


def in_form(reference, form):
    """The same reference with the same weights, under another config."""
    twin = copy.copy(reference)
    twin.model = _made(reference.model, form)
    twin.model.generation_config = reference.model.generation_config
    return twin


class ConfigForms:
    """Forms of the config in `folder`, tried on the weights of `reference`."""

    def __init__(self, reference, folder):
        self.reference = reference
        self.model = reference.model
        self.torch = reference.torch
        self.config = json.loads((Path(folder) / "config.json").read_text())
        self.kind = type(self.model.config)

    def _meaning(self, form):
        """What transformers makes of a form; None when it refuses."""
        try:
            meaning = self.kind.from_dict(_decoded(form)).to_dict()
        except Exception:
            return None
        meaning.pop("transformers_version", None)
        return json.dumps(meaning, sort_keys=True, default=str)

    def equal(self):
        """[{what, config}]: absent and null fields, both forms of rope."""
        wanted = self._meaning(self.config)
        if wanted is None:
            return []
        forms = [("flat rope fields", _flat_rope(self.config))]
        for path, _ in _paths(self.config):
            name = ".".join(path)
            forms.append((f"{name} absent", _without(self.config, path)))
            forms.append((f"{name} null", _with(self.config, path, None)))
        return [
            {"what": what, "config": form}
            for what, form in forms
            if form != self.config and self._meaning(form) == wanted
        ]

    def _logits(self, form, ids):
        torch = self.torch
        model = _made(self.model, form)
        with torch.no_grad():
            return model(torch.tensor(ids), use_cache=False).logits.float()

    def _tried(self, out, base, field, value, form, ids, least=_VISIBLE, still=None):
        """Adds the form to `out` if it computes, and otherwise than `base`; to `still`
        if it changes nothing."""
        try:
            logits = self._logits(form, ids)
        except Exception:  # another shape, or no config at all
            return False
        alike = logits.shape == base.shape  # not with another vocabulary
        moved = (logits - base).abs().max() / base.abs().max() if alike else 1.0
        entry = {"field": field, "value": value, "config": form, "logits": logits}
        if still is not None and moved <= _SAME:
            still.append(entry)
        if not (bool(self.torch.isfinite(logits).all()) and moved > least):
            return False
        out.append(entry)
        return True

    def _rotated(self):
        """How many dimensions the model's rope rotates; 0 where it has none."""
        for name, value in self.model.named_buffers():
            if name.endswith("inv_freq"):
                return 2 * value.numel()
        return 0

    def _fields(self, activations):
        """(path, other values): every field of the config, and the part of each head
        that turns where a rope may have one and has none."""
        for path, value in _paths(self.config):
            yield path, _others(value, activations)
        for path, rope in _ropes(self.config):
            if _PART not in rope:
                yield (*path, _PART), [0.5, 0.25]

    def altered(self, ids):
        """[{field, value, config, logits}] of fields that move the logits, and of those
        of which no other value does."""
        from transformers.activations import ACT2FN

        out = []
        if self.reference.parameters > _LARGEST:
            return out
        base = self.reference.forward(ids)[0]["logits"]
        for path, others in self._fields(ACT2FN):
            still = []
            for other in others:
                form = _with(self.config, path, other)
                field = ".".join(path)
                if self._tried(out, base, field, other, form, ids, still=still):
                    break
            else:
                out += still[:1]
        for path, scaling, form in _scalings(self.config, self._rotated()):
            kind = scaling["rope_type"]
            if "attention_factor" in scaling:
                kind += " with attention_factor"
            self._tried(out, base, ".".join(path), kind, form, ids)
        return out

    def windowed(self, ids):
        """{config, fields}: the nearest form in which attention forgets what lies
        further back than a few of `ids`, and nothing else changes; config None where
        no field makes that."""
        nothing = {"config": None, "fields": {}}
        windows = [p for p, v in _paths(self.config) if _is_window(p[-1], v)]
        if self.reference.parameters > _LARGEST or not windows:
            return nothing
        base = self.reference.forward(ids)[0]["logits"]
        scale = base.abs().max()
        for more in _switches(self.config):
            for window in windows:
                changes = {**more, window: _WINDOW}
                form = self.config
                for path, value in changes.items():
                    form = _with(form, path, value)
                try:
                    logits = self._logits(form, ids)
                except Exception:
                    continue
                moved = (logits - base).abs().amax(dim=(0, 2)) / scale
                near, far = moved[:_WINDOW].max(), moved[_WINDOW:].max()
                if near <= _SAME and far > _VISIBLE:
                    fields = {".".join(p): v for p, v in changes.items()}
                    return {"config": form, "fields": fields}
        return nothing

    def without(self, ids):
        """As `altered`: each field absent, null, off, or without effect, which is
        how a port computes that ignores it."""
        out = []
        if self.reference.parameters > _LARGEST:
            return out
        base = self.reference.forward(ids)[0]["logits"]
        paths = [((k,), v) for k, v in self.config.items() if isinstance(v, dict)]
        for path, value in [*paths, *_paths(self.config)]:
            field = ".".join(path)
            absent = _without(self.config, path)
            self._tried(out, base, field, "absent", absent, ids, _EXPLAINS)
            neutral = (
                [None, False] if not isinstance(value, float) else [None, 0.0, 1.0]
            )
            if isinstance(value, str):
                neutral = ["relu", "silu", "gelu", "gelu_pytorch_tanh"]
            for other in neutral:
                if other != value:
                    form = _with(self.config, path, other)
                    self._tried(out, base, field, other, form, ids, _EXPLAINS)
        return out
