"""JSON lines over pipes; tensors in safetensors files. See docs/workers.md."""

import importlib.metadata
import json
import math
import os
import sys
import traceback

SCHEMA = 1


class WorkerError(Exception):
    """A failure the caller should see under its own kind."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def claim_stdout():
    """The pipe to the caller. Everything else that prints goes to stderr."""
    channel = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return channel


def versions(*names):
    out = {"python": sys.version.split()[0]}
    for name in names:
        try:
            out[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            out[name] = None
    return out


def failure(error):
    """{kind, message, traceback_tail}, and what raising.note found."""
    kind = getattr(error, "kind", None) or type(error).__name__
    tail = traceback.format_exception(type(error), error, error.__traceback__)
    return {
        "kind": kind,
        "message": str(error).strip() or type(error).__name__,
        "traceback_tail": "".join(tail)[-4000:],
        **getattr(error, "raised", {}),
    }


def answer(handlers, line):
    """One request line to one response object."""
    try:
        request = json.loads(line)
        if not isinstance(request, dict):
            raise TypeError("expected an object")
    except (ValueError, TypeError) as error:
        message = f"the request is not a JSON object: {error}"
        return {
            "id": None,
            "ok": False,
            "error": {"kind": "bad-request", "message": message},
        }
    number = request.pop("id", None)
    op = request.pop("op", None)
    handler = handlers.get(op)
    if handler is None:
        message = f"unknown op {op!r}; known: {', '.join(sorted(handlers))}"
        return {
            "id": number,
            "ok": False,
            "error": {"kind": "bad-request", "message": message},
        }
    try:
        return {"id": number, "ok": True, "result": handler(**request)}
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a port may raise anything, SystemExit included
        return {"id": number, "ok": False, "error": failure(error)}


def _finite(value):
    """JSON knows no NaN and no infinity: configs of old libraries do."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def encoded(response):
    return json.dumps(_finite(response))


def serve(handlers):
    """Answers requests until stdin ends or `shutdown` arrives."""
    channel = claim_stdout()
    for line in sys.stdin:
        if not line.strip():
            continue
        response = answer(handlers, line)
        channel.write(encoded(response) + "\n")
        channel.flush()
        if response.get("ok") and response.get("result") == "bye":
            break
