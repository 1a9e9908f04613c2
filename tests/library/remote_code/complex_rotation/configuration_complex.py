from transformers import PretrainedConfig


class ComplexConfig(PretrainedConfig):
    model_type = "complex_rotation"

    def __init__(
        self,
        vocab_size=160,
        n_embd=64,
        n_head=4,
        n_kv=2,
        n_layer=3,
        theta=5000.0,
        hidden=96,
        eps=1e-05,
        max_len=512,
        use_cache=True,
        num_hidden_layers=3,
        tie_word_embeddings=False,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.n_embd = n_embd
        self.n_head = n_head
        self.n_kv = n_kv
        self.n_layer = n_layer
        self.theta = theta
        self.hidden = hidden
        self.eps = eps
        self.max_len = max_len
        self.use_cache = use_cache
        self.num_hidden_layers = num_hidden_layers
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)
