"""torch.nn.attention.flex_attention: named by models, reached by none of them."""


class BlockMask:
    def __init__(self, *args, **kwargs):
        raise NotImplementedError("flex attention is not evaluated")


def create_block_mask(*args, **kwargs):
    raise NotImplementedError("flex attention is not evaluated")


def flex_attention(*args, **kwargs):
    raise NotImplementedError("flex attention is not evaluated")
