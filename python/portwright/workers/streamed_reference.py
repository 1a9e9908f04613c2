"""Loads a transformers model whose weights lie on disk, not in memory."""

import contextlib
import ctypes
import os

from .protocol import WorkerError
from .scratch import Scratch

_M_MMAP_THRESHOLD = -3  # malloc.h of glibc


def return_what_is_freed():
    """Has malloc take large blocks from the system, and give them back: glibc would
    keep those of the first tensors for later ones, and soon all of them."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 20)


@contextlib.contextmanager
def weights_on_disk(folder, torch):
    """While it is entered, transformers' loader puts each parameter that it has made
    onto disk, one after another."""
    import transformers

    try:
        from transformers import core_model_loading as loading

        put = loading.set_param_for_module
    except (ImportError, AttributeError) as error:
        raise WorkerError(
            "cannot-stream",
            f"transformers {transformers.__version__} has no "
            "core_model_loading.set_param_for_module: its weights cannot be streamed",
        ) from error
    scratch = Scratch(folder, torch)
    return_what_is_freed()

    def put_on_disk(model, name, value, *args, **kwargs):
        is_parameter = isinstance(value, torch.nn.Parameter)
        value_on_disk = scratch.keep(value)
        if is_parameter:
            value_on_disk = torch.nn.Parameter(value_on_disk, value.requires_grad)
        return put(model, name, value_on_disk, *args, **kwargs)

    before = os.environ.get("HF_DEACTIVATE_ASYNC_LOAD")
    # Threads would read ahead, as far as there is memory.
    os.environ["HF_DEACTIVATE_ASYNC_LOAD"] = "1"
    loading.set_param_for_module = put_on_disk
    try:
        yield scratch
    finally:
        loading.set_param_for_module = put
        if before is None:
            del os.environ["HF_DEACTIVATE_ASYNC_LOAD"]
        else:
            os.environ["HF_DEACTIVATE_ASYNC_LOAD"] = before
