"""What MLX's CPU backend lacks, from what it has."""

used = False  # since the last reset


def reset():
    global used
    used = False


def install(mx):
    """Lets gather_mm take bfloat16 on a CPU: in float32, rounded afterwards."""
    exact = mx.gather_mm
    if hasattr(exact, "exact") or mx.default_device().type != mx.DeviceType.cpu:
        return

    def gather_mm(a, b, *args, **kwargs):
        global used
        if a.dtype == mx.float32:
            return exact(a, b, *args, **kwargs)
        used = True
        wide = [x.astype(mx.float32) for x in (a, b)]
        return exact(*wide, *args, **kwargs).astype(a.dtype)

    gather_mm.exact = exact
    mx.gather_mm = gather_mm
