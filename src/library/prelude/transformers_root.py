"""The top level of transformers: names remote code imports from it."""

import importlib

from portwright.facts import transformers_version as __version__

# Where the library itself defines what its top level offers.
_HOMES = {
    "PreTrainedConfig": "configuration_utils",
    "PretrainedConfig": "configuration_utils",
    "PreTrainedModel": "modeling_utils",
    "AttentionInterface": "modeling_utils",
    "AttentionMaskInterface": "masking_utils",
    "GradientCheckpointingLayer": "modeling_layers",
    "GenerationMixin": "generation",
    "GenerationConfig": "generation",
    "AutoConfig": "models.auto.configuration_auto",
    "CONFIG_MAPPING": "models.auto.configuration_auto",
    "TransformersKwargs": "utils.generic",
    "logging": None,
}
_PLACES = (
    "cache_utils",
    "modeling_outputs",
    "activations",
    "masking_utils",
    "modeling_rope_utils",
    "pytorch_utils",
)


def _folders_with(name):
    """Folders whose classes the auto mappings know by this name."""
    from transformers.models.auto import configuration_auto, modeling_auto

    types = [t for t, c in configuration_auto.CONFIG_MAPPING_NAMES.items() if c == name]
    for key, mapping in vars(modeling_auto).items():
        if not key.endswith("_MAPPING_NAMES"):
            continue
        for model_type, classes in mapping.items():
            if name == classes or (isinstance(classes, tuple) and name in classes):
                types.append(model_type)
    if not types:
        # Inner configs and models live beside the class they serve.
        stems = {
            c.removesuffix("Config"): t
            for t, c in configuration_auto.CONFIG_MAPPING_NAMES.items()
        }
        known = sorted((s for s in stems if name.startswith(s)), key=len)
        types = [stems[s] for s in reversed(known)]
    return [configuration_auto.model_type_to_module_name(t) for t in types]


def _import_if_there(name):
    """None where this version has no such file."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if str(error) != f"No module named '{name}'":
            raise
        return None


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    if name == "logging":
        return importlib.import_module("transformers.utils.logging")
    if name in _HOMES:
        return getattr(importlib.import_module("transformers." + _HOMES[name]), name)
    if name.startswith("AutoModel") or name == "AutoBackbone":
        module = importlib.import_module("transformers.models.auto.modeling_auto")
        return getattr(module, name)
    for place in _PLACES:
        module = _import_if_there("transformers." + place)
        if hasattr(module, name):
            return getattr(module, name)
    for folder in _folders_with(name):
        module = importlib.import_module("transformers.models." + folder)
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"module 'transformers' has no attribute '{name}'")
