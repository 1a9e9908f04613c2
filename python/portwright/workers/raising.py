"""Where a port raised."""

import traceback


def note(error, candidate):
    """Leaves in `error.raised` the module whose code raised, and whether a cache did
    below it: one of another kind than the code expects."""
    file = getattr(candidate.module, "__file__", None)
    paths = {id(module): path for path, module in candidate.model.named_modules()}
    raised = {}
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == file:
            path = paths.get(id(frame.f_locals.get("self")))
            raised = {"module": path or "", "in_cache": False}
        elif raised and frame.f_globals.get("__name__") == "mlx_lm.models.cache":
            raised["in_cache"] = True
    error.raised = raised
