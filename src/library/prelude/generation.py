"""transformers.generation: its own mixin, which tells how models are called."""

from transformers.generation.configuration_utils import (
    CompileConfig,
    GenerationConfig,
    GenerationMode,
)
from transformers.generation.utils import GenerationMixin


class LogitsProcessor:
    pass


class LogitsProcessorList(list):
    pass


class StoppingCriteriaList(list):
    pass


class BaseStreamer:
    pass


class ContinuousMixin:
    pass
