"""transformers.models.auto.auto_factory: classes by config, built not fetched."""

import importlib

from transformers.dynamic_module_utils import get_class_from_dynamic_module
from transformers.models.auto.configuration_auto import model_type_to_module_name


def _attribute(module, name):
    if isinstance(name, (list, tuple)):
        return tuple(_attribute(module, n) for n in name)
    found = getattr(module, name, None)
    if found is None:
        found = getattr(importlib.import_module("transformers"), name)
    return found


class _LazyAutoMapping:
    """From config classes to model classes, each imported when asked for."""

    def __init__(self, config_mapping, model_mapping):
        self._config_mapping = config_mapping
        self._model_mapping = model_mapping
        self._extra_content = {}

    def _model_type(self, cls):
        own = getattr(cls, "model_type", "")
        if self._config_mapping.get(own) == cls.__name__ and own in self._model_mapping:
            return own
        for model_type, name in self._config_mapping.items():
            if name == cls.__name__ and model_type in self._model_mapping:
                return model_type
        return None

    def __getitem__(self, cls):
        if cls in self._extra_content:
            return self._extra_content[cls]
        model_type = self._model_type(cls)
        if model_type is None:
            raise KeyError(cls)
        folder = model_type_to_module_name(model_type)
        module = importlib.import_module("transformers.models." + folder)
        return _attribute(module, self._model_mapping[model_type])

    def __contains__(self, cls):
        return cls in self._extra_content or self._model_type(cls) is not None

    def get(self, cls, default=None):
        return self[cls] if cls in self else default

    def register(self, cls, model_class, exist_ok=False):
        self._extra_content[cls] = model_class


def _get_model_class(config, model_mapping):
    found = model_mapping[type(config)]
    if not isinstance(found, (list, tuple)):
        return found
    by_name = {cls.__name__: cls for cls in found}
    for name in getattr(config, "architectures", None) or ():
        if name in by_name:
            return by_name[name]
    return found[0]


def _able_to_generate(model_class):
    """Code of a model's own may be older than GenerationMixin as a base of its own:
    the library adds it to what generates in its own way."""
    from transformers.generation.utils import GenerationMixin

    ways = ("generate", "prepare_inputs_for_generation")
    if issubclass(model_class, GenerationMixin) or not any(
        hasattr(model_class, way) for way in ways
    ):
        return model_class
    return type(
        model_class.__name__,
        (model_class, GenerationMixin),
        {"__module__": model_class.__module__},
    )


class _BaseAutoModelClass:
    _model_mapping = None

    def __init__(self, *args, **kwargs):
        raise OSError("auto classes are made by from_config()")

    @classmethod
    def class_for(cls, config):
        """(model class, the config it takes)"""
        auto_map = getattr(config, "auto_map", None) or {}
        if cls.__name__ in auto_map:
            model_class = get_class_from_dynamic_module(auto_map[cls.__name__])
            model_class.register_for_auto_class(cls.__name__)
            return _able_to_generate(model_class), config
        if type(config) not in cls._model_mapping:
            raise ValueError(
                f"Unrecognized configuration class {type(config)} for this kind of "
                f"AutoModel: {cls.__name__}."
            )
        model_class = _get_model_class(config, cls._model_mapping)
        text = getattr(config, "sub_configs", {}).get("text_config")
        if text is not None and getattr(model_class, "config_class", None) == text:
            config = config.get_text_config()
        return model_class, config

    @classmethod
    def from_config(cls, config, **kwargs):
        kwargs.pop("trust_remote_code", None)
        model_class, config = cls.class_for(config)
        return model_class._from_config(config, **kwargs)

    @classmethod
    def from_pretrained(cls, *args, **kwargs):
        raise NotImplementedError("a model cannot fetch another one")

    @classmethod
    def register(cls, config_class, model_class, exist_ok=False):
        cls._model_mapping.register(config_class, model_class, exist_ok=exist_ok)


class _BaseAutoBackboneClass(_BaseAutoModelClass):
    pass


def auto_class_update(cls, checkpoint_for_example="", head_doc=""):
    return cls


def get_values(model_mapping):
    return list(model_mapping.values())


def insert_head_doc(docstring, head_doc=""):
    return docstring
