from transformers import PretrainedConfig


class ScannedConfig(PretrainedConfig):
    model_type = "scanned_layers"

    def __init__(
        self,
        vocab_size=160,
        n_embd=48,
        n_head=4,
        n_layer=5,
        attend_every=2,
        use_cache=True,
        num_hidden_layers=5,
        tie_word_embeddings=False,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.n_embd = n_embd
        self.n_head = n_head
        self.n_layer = n_layer
        self.attend_every = attend_every
        self.use_cache = use_cache
        self.num_hidden_layers = num_hidden_layers
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)
