from transformers.configuration_utils import PreTrainedConfig


class SharingConfig(PreTrainedConfig):
    model_type = "shared_keys"

    vocab_size: int = 288
    hidden_size: int = 48
    num_attention_heads: int = 6
    num_key_value_heads: int = 2
    num_hidden_layers: int = 6
    head_dim: int = 20
    num_streams: int = 3
    num_kv_shared_layers: int = 0
    layer_types: list[str] | None = None
    sliding_window: int = 8
    max_position_embeddings: int = 512
    rms_norm_eps: float = 1e-5
    rope_base: float = 10000.0
    tie_word_embeddings: bool = False
    use_cache: bool = True
    pad_token_id: int | None = None

    def __post_init__(self, **kwargs):
        if self.layer_types is None:
            period = 2
            self.layer_types = [
                "sliding_attention" if (i + 1) % period else "full_attention"
                for i in range(self.num_hidden_layers)
            ]
        super().__post_init__(**kwargs)

    @property
    def shares_keys(self):
        first = self.num_hidden_layers - self.num_kv_shared_layers
        kept = self.layer_types[:first]
        return [i >= first and kind in kept for i, kind in enumerate(self.layer_types)]
