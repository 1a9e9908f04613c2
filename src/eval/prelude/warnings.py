# Warnings that warn nobody.
def _ignore(*args, **kwargs):
    return None


warn = warn_explicit = simplefilter = filterwarnings = resetwarnings = _ignore
filters = []


class catch_warnings:
    def __init__(self, *, record=False, **options):
        self._record = record

    def __enter__(self):
        return [] if self._record else None

    def __exit__(self, *exc_info):
        return None


def deprecated(message, **options):
    return lambda function: function
