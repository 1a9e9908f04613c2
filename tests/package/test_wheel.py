"""The wheel: what is in it, and that it runs where it is installed.

The wheel here is made around the binary that is already built; the release
workflow builds one from nothing."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

SITE = Path(sysconfig.get_paths()["purelib"])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q"]
    command += ["--no-build-isolation", "-w", folder, ROOT]
    binary = ROOT / "build" / "bin" / "portwright"
    command += [f"-Ccmake.define.PORTWRIGHT_PREBUILT={binary}"]
    command += [f"-Cbuild-dir={folder / 'build'}"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command, check=True, env=dict(os.environ, PATH=path))
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The bin folder of a new environment with the wheel. The other packages are
    those of ours, lent by a path file; mlx is linked to where it would be."""
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
    (site / "mlx").symlink_to(SITE / "mlx")
    return folder / "bin"


def call(*command):
    # Nothing of a checkout around it.
    environment = {k: v for k, v in os.environ.items() if "PORTWRIGHT" not in k}
    return subprocess.run(
        command, capture_output=True, text=True, cwd="/", env=environment
    )


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
