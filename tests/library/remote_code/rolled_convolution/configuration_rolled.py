from transformers.configuration_utils import PretrainedConfig


class RolledConfig(PretrainedConfig):
    model_type = "rolled_convolution"

    def __init__(
        self,
        vocab_size=288,
        hidden_size=48,
        inner_size: int | None = 40,
        num_hidden_layers=3,
        conv_kernel=4,
        hidden_act="silu",
        rms_norm_eps=1e-5,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.inner_size = inner_size
        self.num_hidden_layers = num_hidden_layers
        self.conv_kernel = conv_kernel
        self.hidden_act = hidden_act
        self.rms_norm_eps = rms_norm_eps
        super().__init__(**kwargs)
