"""Makes a tiny, faithful, random checkpoint of a transformers causal LM.

    python -m portwright.workers.synth TYPE|CONFIG DIR [--seed N] [--set KEY=JSON]
        [--flat-rope] [--reference OUT.safetensors]

The same arguments and library versions give the same bytes; results are kept
under the user's cache directory.
"""

import argparse
import hashlib
import inspect
import itertools
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from . import offline, shrink, synth_tokenizer, synth_weights

SEED = 20
CHECK_IDS = [(i * 37 + 11) % 256 for i in range(27)]
GAINS = [1.5, 1.0, 0.6]
_DATA = Path(__file__).resolve().parent.parent / "data"


class SynthError(Exception):
    """The config cannot be shrunk to a model that builds and runs."""


def recipes():
    path = _DATA / "synth_recipes.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _alternatives(model_type):
    """The recipes of a type: one, or one for each generation of its config class."""
    found = recipes().get(model_type, {})
    return found if isinstance(found, list) else [found]


def cache_root():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "portwright" / "synth"


def _source(what, trust_remote_code):
    """(config, fields, fields_given): of a model type, or of a config file."""
    from transformers import CONFIG_MAPPING, AutoConfig

    path = Path(what)
    if path.exists():
        folder = path if path.is_dir() else path.parent
        if path.is_file() and path.name != "config.json":
            raise SynthError(f"{what}: expected a config.json or its directory")
        config = AutoConfig.from_pretrained(
            folder, trust_remote_code=trust_remote_code, local_files_only=True
        )
        given = json.loads((folder / "config.json").read_text())
        return config, config.to_dict(), given
    if what not in CONFIG_MAPPING:
        raise SynthError(
            f"{what}: neither a local config nor a model type of this transformers"
        )
    config = CONFIG_MAPPING[what]()
    return config, config.to_dict(), {}


def _own_code(what):
    """The Python files beside a config that names its classes by auto_map."""
    path = Path(what)
    if not path.exists():
        return []
    folder = path if path.is_dir() else path.parent
    if "auto_map" not in json.loads((folder / "config.json").read_text()):
        return []
    return sorted(folder.glob("*.py"))


def _add_code(files, folder):
    """Makes the checkpoint self-contained."""
    for file in files:
        shutil.copyfile(file, folder / file.name)
    source = json.loads((files[0].parent / "config.json").read_text())
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["auto_map"] = source["auto_map"]
    path.write_text(json.dumps(config, indent=2) + "\n")


def _kinds(fields):
    """What distinguishes layers by word: the lists of strings and booleans."""
    depth = shrink.layer_count(fields)
    lists = [
        v
        for k, v in sorted(fields.items())
        if isinstance(v, (list, tuple))
        and depth
        and len(v) == depth
        and all(isinstance(x, (str, bool)) or x in (0, 1) for x in v)
    ]
    return set(zip(*lists)) if lists else set()


def _changed(new, old):
    return {k: v for k, v in new.items() if k not in old or old[k] != v}


def _derived(cls, fields, variant, extra):
    """A config whose per-layer lists come from the config class itself, or None."""
    depth = shrink.layer_count(fields)
    if not depth:
        return None
    per_layer = {
        k
        for k, v in fields.items()
        if isinstance(v, (list, tuple)) and len(v) == depth and depth > 2
    }
    if not per_layer or fields.get("per_layer_config"):
        return None
    for count in range(3, 7):
        small = shrink.shrink_fields(fields, list(range(count)), variant)
        kwargs = {
            k: v for k, v in _changed(small, fields).items() if k not in per_layer
        }
        kwargs.update(extra)
        try:
            config = cls(**kwargs)
        except Exception:
            return None
        made = config.to_dict()
        if shrink.layer_count(made) == count and _kinds(made) >= _kinds(fields):
            return config
    return None


def _own(cls):
    return cls.__module__.startswith("transformers_modules")


def _follows(cls, name):
    """True for a number of layers that a class of one's own computes of others."""
    parameters = inspect.signature(cls.__init__).parameters
    return _own(cls) and name == "num_hidden_layers" and name not in parameters


def _explicit(cls, fields, given, variant, extra):
    # Code of one's own may run its layers in loops, which are to turn.
    least = shrink.least_layers(fields)
    if _own(cls):
        least = max(least, min(shrink.layer_count(fields) or 3, 6))
    layers = shrink.choose_layers(fields, least)
    small = shrink.shrink_fields(fields, layers, variant)
    kwargs = dict(small) if given else _changed(small, fields)
    if given:
        kwargs = {
            k: v
            for k, v in kwargs.items()
            if not k.startswith("_") and (k in given or not _follows(cls, k))
        }
    kwargs.update(extra)
    return cls(**kwargs)


def candidates(config, fields, given, extra):
    """Configs to try, the most telling first, with the variant each came from."""
    cls = type(config)
    for variant in shrink.VARIANTS:
        if not given:
            made = _derived(cls, fields, variant, extra)
            if made is not None:
                yield made
        try:
            made = _explicit(cls, fields, given, variant, extra)
        except Exception as error:
            yield error
            continue
        yield made


def _build(torch, config, seed, trust_remote_code):
    """A randomized model whose outputs are finite and of order one."""
    from transformers import AutoModelForCausalLM

    problem = None
    for gain in GAINS:
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(
            config,
            attn_implementation="eager",
            trust_remote_code=trust_remote_code,
            **offline.dtype_option(torch.float32),
        ).eval()
        synth_weights.randomize(torch, model, seed, gain)
        with torch.no_grad():
            logits = model(torch.tensor([CHECK_IDS]), use_cache=False).logits
        if logits.isfinite().all() and logits.abs().max() < 1e4:
            return model
        problem = f"logits reach {logits.abs().max().item():.3g}"
    raise SynthError(f"no gain keeps the activations finite: {problem}")


def _flatten_rope(folder):
    """Adds the flat rope keys that checkpoints of the v4 era carry."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    rope = config.get("rope_parameters") or {}
    if "rope_theta" in rope:
        config["rope_theta"] = rope["rope_theta"]
        scaling = {k: v for k, v in rope.items() if k != "rope_theta"}
        partial = scaling.pop("partial_rotary_factor", None)
        if partial is not None:
            config["partial_rotary_factor"] = partial
        plain = scaling.get("rope_type", "default") == "default"
        config["rope_scaling"] = None if plain else scaling
    for kind, name in (
        ("full_attention", "rope_theta"),
        ("sliding_attention", "rope_local_base_freq"),
    ):
        if isinstance(rope.get(kind), dict) and "rope_theta" in rope[kind]:
            config[name] = rope[kind]["rope_theta"]
    path.write_text(json.dumps(config, indent=2) + "\n")


def _save(model, folder, flat_rope):
    folder.mkdir(parents=True, exist_ok=True)
    generation = model.generation_config
    if generation is not None:
        if generation.pad_token_id is None:
            generation.pad_token_id = 258
        generation.bos_token_id = 256
        generation.eos_token_id = 257
    model.save_pretrained(folder)
    text = model.config.get_text_config()
    synth_tokenizer.write_tokenizer(folder, text.vocab_size)
    if flat_rope:
        _flatten_rope(folder)


def make(
    what, folder, seed=SEED, overrides=None, flat_rope=False, trust_remote_code=False
):
    """Writes the checkpoint without looking at the cache; returns the config."""
    offline.quiet()
    import torch

    config, fields, given = _source(what, trust_remote_code)
    code = _own_code(what)
    choices = [{}] if given else _alternatives(getattr(config, "model_type", ""))
    problem = None
    for candidate in itertools.chain.from_iterable(
        candidates(config, fields, given, {**choice, **(overrides or {})})
        for choice in choices
    ):
        if isinstance(candidate, Exception):
            problem = problem or candidate
            continue
        if code:
            candidate._name_or_path = str(code[0].parent)
        try:
            model = _build(torch, candidate, seed, trust_remote_code)
        except Exception as error:
            problem = problem or error
            continue
        _save(model, folder, flat_rope)
        if type(model.config) is not type(candidate):
            # The class takes an inner config; the type's checkpoints hold the outer.
            candidate.architectures = [type(model).__name__]
            candidate.save_pretrained(folder)
        if code:
            _add_code(code, folder)
        return model.config.to_dict()
    raise SynthError(f"{what}: {type(problem).__name__}: {problem}") from problem


def _key(what, seed, overrides, flat_rope):
    import importlib.metadata as metadata

    parts = [what if not Path(what).exists() else _config_text(what)]
    parts += [file.read_text() for file in _own_code(what)]
    parts += [seed, sorted((overrides or {}).items()), flat_rope]
    parts += [metadata.version(n) for n in ("torch", "transformers", "tokenizers")]
    here = Path(__file__).resolve().parent
    for name in ("shrink.py", "synth.py", "synth_weights.py", "synth_tokenizer.py"):
        parts.append(hashlib.sha256((here / name).read_bytes()).hexdigest())
    parts.append(recipes().get(what))
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:24]


def _config_text(what):
    path = Path(what)
    return (path / "config.json" if path.is_dir() else path).read_text()


def synth(
    what, folder, seed=SEED, overrides=None, flat_rope=False, trust_remote_code=False
):
    """As `make`, through the cache. Returns {"path", "cached", "config"}."""
    folder = Path(folder)
    stored = cache_root() / _key(what, seed, overrides, flat_rope)
    cached = (stored / "config.json").exists()
    if not cached:
        stored.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=stored.parent))
        try:
            make(what, draft, seed, overrides, flat_rope, trust_remote_code)
            if not stored.exists():
                draft.rename(stored)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for file in stored.iterdir():
        shutil.copyfile(file, folder / file.name)
    config = json.loads((stored / "config.json").read_text())
    return {"path": str(folder), "cached": cached, "config": config}


def _arguments():
    parser = argparse.ArgumentParser(prog="portwright.workers.synth")
    parser.add_argument("what", help="a transformers model type, or a config.json")
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON")
    parser.add_argument("--flat-rope", action="store_true")
    parser.add_argument("--reference", metavar="OUT.safetensors")
    return parser.parse_args()


def main():
    args = _arguments()
    overrides = {}
    for item in args.set:
        key, _, value = item.partition("=")
        overrides[key] = json.loads(value)
    try:
        result = synth(args.what, args.folder, args.seed, overrides, args.flat_rope)
    except SynthError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if args.reference:
        from . import reference

        reference.write_outputs(args.folder, args.reference, CHECK_IDS)
    result.pop("config")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
