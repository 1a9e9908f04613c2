from transformers.configuration_utils import PretrainedConfig


class LoopedConfig(PretrainedConfig):
    model_type = "looped_experts"

    def __init__(
        self,
        vocab_size=288,
        hidden_size=48,
        expert_size=40,
        num_attention_heads=6,
        num_hidden_layers=4,
        num_experts=7,
        num_experts_per_tok=3,
        conv_kernel=4,
        layer_types=None,
        rms_norm_eps=1e-5,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.expert_size = expert_size
        self.num_attention_heads = num_attention_heads
        self.num_hidden_layers = num_hidden_layers
        self.num_experts = num_experts
        self.num_experts_per_tok = num_experts_per_tok
        self.conv_kernel = conv_kernel
        self.layer_types = layer_types
        self.rms_norm_eps = rms_norm_eps
        super().__init__(**kwargs)
