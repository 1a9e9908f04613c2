from transformers import PretrainedConfig


class FoldedAxesConfig(PretrainedConfig):
    model_type = "folded_axes"

    def __init__(
        self,
        vocab_size=288,
        hidden_size=48,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_hidden_layers=2,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_attention_heads = num_attention_heads
        self.num_key_value_heads = num_key_value_heads
        self.num_hidden_layers = num_hidden_layers
        super().__init__(**kwargs)
