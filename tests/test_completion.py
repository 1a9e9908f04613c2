"""Completion scripts, run by the shells that are there."""

import shutil
import subprocess

import pytest


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_bash_completes_verbs_and_options(portwright, tmp_path):
    script = tmp_path / "completion"
    script.write_text(portwright("completion", "bash").stdout)

    def complete(*words):
        line = " ".join(f"'{word}'" for word in words)
        source = f"""
            source {script}
            COMP_WORDS=(portwright {line}); COMP_CWORD={len(words)}
            _portwright; echo "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(
            ["bash", "-c", source], capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    assert complete("doc") == ["doctor"]
    assert complete("doctor", "--js") == ["--json"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_accept_their_script(portwright, shell, tmp_path):
    called = portwright("completion", shell)
    assert called.returncode == 0
    assert "doctor" in called.stdout
    if not shutil.which(shell):
        pytest.skip(f"no {shell} to check the syntax")
    (tmp_path / "script").write_text(called.stdout)
    subprocess.run([shell, "-n", tmp_path / "script"], check=True)


def test_an_unknown_shell_is_a_usage_error(portwright):
    assert portwright("completion", "tcsh").returncode == 2
