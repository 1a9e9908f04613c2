from transformers import PretrainedConfig


class ShortConfig(PretrainedConfig):
    model_type = "short_memory"

    def __init__(
        self,
        vocab_size=160,
        n_embd=48,
        n_head=4,
        n_layer=3,
        n_ahead=1,
        reach=4,
        use_cache=True,
        num_hidden_layers=3,
        tie_word_embeddings=False,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.n_embd = n_embd
        self.n_head = n_head
        self.n_layer = n_layer
        self.n_ahead = n_ahead
        self.reach = reach
        self.use_cache = use_cache
        self.num_hidden_layers = num_hidden_layers
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)
