"""transformers.loss: losses are not evaluated."""


def _refuse(*args, **kwargs):
    raise NotImplementedError("losses are not evaluated")


LOSS_MAPPING = {}
ForCausalLMLoss = _refuse
ForMaskedLMLoss = _refuse
fixed_cross_entropy = _refuse
