from transformers.configuration_utils import PreTrainedConfig


class PlainConfig(PreTrainedConfig):
    model_type = "keeps_nothing"

    vocab_size: int = 272
    hidden_size: int = 48
    intermediate_size: int = 112
    num_attention_heads: int = 6
    num_key_value_heads: int = 2
    num_hidden_layers: int = 3
    max_position_embeddings: int = 96
    layer_norm_eps: float = 1e-5
    tie_word_embeddings: bool = False
    use_cache: bool = False
    pad_token_id: int | None = None
