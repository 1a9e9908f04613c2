"""Where a port raised."""

import traceback


def note(error, candidate):
    """Leaves in `error.raised` the module whose code raised, and whether a cache did
    below it, or what asks it for a mask: one of another kind than the code expects."""
    file = getattr(candidate.module, "__file__", None)
    paths = {id(module): path for path, module in candidate.model.named_modules()}
    raised = {}
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == file:
            path = paths.get(id(frame.f_locals.get("self")))
            raised = {"module": path or "", "in_cache": False}
        elif raised:
            library = frame.f_globals.get("__name__")
            asks = library == "mlx_lm.models.base" and "_mask" in frame.f_code.co_name
            asks = asks and frame.f_locals.get("cache") is not None
            raised["in_cache"] |= asks or library == "mlx_lm.models.cache"
    error.raised = raised
