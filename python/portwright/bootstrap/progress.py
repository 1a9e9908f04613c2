import os
import shutil
import sys
import time


class Progress:
    """One changing line on a terminal, plain lines elsewhere, on stderr."""

    def __init__(self, stream=sys.stderr):
        self.stream = stream
        self.terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.dim, self.reset = ("\033[2m", "\033[0m")
        if "NO_COLOR" in os.environ or not self.terminal:
            self.dim = self.reset = ""
        self.step_name = ""
        self.drawn = 0.0
        self.shown = False

    def step(self, name):
        self.step_name = name
        if self.terminal:
            self.drawn = 0.0
            self.detail("")
        else:
            print(f"portwright: {name}", file=self.stream, flush=True)

    def detail(self, text):
        """What the step is busy with; shown on a terminal only."""
        now = time.monotonic()
        if not self.terminal or now - self.drawn < 0.1:
            return
        self.drawn = now
        width = shutil.get_terminal_size().columns - 1
        line = f"portwright: {self.step_name} {text}"[:width]
        self.stream.write(f"\r{self.dim}{line}{self.reset}\033[K")
        self.stream.flush()
        self.shown = True

    def end(self):
        if self.shown:
            self.stream.write("\r\033[K")
            self.stream.flush()
            self.shown = False

    def say(self, text):
        self.end()
        print(text, file=self.stream, flush=True)
