"""torch.nn.functional beside its tensor operations."""

from torch._native import refuse


def _refused(name):
    def function(*args, **kwargs):
        refuse("torch.nn.functional." + name + " is not supported")

    return function


cross_entropy = _refused("cross_entropy")
nll_loss = _refused("nll_loss")
mse_loss = _refused("mse_loss")
l1_loss = _refused("l1_loss")
smooth_l1_loss = _refused("smooth_l1_loss")
huber_loss = _refused("huber_loss")
binary_cross_entropy = _refused("binary_cross_entropy")
binary_cross_entropy_with_logits = _refused("binary_cross_entropy_with_logits")
kl_div = _refused("kl_div")
ctc_loss = _refused("ctc_loss")
interpolate = _refused("interpolate")
upsample = _refused("upsample")
grid_sample = _refused("grid_sample")
multi_head_attention_forward = _refused("multi_head_attention_forward")
gumbel_softmax = _refused("gumbel_softmax")
conv_transpose1d = _refused("conv_transpose1d")
conv_transpose2d = _refused("conv_transpose2d")
max_pool1d = _refused("max_pool1d")
max_pool2d = _refused("max_pool2d")
avg_pool2d = _refused("avg_pool2d")
adaptive_avg_pool1d = _refused("adaptive_avg_pool1d")
adaptive_avg_pool2d = _refused("adaptive_avg_pool2d")
unfold = _refused("unfold")
fold = _refused("fold")
pixel_shuffle = _refused("pixel_shuffle")
affine_grid = _refused("affine_grid")
embedding_bag = _refused("embedding_bag")
bilinear = _refused("bilinear")
instance_norm = _refused("instance_norm")
