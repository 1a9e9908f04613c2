"""Fields as parameters, and what follows from them, as before configs were dataclasses."""

from transformers.configuration_utils import PretrainedConfig


class OlderConfig(PretrainedConfig):
    model_type = "older_style"
    keys_to_ignore_at_inference = ["past_key_values"]

    def __init__(
        self,
        vocab_size=32000,
        hidden_size=2048,
        intermediate_size=None,
        num_hidden_layers=24,
        num_attention_heads=16,
        num_key_value_heads=None,
        max_position_embeddings=512,
        norm_eps=1e-5,
        rope_theta=10000.0,
        rotary_share=1.0,
        use_cache=True,
        tie_word_embeddings=False,
        **kwargs,
    ):
        if num_key_value_heads is None:
            num_key_value_heads = num_attention_heads
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.intermediate_size = (
            intermediate_size if intermediate_size is not None else 3 * hidden_size
        )
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.num_key_value_heads = num_key_value_heads
        self.max_position_embeddings = max_position_embeddings
        self.norm_eps = norm_eps
        self.rope_theta = rope_theta
        self.rotary_share = rotary_share
        self.partial_rotary_factor = rotary_share
        self.use_cache = use_cache
        self.head_dim = hidden_size // num_attention_heads
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)
