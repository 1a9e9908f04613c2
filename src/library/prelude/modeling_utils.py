"""transformers.modeling_utils, as far as building and running a model goes."""

import importlib
import re
from contextlib import contextmanager
from itertools import cycle

from transformers import configuration_utils
from transformers.generation import GenerationConfig, GenerationMixin
from transformers.integrations import DistributedMixin, PeftAdapterMixin
from transformers.pytorch_utils import Conv1D, apply_chunking_to_forward
from transformers.utils.hub import PushToHubMixin
from transformers.utils.logging import get_logger

import torch
from torch import nn

try:
    from transformers.utils.generic import GeneralInterface
except ImportError:  # tables of functions were plain ones once
    GeneralInterface = dict

logger = get_logger(__name__)

XLA_USE_BF16 = "0"
XLA_DOWNCAST_BF16 = "0"
_LAYER_NAMES_OF_EMBEDDINGS = "embed_tokens"


def _config_base():
    current = getattr(configuration_utils, "PreTrainedConfig", None)
    return configuration_utils.PretrainedConfig if current is None else current


class ModuleUtilsMixin:
    @property
    def device(self):
        return torch.device("cpu")

    @property
    def dtype(self):
        for parameter in self.parameters():
            if parameter.is_floating_point():
                return parameter.dtype
        return torch.get_default_dtype()

    def num_parameters(self, only_trainable=False, exclude_embeddings=False):
        return sum(parameter.numel() for parameter in self.parameters())

    def get_head_mask(self, head_mask, num_hidden_layers, is_attention_chunked=False):
        if head_mask is not None:
            raise NotImplementedError("head masks are not evaluated")
        return [None] * num_hidden_layers

    def get_extended_attention_mask(
        self, attention_mask, input_shape, device=None, dtype=None
    ):
        """The additive mask (B, 1, 1 or T, S) that models before v5 ask for."""
        dtype = self.dtype if dtype is None else dtype
        if attention_mask.dim() == 3:
            extended = attention_mask[:, None, :, :]
        elif attention_mask.dim() != 2:
            raise ValueError(
                f"Wrong shape for input_ids (shape {input_shape}) or attention_mask "
                f"(shape {attention_mask.shape})"
            )
        elif self.config.is_decoder:
            extended = self.create_extended_attention_mask_for_decoder(
                input_shape, attention_mask, device
            )
        else:
            extended = attention_mask[:, None, None, :]
        extended = extended.to(dtype=dtype)
        return (1.0 - extended) * torch.finfo(dtype).min

    @staticmethod
    def create_extended_attention_mask_for_decoder(
        input_shape, attention_mask, device=None
    ):
        batch, length = input_shape
        known = attention_mask.shape[1] - length
        rows = torch.arange(length)[:, None]
        causal = torch.arange(attention_mask.shape[1])[None, :] <= rows + max(known, 0)
        causal = causal.to(attention_mask.dtype).expand(batch, 1, -1, -1)
        return causal * attention_mask[:, None, None, :]

    def invert_attention_mask(self, encoder_attention_mask):
        if encoder_attention_mask.dim() == 3:
            extended = encoder_attention_mask[:, None, :, :]
        else:
            extended = encoder_attention_mask[:, None, None, :]
        extended = extended.to(dtype=self.dtype)
        return (1.0 - extended) * torch.finfo(self.dtype).min


class EmbeddingAccessMixin:
    _input_embed_layer = "embed_tokens"

    def _places_of_embeddings(self):
        """(owner, attribute) of the input embeddings, or None."""
        name = getattr(self, "_input_embed_layer", "embed_tokens")
        for owner in (
            self,
            getattr(self, "embeddings", None),
            getattr(self, "model", None),
        ):
            if owner is not None and getattr(owner, name, None) is not None:
                return owner, name
        return None

    def get_input_embeddings(self):
        place = self._places_of_embeddings()
        if place is not None:
            return getattr(place[0], place[1])
        for inner in (getattr(self, "language_model", None), self.base_model):
            if inner is not None and inner is not self:
                if hasattr(inner, "get_input_embeddings"):
                    return inner.get_input_embeddings()
        raise NotImplementedError(f"{type(self).__name__} has no input embeddings")

    def set_input_embeddings(self, value):
        place = self._places_of_embeddings()
        if place is not None:
            setattr(place[0], place[1], value)
        elif self.base_model is not self:
            self.base_model.set_input_embeddings(value)
        else:
            raise NotImplementedError(f"{type(self).__name__} has no input embeddings")

    def get_output_embeddings(self):
        return getattr(self, "lm_head", None)

    def set_output_embeddings(self, new_embeddings):
        if getattr(self, "lm_head", None) is not None:
            self.lm_head = new_embeddings


_GATHERED = (
    "_keep_in_fp32_modules",
    "_keep_in_fp32_modules_strict",
    "_no_split_modules",
    "_skip_keys_device_placement",
    "_keys_to_ignore_on_load_unexpected",
    "_keys_to_ignore_on_load_missing",
    "_keys_to_ignore_on_save",
)


class PreTrainedModel(
    nn.Module,
    EmbeddingAccessMixin,
    ModuleUtilsMixin,
    PushToHubMixin,
    PeftAdapterMixin,
    DistributedMixin,
):
    config_class = None
    generation_config_class = GenerationConfig
    _auto_class = None
    base_model_prefix = ""
    _is_stateful = False
    model_tags = None
    main_input_name = "input_ids"
    input_modalities = "text"
    _no_split_modules = None
    _skip_keys_device_placement = None
    _keep_in_fp32_modules = None
    _keep_in_fp32_modules_strict = None
    _tied_weights_keys = None
    _dynamic_tied_weights_keys = None
    _keys_to_ignore_on_load_missing = None
    _keys_to_ignore_on_load_unexpected = None
    _keys_to_ignore_on_save = None
    _supports_sdpa = False
    _supports_flash_attn = False
    _supports_flash_attn_2 = False
    _supports_flex_attn = False
    _supports_cache_class = False
    _supports_static_cache = False
    _supports_quantized_cache = False
    _compatible_flash_implementations = None
    _supports_context_parallel = True
    supports_gradient_checkpointing = False
    _can_compile_fullgraph = False
    _supports_attention_backend = False
    _can_record_outputs = None
    _checkpoint_conversion_mapping = {}
    is_parallelizable = False
    _tp_plan = None
    _tp_size = None
    _pp_plan = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "config_class" not in cls.__dict__:
            annotation = cls.__dict__.get("__annotations__", {}).get("config")
            if isinstance(annotation, str):  # kept as text by the evaluator
                module = importlib.import_module(cls.__module__)
                annotation = getattr(module, annotation, None)
            if annotation is not None:
                cls.config_class = annotation

    def __init__(self, config, *inputs, **kwargs):
        super().__init__()
        if not isinstance(config, _config_base()):
            raise TypeError(f"{type(self).__name__} takes a config, not {type(config)}")
        self.config = config
        self.name_or_path = config.name_or_path
        self.kernel_config = None
        self.warnings_issued = {}
        # not through the property, which would write to inner configs too
        config._attn_implementation_internal = "eager"
        config._experts_implementation_internal = "eager"
        self.loss_type = None

    @property
    def generation_config(self):
        own = self.__dict__.get("_generation_config")
        if own is None and self.can_generate():
            own = self.generation_config_class.from_model_config(self.config)
            self.__dict__["_generation_config"] = own
        return own

    @generation_config.setter
    def generation_config(self, value):
        self.__dict__["_generation_config"] = value

    @property
    def loss_function(self):
        raise NotImplementedError("losses are not evaluated")

    @property
    def can_record_outputs(self):
        return self._can_record_outputs or {}

    @property
    def base_model(self):
        return getattr(self, self.base_model_prefix, self)

    @property
    def is_gradient_checkpointing(self):
        return False

    @classmethod
    def can_generate(cls):
        return issubclass(cls, GenerationMixin) or hasattr(
            cls, "prepare_inputs_for_generation"
        )

    @classmethod
    def is_remote_code(cls):
        return cls._auto_class is not None

    @classmethod
    def is_custom_code(cls):
        return cls.is_remote_code() or not cls.__module__.startswith("transformers.")

    @classmethod
    def register_for_auto_class(cls, auto_class="AutoModel"):
        cls._auto_class = (
            auto_class if isinstance(auto_class, str) else auto_class.__name__
        )

    @classmethod
    def _from_config(cls, config, **kwargs):
        for name in ("dtype", "torch_dtype", "attn_implementation"):
            kwargs.pop(name, None)
        return cls(config, **kwargs)

    @classmethod
    def from_pretrained(cls, *args, **kwargs):
        raise NotImplementedError("a model cannot fetch another one")

    def post_init(self):
        self.all_tied_weights_keys = self.get_expanded_tied_weights_keys()
        for name in _GATHERED:
            setattr(self, name, set(getattr(self, name) or ()))
        for path, child in self.named_children():
            for key, value in (
                getattr(child, "all_tied_weights_keys", None) or {}
            ).items():
                self.all_tied_weights_keys[f"{path}.{key}"] = f"{path}.{value}"
            for name in _GATHERED:
                theirs = getattr(child, name, None) or ()
                if name == "_keys_to_ignore_on_save":
                    theirs = {f"{path}.{key}" for key in theirs}
                getattr(self, name).update(theirs)
        self.init_weights()

    def init_weights(self):
        # Values come from the checkpoint; what it lacks is reported.
        self.tie_weights(recompute_mapping=False)

    def _init_weights(self, module):
        pass

    def _backward_compatibility_gradient_checkpointing(self):
        pass

    def get_expanded_tied_weights_keys(self, all_submodels=False):
        """{target: source} by full parameter names."""
        if all_submodels:
            out = {}
            for path, module in self.named_modules(remove_duplicate=False):
                if isinstance(module, PreTrainedModel):
                    start = path + "." if path else ""
                    for (
                        target,
                        source,
                    ) in module.get_expanded_tied_weights_keys().items():
                        out[start + target] = start + source
            return out
        pairs = self._tied_weights_keys
        if not isinstance(pairs, dict) or not getattr(
            self.config, "tie_word_embeddings", False
        ):
            return {}
        names = {name for name, _ in self.named_parameters(remove_duplicate=False)}
        names |= {name for name, _ in self.named_buffers(remove_duplicate=False)}
        out = {}
        for target, source in pairs.items():
            if target in names and source in names:
                out[target] = source
                continue
            sources = sorted(n for n in names if re.search("^" + source, n))
            targets = sorted(n for n in names if re.search("^" + target, n))
            if not sources or not targets or len(targets) % len(sources) != 0:
                raise ValueError(
                    f"cannot tie {target} to {source}: {targets}, {sources}"
                )
            for one, other in zip(targets, cycle(sources)):
                out[one] = out.get(other, other)
        return out

    def tie_weights(self, missing_keys=None, recompute_mapping=True):
        # Before v5 some models call init_weights() themselves.
        if recompute_mapping or "all_tied_weights_keys" not in self.__dict__:
            self.all_tied_weights_keys = self.get_expanded_tied_weights_keys(True)
        pairs = list(self.all_tied_weights_keys.items())
        for target, source in pairs:
            if missing_keys is not None:
                if target not in missing_keys and source not in missing_keys:
                    if not torch.equal(
                        self.get_parameter_or_buffer(source),
                        self.get_parameter_or_buffer(target),
                    ):
                        self.all_tied_weights_keys.pop(target)
                        continue
                elif source in missing_keys and target not in missing_keys:
                    target, source = source, target
                elif source in missing_keys:
                    others = [
                        t for t, s in pairs if s == source and t not in missing_keys
                    ]
                    if not others:
                        continue
                    source = others[0]
                missing_keys.discard(target)
            self._tie(target, source)
        self._tie_as_before_v5()

    def _tie(self, target, source):
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path) if path else self
        setattr(parent, name, self.get_parameter_or_buffer(source))

    def _tie_as_before_v5(self):
        """Lists of keys name what is tied to the input embeddings."""
        if isinstance(self._tied_weights_keys, dict) or self._tied_weights_keys is None:
            return
        for module in self.modules():
            if isinstance(module, PreTrainedModel):
                module._tie_output_to_input()
            if hasattr(module, "_tie_weights"):
                module._tie_weights()

    def _tie_output_to_input(self):
        config = self.config
        if hasattr(config, "get_text_config"):
            config = config.get_text_config(decoder=True)
        if getattr(config, "tie_word_embeddings", True):
            output = self.get_output_embeddings()
            if output is not None:
                self._tie_or_clone_weights(output, self.get_input_embeddings())

    def _tie_or_clone_weights(self, output_embeddings, input_embeddings):
        output_embeddings.weight = input_embeddings.weight

    def get_parameter_or_buffer(self, target):
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path) if path else self
        return getattr(parent, name)

    def get_encoder(self, modality=None):
        for name in ("text_encoder", "encoder"):
            if hasattr(self, name):
                return getattr(self, name)
        if self.base_model is not self and hasattr(self.base_model, "get_encoder"):
            return self.base_model.get_encoder()
        return self

    def get_decoder(self):
        for name in ("language_model", "text_model", "decoder", "text_decoder"):
            if hasattr(self, name):
                return getattr(self, name)
        if self.base_model is not self and hasattr(self.base_model, "get_decoder"):
            return self.base_model.get_decoder()
        return self

    def set_decoder(self, decoder):
        if self.base_model is not self and hasattr(self.base_model, "set_decoder"):
            self.base_model.set_decoder(decoder)
        else:
            self.model = decoder

    def warn_if_padding_and_no_attention_mask(self, input_ids, attention_mask):
        pass


class PreTrainedAudioTokenizerBase(PreTrainedModel):
    pass


def slice_logits_to_keep(hidden_states, logits_to_keep):
    """The positions whose logits are asked for: the last n (0: all), or these."""
    if isinstance(logits_to_keep, int):
        return hidden_states[:, slice(-logits_to_keep, None), :]
    if isinstance(logits_to_keep, slice) or logits_to_keep.ndim == 1:
        return hidden_states[:, logits_to_keep, :]
    if logits_to_keep.dtype == torch.bool:
        return hidden_states[logits_to_keep]
    return torch.take_along_dim(hidden_states, logits_to_keep[..., None], dim=1)


def unwrap_model(model, recursive=False):
    return model


@contextmanager
def no_init_weights(*args, **kwargs):
    yield


def restore_default_dtype(func):
    return func


def get_torch_context_manager_or_global_device():
    return None


def get_parameter_dtype(module):
    return next(p.dtype for p in module.parameters() if p.is_floating_point())


class AttentionInterface(GeneralInterface):
    """Answers with the eager function that the model's own file gives."""

    _global_mapping = {}

    def get_interface(self, attn_implementation, default):
        if attn_implementation not in (None, "eager"):
            raise KeyError(f"{attn_implementation} attention is not evaluated")
        return default


ALL_ATTENTION_FUNCTIONS = AttentionInterface()
