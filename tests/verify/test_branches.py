"""A pull request's branch is judged out of a clone of mlx-lm, which stays as it is."""

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import check_of


def git(folder, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    command = ["git", "-C", folder, *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A repository of the installed mlx-lm; its branch `exchanged` has gate and up
    exchanged in qwen3.py."""
    folder = tmp_path_factory.mktemp("clone")
    package = Path(importlib.util.find_spec("mlx_lm").origin).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, folder / "mlx_lm", ignore=ignored)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "The release")
    git(folder, "checkout", "-q", "-b", "exchanged")
    file = folder / "mlx_lm" / "models" / "qwen3.py"
    right, wrong = (f"swiglu(self.{a}(x), self.{b}(x))" for a, b in PAIRS)
    text = file.read_text()
    assert right in text
    file.write_text(text.replace(right, wrong))
    git(folder, "commit", "-q", "-a", "-m", "Exchange gate and up")
    git(folder, "checkout", "-q", "main")
    return folder


PAIRS = [("gate_proj", "up_proj"), ("up_proj", "gate_proj")]


def ask(portwright, model, clone, out, *arguments):
    return portwright(
        *("verify", *model, "--mlx-lm", clone, "--checks", "logits", "--json"),
        *(*arguments, "-o", out),
    )


def test_the_branch_is_judged_and_not_the_work_tree(
    portwright, checkpoint, clone, tmp_path
):
    before = git(clone, "status", "--porcelain", "--branch")
    model = (checkpoint("qwen3"),)
    done = ask(portwright, model, clone, tmp_path, "--branch", "exchanged")
    found = check_of(json.loads(done.stdout), "logits")
    assert (found["status"], found["place"]["module"]) == ("fail", "mlp")
    assert "def __call__" in Path(found["place"]["port_file"]).read_text()
    assert git(clone, "status", "--porcelain", "--branch") == before
    facts = json.loads(next(tmp_path.glob("results/*/*/run.json")).read_text())
    assert facts["subject"]["branch"] == "exchanged"
    assert facts["subject"]["commit"] == git(clone, "rev-parse", "exchanged").strip()


def test_a_manifest_names_the_branch_of_its_pull_request(
    portwright, checkpoint, clone, tmp_path
):
    manifest = tmp_path / "m.yaml"
    manifest.write_text(
        "version: 2\nmodel_type: qwen3\npr: {number: 1, branch: main}\n"
        f"variants:\n  - model: {checkpoint('qwen3')}\n"
    )
    model = ("--manifest", manifest)
    done = ask(portwright, model, clone, tmp_path / "out")
    assert check_of(json.loads(done.stdout), "logits")["status"] == "pass"
    assert "mlx_lm as of main" in done.stderr


@pytest.mark.parametrize(
    "folder, branch, error, hint",
    [
        ("clone", "nothing", "has no branch `nothing`", "pull/<number>/head:nothing"),
        ("elsewhere", "main", "is no git repository", "leave --branch out"),
        ("nowhere", "main", "is no folder", "a clone of mlx-lm"),
    ],
)
def test_a_branch_that_is_not_there_is_told(
    folder, branch, error, hint, portwright, clone, tmp_path
):
    (tmp_path / "elsewhere").mkdir()
    where = clone if folder == "clone" else tmp_path / folder
    done = ask(portwright, ("qwen3",), where, tmp_path / "out", "--branch", branch)
    assert done.returncode == 2
    assert error in done.stderr and hint in done.stderr


def test_without_git_a_branch_cannot_be_read(portwright, clone, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    done = ask(portwright, ("qwen3",), clone, tmp_path / "out", "--branch", "main")
    assert done.returncode == 2
    assert "git cannot be run" in done.stderr
