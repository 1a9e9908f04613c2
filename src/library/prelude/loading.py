"""What the library does with a config and a checkpoint, asked from C++."""

import re
from copy import deepcopy

from portwright.conversions import fill_table
from transformers import configuration_utils
from transformers.models.auto.configuration_auto import AutoConfig
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

import torch


def _config_base():
    current = getattr(configuration_utils, "PreTrainedConfig", None)
    return configuration_utils.PretrainedConfig if current is None else current


def _decode_special_floats(value):
    """{"__float__": "Infinity"} is how NaN and infinities reach this module."""
    if isinstance(value, dict):
        if set(value) == {"__float__"}:
            return float(value["__float__"])
        return {key: _decode_special_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode_special_floats(item) for item in value]
    return value


_loaded = {}
_read = {}
_given = set()  # base classes that ask `_read` for a config's fields


def _get_config_dict(name, **kwargs):
    for key in ("_from_auto", "name_or_path", "revision", "_commit_hash"):
        kwargs.pop(key, None)
    return _read["fields"], kwargs


def load_config(fields, text):
    """A config object of the class that the library, or auto_map, names. `text` is
    what the fields were read from."""
    if text not in _loaded:
        _loaded[text] = _read_config(fields)
    return deepcopy(_loaded[text])


def _read_config(fields):
    base = _config_base()
    decode = getattr(base, "_decode_special_floats", _decode_special_floats)
    fields = decode(fields)
    # Once: a class that changes has the evaluator look up all attributes anew.
    if base not in _given:
        base.get_config_dict = staticmethod(_get_config_dict)
        _given.add(base)
    _read["fields"] = fields
    reference = (fields.get("auto_map") or {}).get("AutoConfig")
    if reference is not None:  # before v5 AutoConfig would look for its files
        from transformers.dynamic_module_utils import get_class_from_dynamic_module

        config = get_class_from_dynamic_module(reference).from_dict(fields)
    else:
        config = AutoConfig.from_pretrained("", trust_remote_code=True)
    _use_eager(config)
    return config


def _use_eager(config):
    config._attn_implementation = "eager"
    if hasattr(config, "_experts_implementation"):
        config._experts_implementation = "eager"
    for inner in _inner_configs(config):
        _use_eager(inner)


def _inner_configs(config):
    for name in getattr(config, "sub_configs", None) or ():
        inner = getattr(config, name, None)
        if inner is not None and not isinstance(inner, dict):
            yield inner


def model_class(config):
    return AutoModelForCausalLM.class_for(config)[0]


def build_model(config, dtype):
    for one in (config, *_inner_configs(config)):
        for name in ("dtype", "torch_dtype"):
            if name in one.__dict__:
                setattr(one, name, dtype)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=True)
    finally:
        torch.set_default_dtype(before)
    _keep_in_float32(model, dtype)
    return model.eval()


def _keep_in_float32(model, dtype):
    """What the library computes in float32 whatever the dtype asked for."""
    patterns = set()
    if dtype in (torch.float16, torch.bfloat16):
        patterns |= set(model._keep_in_fp32_modules_strict or ())
    if dtype == torch.float16:
        patterns |= set(model._keep_in_fp32_modules or ())
    for name, parameter in model.named_parameters():
        if any(re.search(rf"(^|\.){p}(\.|$)", name) for p in patterns):
            parameter.data = parameter.data.to(torch.float32)


def _transforms(model):
    try:
        from transformers.conversion_mapping import get_model_conversion_mapping
        from transformers.core_model_loading import WeightConverter, WeightRenaming
    except ImportError:
        return None, [], []
    fill_table()
    transforms = get_model_conversion_mapping(model)
    renamings = [t for t in transforms if isinstance(t, WeightRenaming)]
    converters = [t for t in transforms if isinstance(t, WeightConverter)]
    return WeightRenaming, renamings, converters


def _renamed_before_v5(model, key, expected):
    for pattern, replacement in (model._checkpoint_conversion_mapping or {}).items():
        renamed, count = re.subn(pattern, replacement, key)
        if count:
            key = renamed
            break
    for old, new in (("gamma", "weight"), ("beta", "bias")):
        if key.endswith("LayerNorm." + old):
            key = key[: -len(old)] + new
    prefix = model.base_model_prefix
    if key not in expected and prefix:
        if key.startswith(prefix + ".") and key[len(prefix) + 1 :] in expected:
            return key[len(prefix) + 1 :]
        if f"{prefix}.{key}" in expected:
            return f"{prefix}.{key}"
    return key


def _plan(model, tensors, expected, unexpected):
    """{first target name: transform}, every transform holding its tensors."""
    renaming_class, renamings, converters = _transforms(model)
    if renaming_class is None:
        plan = {}
        for key, tensor in tensors.items():
            name = _renamed_before_v5(model, key, expected)
            if name in expected:
                plan[name] = (None, tensor)
            else:
                unexpected.add(key)
        return plan
    from transformers.core_model_loading import dot_natural_key, rename_source_key

    by_pattern = {p: c for c in converters for p in c.source_patterns}
    prefix = model.base_model_prefix
    plan = {}
    for key in sorted(tensors, key=dot_natural_key):
        name, pattern = rename_source_key(key, renamings, converters, prefix, expected)
        if name not in expected and key in expected:
            name, pattern = rename_source_key(key, [], [], prefix, expected)
        if name not in expected:
            unexpected.add(name)
            continue
        if pattern is not None:
            transform = plan.setdefault(name, deepcopy(by_pattern[pattern]))
        else:
            transform = plan.setdefault(name, renaming_class(key, name))
            pattern = key
        transform.add_tensor(name, key, pattern, tensors[key])
    return plan


def _store(model, name, value, missing, mismatched):
    path, _, attribute = name.rpartition(".")
    parent = model.get_submodule(path) if path else model
    current = getattr(parent, attribute)
    missing.discard(name)
    if tuple(current.shape) != tuple(value.shape):
        mismatched.append(
            f"{name}: {tuple(value.shape)} in the checkpoint, "
            f"{tuple(current.shape)} in the model"
        )
        return
    if value.dtype != current.dtype:
        value = value.to(current.dtype)
    current.data = value


def _part_shared(model, given):
    """A parameter that is given under several names becomes one for each.

    Tying then decides, by their values, as after the library's own loader.
    """
    sources = set((getattr(model, "all_tied_weights_keys", None) or {}).values())
    pairs = list(model.named_parameters(remove_duplicate=False))
    pairs.sort(key=lambda pair: pair[0] not in sources)
    owners = {}
    for name, parameter in pairs:
        if name not in given:
            continue
        path, _, attribute = name.rpartition(".")
        owner = model.get_submodule(path) if path else model
        known = owners.setdefault(id(parameter), (owner, attribute))
        if known[0] is not owner or known[1] != attribute:
            setattr(owner, attribute, torch.nn.Parameter(parameter.data))


def _shared_with_loaded(model, missing):
    """The missing names of parameters that another name of theirs was given."""
    names = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), set()).add(name)
    return {
        name
        for group in names.values()
        if not group <= missing
        for name in group & missing
    }


def _ignored(names, patterns):
    return {n for n in names if any(re.search(p, n) for p in patterns)}


def load_weights(model, tensors):
    """Gives the model its values; answers what did not fit."""
    expected = model.state_dict()
    missing = set(expected)
    unexpected = set()
    mismatched = []
    plan = _plan(model, tensors, expected, unexpected)
    _part_shared(model, plan)
    for first, transform in plan.items():
        if isinstance(transform, tuple):
            values = {first: transform[1]}
        else:
            values = transform.convert(first, model=model, config=model.config)
        for name, value in values.items():
            value = value[0] if isinstance(value, list) else value
            if name in expected:
                _store(model, name, value, missing, mismatched)
            else:
                unexpected.add(name)
    if hasattr(model, "all_tied_weights_keys"):
        model.tie_weights(missing_keys=missing, recompute_mapping=False)
        if model._tied_weights_keys and not isinstance(model._tied_weights_keys, dict):
            missing -= _shared_with_loaded(model, missing)
    missing -= _ignored(missing, model._keys_to_ignore_on_load_missing or ())
    patterns = set(model._keys_to_ignore_on_load_unexpected or ())
    patterns |= {r"rotary_emb\.inv_freq", r"(^|\.)position_ids$"}
    unexpected -= _ignored(unexpected, patterns)
    return {
        "missing": sorted(missing),
        "unused": sorted(unexpected),
        "mismatched": mismatched,
    }
