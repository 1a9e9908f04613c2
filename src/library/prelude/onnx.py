"""transformers.onnx: config files before v5 name it for exports, which we never do."""


class OnnxConfig:
    pass


class OnnxConfigWithPast(OnnxConfig):
    pass


class OnnxSeq2SeqConfigWithPast(OnnxConfigWithPast):
    pass


class PatchingSpec:
    pass


def compute_effective_axis_dimension(*args, **kwargs):
    raise NotImplementedError("nothing is exported")


def compute_serialized_parameters_size(*args, **kwargs):
    raise NotImplementedError("nothing is exported")
