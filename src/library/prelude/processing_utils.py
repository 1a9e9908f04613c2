"""transformers.processing_utils: annotations only."""

from typing import TypedDict, Unpack


class ProcessingKwargs(TypedDict, total=False):
    pass


class ImagesKwargs(TypedDict, total=False):
    pass


class ProcessorMixin:
    pass
