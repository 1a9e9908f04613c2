from transformers import PretrainedConfig


class PlacedConfig(PretrainedConfig):
    """Most fields are keywords that it hands on."""

    model_type = "own_positions"

    def __init__(self, width=64, depth=3, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.depth = depth
        self.vocab_size = kwargs.get("vocab_size", 160)
        self.heads = kwargs.get("heads", 4)
        self.groups = kwargs.get("groups", self.heads // 2)
        self.head_width = kwargs.get("head_width", self.width // self.heads)
        self.inner_width = kwargs.get("inner_width", 2 * width)
        self.table_length = kwargs.get("table_length", 128)
        self.least = kwargs.get("least", 0.05)
        self.num_hidden_layers = depth
