from transformers import PretrainedConfig


class UnevenConfig(PretrainedConfig):
    model_type = "uneven_layers"

    def __init__(
        self,
        vocab_size=160,
        n_embd=48,
        heads=None,
        kv_heads=None,
        ffn=None,
        head_dim=12,
        theta=10000.0,
        use_cache=True,
        num_hidden_layers=3,
        tie_word_embeddings=False,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.n_embd = n_embd
        self.heads = heads or [2, 4, 6]
        self.kv_heads = kv_heads or [1, 2, 2]
        self.ffn = ffn or [64, 96, 128]
        self.head_dim = head_dim
        self.theta = theta
        self.use_cache = use_cache
        self.num_hidden_layers = num_hidden_layers
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)
