from transformers import PretrainedConfig


class BareConfig(PretrainedConfig):
    model_type = "nothing_kept"

    def __init__(
        self,
        vocab_size=160,
        block_size=96,
        n_layer=4,
        n_head=4,
        n_embd=48,
        dropout=0.0,
        bias=True,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.block_size = block_size
        self.n_layer = n_layer
        self.n_head = n_head
        self.n_embd = n_embd
        self.dropout = dropout
        self.bias = bias
        super().__init__(**kwargs)
