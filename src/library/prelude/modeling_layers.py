"""transformers.modeling_layers: layers as plain modules, heads nobody runs."""

from torch import nn


class GradientCheckpointingLayer(nn.Module):
    gradient_checkpointing = False
    _can_checkpoint_with_cache = False


class _OtherHead:
    """A head for another task; it can be a base class, not be built."""

    def __init__(self, *args, **kwargs):
        raise NotImplementedError("only causal language models are evaluated")


class GenericForSequenceClassification(_OtherHead):
    pass


class GenericForQuestionAnswering(_OtherHead):
    pass


class GenericForTokenClassification(_OtherHead):
    pass


class MtpLayer(nn.Module):
    pass


class MtpModel(_OtherHead):
    pass
