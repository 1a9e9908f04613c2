import os
import signal
import subprocess


def run(command, log, on_line=None, env=None, cwd=None):
    """Runs a command, its output into the open file `log` and line by line into
    `on_line`. Returns the exit code. The command and its children die with us."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
    try:
        for line in process.stdout:
            log.write(line)
            if on_line:
                on_line(line.rstrip("\n"))
        return process.wait()
    except BaseException:
        kill_group(process)
        raise
    finally:
        log.flush()
        process.stdout.close()


def kill_group(process):
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=3)
            break
        except subprocess.TimeoutExpired:
            continue


def tail(path, lines=20):
    """The end of a log file, indented for showing below a message."""
    with open(path, errors="replace") as file:
        end = file.read().splitlines()[-lines:]
    return "\n".join("  | " + line for line in end)
