# Loggers that log nothing.
CRITICAL = FATAL = 50
ERROR = 40
WARNING = WARN = 30
INFO = 20
DEBUG = 10
NOTSET = 0


class Filter:
    def __init__(self, name=""):
        self.name = name


class Formatter:
    def __init__(self, fmt=None, datefmt=None, style="%"):
        self.fmt = fmt


class Handler:
    def __init__(self, *args, **kwargs):
        self.level = NOTSET

    def setLevel(self, level):
        self.level = level

    def setFormatter(self, formatter):
        return None

    def addFilter(self, filter):
        return None


StreamHandler = Handler
NullHandler = Handler


class Logger:
    def __init__(self, name, level=NOTSET):
        self.name = name
        self.level = level
        self.handlers = []
        self.propagate = True

    def _ignore(self, *args, **kwargs):
        return None

    debug = info = warning = warn = error = critical = exception = log = _ignore
    warning_once = info_once = warning_advice = _ignore
    addHandler = removeHandler = addFilter = removeFilter = _ignore

    def setLevel(self, level):
        self.level = level

    def getEffectiveLevel(self):
        return self.level or WARNING

    def isEnabledFor(self, level):
        return False

    def hasHandlers(self):
        return False


class LoggerAdapter(Logger):
    def __init__(self, logger, extra=None):
        super().__init__(logger.name)
        self.logger = logger
        self.extra = extra


_loggers = {}


def getLogger(name="root"):
    if name not in _loggers:
        _loggers[name] = Logger(name)
    return _loggers[name]


def getLoggerClass():
    return Logger


def _ignore(*args, **kwargs):
    return None


debug = info = warning = error = critical = exception = log = _ignore
basicConfig = captureWarnings = disable = addLevelName = _ignore


def getLevelName(level):
    names = {
        50: "CRITICAL",
        40: "ERROR",
        30: "WARNING",
        20: "INFO",
        10: "DEBUG",
        0: "NOTSET",
    }
    return names.get(level, f"Level {level}")
