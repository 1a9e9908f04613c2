"""The wheel: that it is built from the sdist alone, and runs where it is installed.

`./test --from-nothing wheel` compiles the binary in it and leaves the build
requirements to pip, as `pip wheel .` does; otherwise it is made around the binary
that is already there."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

SITE = Path(sysconfig.get_paths()["purelib"])
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdist")
    build = "import sys, scikit_build_core.build as b; b.build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, folder], check=True, cwd=ROOT)
    (made,) = folder.glob("*.tar.gz")
    return made


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory, pytestconfig):
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as tar:
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        tar.extractall(folder, **safely)
    (source,) = folder.iterdir()
    made = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", made]
    if not pytestconfig.getoption("--from-nothing"):
        binary = ROOT / "build" / "bin" / "portwright"
        command += ["--no-build-isolation"]
        command += [f"--config-settings=cmake.define.PORTWRIGHT_PREBUILT={binary}"]
    subprocess.run([*command, source], check=True, env=dict(os.environ, PATH=PATH))
    (file,) = made.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The bin folder of a new environment with the wheel. The other packages are
    those of ours, lent by a path file; what we look for is linked to its place."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    site = folder / SITE.relative_to(sys.prefix)
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "-q"]
        + ["--no-deps", "--no-index", wheel],
        check=True,
    )
    (site / "lent.pth").write_text(str(SITE))
    for name in ("mlx", "mlx_lm"):
        (site / name).symlink_to(SITE / name)
    return folder / "bin"


def call(*command, cwd="/"):
    # Nothing of a checkout around it.
    environment = {k: v for k, v in os.environ.items() if "PORTWRIGHT" not in k}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=environment
    )


def test_the_sdist_holds_what_git_holds_but_its_own_machinery(sdist):
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True)
    if tracked.returncode:
        pytest.skip("not a checkout")
    with tarfile.open(sdist) as tar:
        files = {m.name.split("/", 1)[1] for m in tar if m.isfile()}
    ours = {
        name
        for name in tracked.stdout.decode().split()
        if not name.startswith((".ci/", ".github/")) and (ROOT / name).exists()
    }
    assert sorted(ours - files) == []
    extra = {name for name in files - ours if not (ROOT / name).is_file()}
    assert extra == {"PKG-INFO"}


def test_it_holds_the_binary_and_the_workers(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "portwright/bin/portwright" in names
    assert any(name.startswith("portwright/workers/") for name in names)
    assert not any("bootstrap" in name or "__pycache__" in name for name in names)
    assert wheel.name.startswith("portwright-") and "-py3-none-" in wheel.name


def test_the_command_runs(installed):
    called = call(installed / "portwright", "--version")
    assert called.stdout.startswith("portwright "), called.stderr
    assert called.returncode == 0


def test_it_finds_everything_around_it(installed):
    called = call(installed / "portwright", "doctor", "--json")
    assert called.returncode == 0, called.stderr + called.stdout
    workers = [c for c in json.loads(called.stdout)["checks"] if c["name"] == "workers"]
    assert str(installed.parent) in workers[0]["detail"]


def test_it_compiles(installed, tmp_path):
    called = call(
        installed / "portwright", "compile", "llama", "-o", "f.py", cwd=tmp_path
    )
    assert called.returncode == 0, called.stderr + called.stdout
    assert "class Model(nn.Module):" in (tmp_path / "f.py").read_text()


def test_it_ports(installed, tmp_path):
    called = call(installed / "portwright", "port", "qwen3", "-o", "out", cwd=tmp_path)
    assert called.returncode == 0, called.stderr + called.stdout
    assert (tmp_path / "out" / "report.html").exists()
    assert (tmp_path / "out" / "checkpoint" / "config.json").exists()
