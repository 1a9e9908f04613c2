"""One model in an emitted port and in mlx-lm's hand-written file of the same type.

Hand-written files read configs in the form of transformers 4, some of them fields that
only the first checkpoints had, and some take sizes for granted. So each is given the flat
form that `portwright audit` gives, and sizes as real checkpoints choose them where the
shrunk ones do not load; hand_written.json holds what is left, by type: `config` changes the
model of both sides, `fields` says the same once more under names that only theirs reads.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))
DATA = json.loads((ROOT / "bench" / "hand_written.json").read_text())
# Config fields that say how wide a model is, and leave its heads as they are.
WIDTHS = (
    *("hidden_size", "intermediate_size", "moe_intermediate_size"),
    *("shared_expert_intermediate_size", "ffn_hidden_size", "ffn_dim"),
    *("n_embd", "d_model", "n_inner", "expert_ffn_size", "lru_width"),
)


def wider(config, factor):
    return {
        key: config[key] * factor
        for key in WIDTHS
        if isinstance(config.get(key), int) and config[key] and factor > 1
    }


def usual(config):
    """The sizes that follow from others in most checkpoints, as those of heads."""
    width = config.get("hidden_size")
    heads = config.get("num_attention_heads")
    out = {}
    if isinstance(width, int) and isinstance(heads, int):
        out["head_dim"] = width // heads
    for count, size, factor in (
        ("num_heads", "head_dim", "expand"),
        ("mamba_n_heads", "mamba_d_head", "mamba_expand"),
    ):
        if all(isinstance(config.get(key), int) for key in (count, size, factor)):
            out[count] = config[factor] * width // config[size]
            out.pop(size, None)
    return {key: value for key, value in out.items() if key in config}


def inner(config):
    """As `usual`, and the inner size of a feed-forward is four times the width."""
    out = usual(config)
    for name, width in (("intermediate_size", "hidden_size"), ("n_inner", "n_embd")):
        if name in config and isinstance(config.get(width), int):
            out[name] = 4 * config[width]
    return out


def checkpoints(name, folder, factor):
    """Folders to try of what `portwright synth` makes, so many times as wide."""
    from portwright.workers import synth

    said = DATA.get(name, {}).get("config", {})
    config = synth.synth(name, folder / "first", overrides=said, flat_rope=True)
    config = config["config"]
    changes = {**said, **wider(config, factor)}
    for index, sizes in enumerate((lambda _: {}, usual, inner)):
        path = folder / f"{factor}-{index}"
        overrides = {**changes, **sizes({**config, **changes})}
        try:
            synth.synth(name, path, overrides=overrides, flat_rope=True)
        except synth.SynthError as error:
            yield error
            continue
        yield path


def completed(path, name):
    """The same checkpoint with the fields that the hand-written file reads."""
    from portwright.workers import hub_form

    out = path.with_name(path.name + "-theirs")
    out.mkdir()
    for file in path.iterdir():
        if file.name != "config.json":
            os.symlink(file, out / file.name)
    config = out / "config.json"
    config.write_text((path / "config.json").read_text())
    hub_form.complete(out)
    fields = DATA.get(name, {}).get("fields", {})
    config.write_text(json.dumps({**json.loads(config.read_text()), **fields}))
    return out


def _elements(parameters):
    return sum(value.size for value in parameters.values())


def _shared_tail(path, other):
    """How many parts two paths have in common at their ends."""
    pairs = zip(reversed(path.split(".")), reversed(other.split(".")))
    count = 0
    for one, two in pairs:
        if one != two:
            break
        count += 1
    return count


def _given(path, ours):
    """The hand-written model with our model's weights, where `sanitize` does not know
    the checkpoint: each goes where the ends of names and the shape agree."""
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm import utils

    config = utils.load_config(path)
    model_class, args_class = utils._get_classes(config)
    model = model_class(args_class.from_dict(config))
    here = dict(tree_flatten(ours.parameters()))
    there = dict(tree_flatten(model.parameters()))
    if _elements(here) != _elements(there):
        raise ValueError(
            f"another model: {_elements(there)} weights, the port has {_elements(here)}"
        )
    weights = []
    for name, value in there.items():
        alike = [n for n in here if here[n].shape == value.shape]
        best = max(alike, key=lambda n: _shared_tail(n, name), default=None)
        weights.append((name, here[best] if best else value.astype(mx.float32)))
    model.load_weights(weights)
    return model


def _ours(path, port, folder):
    """The port, or, where a guard says that it was not compiled for such a config, the
    one that is compiled from the checkpoint of `factor` 1."""
    from portwright.workers.candidate import Candidate

    try:
        return Candidate(path, port).model
    except ValueError:
        own = folder / "own.py"
        if not own.exists():
            command = [ROOT / "portwright", "compile", folder / "first", "-o", own]
            subprocess.run(command, check=True, capture_output=True)
        return Candidate(path, own).model


def load(name, port, folder, factor):
    """(ours, theirs), or what is raised at the last of the folders to try."""
    from portwright.workers.candidate import Candidate

    trouble = None
    for path in checkpoints(name, folder, factor):
        if isinstance(path, Exception):
            trouble = trouble or path
            continue
        try:
            ours = _ours(path, port, folder)
            theirs = completed(path, name)
            try:
                return ours, Candidate(theirs, None).model
            except ValueError:
                return ours, _given(theirs, ours)
        except Exception as error:  # of mlx_lm or a model's file
            trouble = error
    raise trouble
