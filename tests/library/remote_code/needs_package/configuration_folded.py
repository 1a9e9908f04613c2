from transformers import PretrainedConfig


class FoldedConfig(PretrainedConfig):
    model_type = "needs_package"
