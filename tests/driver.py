"""Runs the C++ tests by ctest and the Python tests by pytest, and adds them up."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def main():
    parser = argparse.ArgumentParser(prog="./test", description="Runs every test.")
    parser.add_argument("filter", nargs="?", help="a regular expression on test names")
    parser.add_argument("--quick", action="store_true", help="leave out slow tests")
    parser.add_argument(
        "--asan",
        action="store_true",
        help="the readers' tests and fuzz drivers under the sanitizers",
    )
    parser.add_argument(
        "--all-types",
        action="store_true",
        help="every model type where a sample is the rule",
    )
    parser.add_argument(
        "--from-nothing",
        action="store_true",
        help="the wheel compiled, with build requirements that pip gets",
    )
    options = parser.parse_args()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with tempfile.TemporaryDirectory() as folder:
        reports = [Path(folder) / "ctest.xml", Path(folder) / "pytest.xml"]
        ran_badly = run_ctest(options, reports[0])
        if not options.asan:
            ran_badly |= run_pytest(options, reports[1])
        for report in reports:
            count(report, counts)
    # A runner that breaks without naming a test must not pass for success.
    if ran_badly and not counts["failed"]:
        counts["failed"] = 1
    if not counts["passed"] and not counts["failed"]:
        print("no test has this name", file=sys.stderr)
        return 2
    last = f"{counts['passed']} passed, {counts['failed']} failed"
    if counts["skipped"]:
        last += f", {counts['skipped']} skipped"
    print(last, flush=True)
    return 1 if counts["failed"] else 0


def run_ctest(options, report):
    build = ROOT / ("build-asan" if options.asan else "build")
    command = [
        BIN / "ctest",
        "--test-dir",
        build,
        "-j2",
        "--output-on-failure",
        "--timeout",
        "600",
        "--no-tests=ignore",
        "--output-junit",
        report,
    ]
    names = options.filter or ""
    environment = dict(os.environ)
    if options.asan:
        # Only these targets are built there.
        listed = (build / "asan_tests.txt").read_text().split()
        names = "^(" + "|".join(listed) + r")\." + (names and f".*{names}")
        environment["ASAN_OPTIONS"] = "detect_stack_use_after_return=1"
        environment.setdefault("PORTWRIGHT_FUZZ_RUNS", "20000")
        environment["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1"
    if names:
        command += ["-R", names]
    if options.quick:
        command += ["-LE", "slow"]
    return quiet(command, environment)


def run_pytest(options, report):
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-n", "2", "--dist", "loadfile", f"--junitxml={report}"]
    if options.filter:
        command += ["--match", options.filter]
    if options.quick:
        command += ["-m", "not slow"]
    if options.all_types:
        command.append("--all-types")
    if options.from_nothing:
        command.append("--from-nothing")
    print("running pytest", flush=True)
    code = subprocess.run(command + [ROOT / "tests"], cwd=ROOT).returncode
    return code not in (0, 5)  # 5: no test selected


def quiet(command, environment):
    """Runs ctest without the lines that tell of success."""
    print("running ctest", flush=True)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    for line in process.stdout:
        if not re.search(rb"Test +#\d+: .* Passed |^ +Start +\d+: ", line):
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    return process.wait() != 0


def count(report, counts):
    if not report.exists():
        return
    for case in xml.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            counts["failed"] += 1
        elif case.find("skipped") is not None:
            counts["skipped"] += 1
        else:
            counts["passed"] += 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
