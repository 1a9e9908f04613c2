"""verify_many: batteries by one pair of workers that stay (`ninja verify_many`)."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class WarmWorkers:
    def __init__(self):
        self.process = subprocess.Popen(
            [ROOT / "build" / "bin" / "verify_many"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PORTWRIGHT_PYTHON": sys.executable,
                "PORTWRIGHT_HOME": str(ROOT / "python" / "portwright"),
            },
        )

    def __call__(self, **request):
        """Its answer; that it died, where it gives none."""
        self.process.stdin.write(json.dumps(request, default=str) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"ok": False, "error": "it died"}

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
