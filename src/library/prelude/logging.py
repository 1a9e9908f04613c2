"""transformers.utils.logging: evaluation says nothing."""

CRITICAL = FATAL = 50
ERROR = 40
WARN = WARNING = 30
INFO = 20
DEBUG = 10
NOTSET = 0


class Logger:
    level = WARNING

    def __init__(self, name=None):
        self.name = name

    def debug(self, *args, **kwargs):
        pass

    info = debug
    info_once = debug
    warning = debug
    warn = debug
    warning_once = debug
    warning_advice = debug
    error = debug
    exception = debug
    critical = debug
    log = debug

    def setLevel(self, level):
        self.level = level

    def getEffectiveLevel(self):
        return self.level

    def isEnabledFor(self, level):
        return False


_logger = Logger("transformers")


def get_logger(name=None):
    return _logger


def get_verbosity():
    return WARNING


def set_verbosity(verbosity):
    pass


def set_verbosity_error():
    pass


def set_verbosity_warning():
    pass


def set_verbosity_info():
    pass


def disable_progress_bar():
    pass


def is_progress_bar_enabled():
    return False


def tqdm(iterable=None, *args, **kwargs):
    return iterable
