import json
import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def reference_worker(root):
    """torch, as the workers serve it: reference_worker(op, **arguments)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "portwright.workers.reference_main"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root / "python")},
    )

    def call(op, **arguments):
        process.stdin.write(json.dumps({"id": 1, "op": op, **arguments}) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        assert answer["ok"], answer["error"]["traceback_tail"]
        return answer["result"]

    yield call
    call("shutdown")
    process.wait(30)
