from transformers import PretrainedConfig


class LoopedLayersConfig(PretrainedConfig):
    model_type = "looped_layers"

    def __init__(
        self,
        vocab_size=160,
        n_embd=48,
        n_head=4,
        n_layer=2,
        use_cache=True,
        tie_word_embeddings=False,
        n_loop=3,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.n_embd = n_embd
        self.n_head = n_head
        self.n_layer = n_layer
        self.use_cache = use_cache
        self.n_loop = n_loop
        self.num_hidden_layers = n_layer * n_loop
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)
