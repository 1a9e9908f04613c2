from transformers import PretrainedConfig


class RecurrentDepthConfig(PretrainedConfig):
    model_type = "recurrent_depth"

    def __init__(
        self,
        vocab_size=160,
        n_embd=48,
        n_head=4,
        n_layer=2,
        use_cache=True,
        tie_word_embeddings=False,
        n_loop=3,
        n_pre=1,
        n_post=1,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.n_embd = n_embd
        self.n_head = n_head
        self.n_layer = n_layer
        self.use_cache = use_cache
        self.n_loop = n_loop
        self.n_pre = n_pre
        self.n_post = n_post
        self.num_hidden_layers = n_pre + n_layer * n_loop + n_post
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)
