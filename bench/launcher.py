"""The launcher of this checkout, as benchmarks ask it."""

import json
import os
import subprocess
from pathlib import Path

LAUNCHER = Path(__file__).resolve().parent.parent / "portwright"


def portwright(*arguments, verdicts=(0,)):
    """What it answers as JSON; ends the benchmark at an exit code that is no verdict
    it can tell of."""
    done = subprocess.run(
        [LAUNCHER, *map(str, arguments), "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PORTWRIGHT_NO_BUILD": "1"},
    )
    if done.returncode not in verdicts:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)
