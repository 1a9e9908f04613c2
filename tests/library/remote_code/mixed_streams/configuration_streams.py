from transformers import PretrainedConfig


class StreamsConfig(PretrainedConfig):
    model_type = "mixed_streams"

    def __init__(
        self,
        vocab_size=160,
        n_embd=48,
        n_head=4,
        n_layer=3,
        n_stream=2,
        n_round=3,
        n_expert=6,
        n_chosen=2,
        expert_width=32,
        use_cache=True,
        num_hidden_layers=3,
        tie_word_embeddings=False,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.n_embd = n_embd
        self.n_head = n_head
        self.n_layer = n_layer
        self.n_stream = n_stream
        self.n_round = n_round
        self.n_expert = n_expert
        self.n_chosen = n_chosen
        self.expert_width = expert_width
        self.use_cache = use_cache
        self.num_hidden_layers = num_hidden_layers
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)
