from transformers.configuration_utils import PreTrainedConfig


class MixedConfig(PreTrainedConfig):
    model_type = "states_and_keys"

    vocab_size: int = 288
    hidden_size: int = 48
    intermediate_size: int = 112
    num_attention_heads: int = 6
    num_key_value_heads: int = 2
    num_hidden_layers: int = 5
    head_dim: int = 20
    layer_types: list[str] | None = None
    hidden_act: str = "silu"
    mamba_n_heads: int = 8
    mamba_d_head: int = 12
    mamba_d_state: int = 10
    mamba_n_groups: int = 1
    mamba_d_conv: int = 4
    mamba_expand: int = 2
    mamba_chunk_size: int = 16
    mamba_conv_bias: bool = True
    mamba_proj_bias: bool = False
    time_step_limit: list[float] | tuple[float, ...] = (0.0, 10.0)
    attention_bias: bool = False
    attention_dropout: float = 0.0
    mlp_bias: bool = False
    rms_norm_eps: float = 1e-5
    tie_word_embeddings: bool = True
    use_cache: bool = True
    pad_token_id: int | None = None
