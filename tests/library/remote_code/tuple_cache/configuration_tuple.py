from transformers import PretrainedConfig


class TupleConfig(PretrainedConfig):
    model_type = "tuple_cache"
    keys_to_ignore_at_inference = ["past_key_values"]
    attribute_map = {
        "hidden_size": "n_embd",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    }

    def __init__(
        self,
        vocab_size=288,
        n_embd=96,
        n_head=6,
        n_kv=None,
        n_layer=3,
        inner=None,
        rotary_percentage=1.0,
        rope_theta=5000,
        layer_norm_epsilon=2e-3,
        logit_scale=None,
        use_cache=True,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.n_embd = n_embd
        self.n_head = n_head
        self.n_kv = n_kv or n_head
        self.n_layer = n_layer
        self.inner = inner if inner is not None else 4 * n_embd
        self.rotary_percentage = rotary_percentage
        self.rope_theta = rope_theta
        self.layer_norm_epsilon = layer_norm_epsilon
        self.logit_scale = logit_scale
        self.use_cache = use_cache
        kwargs.setdefault("tie_word_embeddings", False)
        super().__init__(**kwargs)
