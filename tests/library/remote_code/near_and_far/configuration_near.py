from transformers import PretrainedConfig


class NearConfig(PretrainedConfig):
    model_type = "near_and_far"

    def __init__(
        self,
        vocab_size=160,
        n_embd=64,
        n_head=4,
        n_layer=5,
        near_window=6,
        far_every=3,
        base=10000.0,
        use_cache=True,
        num_hidden_layers=5,
        tie_word_embeddings=False,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.n_embd = n_embd
        self.n_head = n_head
        self.n_layer = n_layer
        self.near_window = near_window
        self.far_every = far_every
        self.base = base
        self.use_cache = use_cache
        self.num_hidden_layers = num_hidden_layers
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)
