"""What the compiler makes of a mutant, judged by torch and mlx_lm."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CHECKS = ["weights", "logits", "decode", "batch"]
PROVEN, REFUSED, DISPROVED, WRONG, ERROR = (
    "proven",
    "refused",
    "disproved",
    "wrong",
    "error",
)


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
    row["guards"] = said["guards"]
    results = bench(checkpoint=folder, port=file, checks=CHECKS, trust_remote_code=True)
    bad = [c for c in results["checks"] if c["status"] not in ("pass", "warn")]
    bad = [c for c in bad if c["status"] != "skipped"]
    if bad:
        reason = "; ".join(f"{c['name']}: {c['reason']}" for c in bad)
        return {**row, "status": WRONG, "reason": reason}
    row["in_process"] = proof.get("verdict")
    return {**row, "status": PROVEN, "reason": ""}
