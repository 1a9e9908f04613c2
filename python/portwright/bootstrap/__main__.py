import os
import signal
import sys

from . import build
from .failure import Failure, Terminated
from .progress import Progress


def main(verb, arguments):
    # Ours alone: the programs we start have their own packages.
    os.environ.pop("PYTHONPATH", None)
    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGHUP, terminate)
    progress = Progress()
    try:
        if verb == "run":
            variables = build.prepare(progress)
            os.environ.update(variables)
            binary = str(build.BUILD / "bin" / "portwright")
            os.execv(binary, [binary, *arguments])
        return test(progress, arguments)
    except Failure as failure:
        progress.end()
        print(f"portwright: {failure.message}", file=sys.stderr)
        if failure.detail:
            print(failure.detail, file=sys.stderr)
        if failure.hint:
            print(f"  hint: {failure.hint}", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        progress.end()
        print("portwright: interrupted", file=sys.stderr)
        return 130
    except Terminated as ended:
        progress.end()
        return ended.code


def terminate(number, frame):
    raise Terminated(number)


def test(progress, arguments):
    """Builds what the asked-for tests need and hands over to their driver."""
    if "--asan" in arguments:
        targets, preset = ("asan_tests",), "asan"
    else:
        targets, preset = ("all",), "release"
    variables = build.prepare(progress, targets, preset)
    os.environ.update(variables)
    python = variables["PORTWRIGHT_PYTHON"]
    driver = str(build.ROOT / "tests" / "driver.py")
    os.execv(python, [python, "-B", driver, *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
