class Failure(Exception):
    """Something in the world is not as it must be: what, and what to do."""

    def __init__(self, message, hint="", detail="", code=4):
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail
        self.code = code


class Terminated(BaseException):
    """A signal asked us to end; like KeyboardInterrupt for SIGTERM."""

    def __init__(self, signal):
        super().__init__(signal)
        self.code = 128 + signal
