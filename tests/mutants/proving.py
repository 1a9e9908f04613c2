"""What the compiler makes of a mutant, judged by torch and mlx_lm."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CHECKS = ["weights", "logits", "decode", "batch"]
PROVEN, REFUSED, WRONG, ERROR = "proven", "refused", "wrong", "error"
DISPROVED = "disproved"  # by the compiler's own proof
UNJUDGED = "unjudged"  # torch answers nothing


def compiled(folder, file):
    """(exit code, what `compile --json` says, the last of its text)."""
    done = subprocess.run(
        [ROOT / "portwright", "compile", folder, "-o", file, "--fast", "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PORTWRIGHT_NO_BUILD": "1"},
    )
    said = json.loads(done.stdout) if done.stdout.strip() else {}
    return done.returncode, said, done.stderr.strip()[-400:]


def outcome(folder, file, bench):
    """{"status", "reason", ...} of one mutant's checkpoint.

    `bench` verifies files by one pair of warm workers. A file that the compiler
    stands by and torch contradicts is wrong.
    """
    code, said, text = compiled(folder, file)
    row = {"milliseconds": said.get("milliseconds", {}).get("total", 0)}
    if code == 3:
        holes = said.get("holes") or [{"message": text}]
        reasons = [hole.get("reason") or hole["message"] for hole in holes]
        return {**row, "status": REFUSED, "reason": reasons[0], "holes": holes}
    proof = said.get("proof", {}).get("in_process", {})
    if code == 1:
        return {**row, "status": DISPROVED, "reason": proof.get("reason", text)}
    if code != 0:
        return {**row, "status": ERROR, "reason": f"exit code {code}: {text}"}
    row.update(guards=said["guards"], in_process=proof.get("verdict"))
    return {**row, **judged(folder, file, bench)}


def judged(folder, file, bench):
    """Whether the port agrees with torch, which may fail itself."""
    request = {"checkpoint": folder, "port": file, "checks": CHECKS}
    checks = bench(**request, trust_remote_code=True)["checks"]
    for status, kind in ((WRONG, "fail"), (UNJUDGED, "untrusted")):
        bad = [c for c in checks if c["status"] == kind]
        if bad:
            reason = "; ".join(f"{c['name']}: {c['reason']}" for c in bad)
            return {"status": status, "reason": reason}
    return {"status": PROVEN, "reason": ""}


def of_variant(folder, file, bench):
    """The same of another config, which the file may also refuse."""
    found = judged(folder, file, bench)
    reason = found["reason"]
    if "the port raised ValueError" in reason and "support" in reason:
        found["status"] = REFUSED
    return found
