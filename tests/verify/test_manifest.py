"""Manifests: both versions read, the schema held, faults shown where they are."""

import json
import os
import shutil

import jsonschema
import pytest
import yaml

VERSION_1 = """\
version: 1
pr:
  number: 5
  repo: someone/mlx-lm
  branch: add-qwen3
model_type: qwen3
variants:
  - repo_id: someone/Tiny-Qwen
    type: base
    memory_gb: 0.1
    expected_dtype: float32
  - repo_id: someone/Not-Here
    type: instruct
    memory_gb: 1
    expected_dtype: bfloat16
quantize: true
notes: >
  Worth a look.
"""
HEAD = "version: 2\nmodel_type: qwen3\n"
ONE = HEAD + "variants:\n  - model: qwen3\n"


@pytest.fixture
def manifests(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "python")
    from portwright import manifest

    return manifest


def test_version_1_runs_what_is_there(checkpoint, portwright, tmp_path):
    """From the Hub's cache; what is not there proves nothing."""
    repository = tmp_path / "hub" / "models--someone--Tiny-Qwen"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    shutil.copytree(checkpoint("qwen3"), repository / "snapshots" / "abc")
    file = tmp_path / "pr-5.yaml"
    file.write_text(VERSION_1)
    done = portwright(
        "verify", "--manifest", file, "--checks", "weights", "-o", tmp_path / "o",
        "--json", env={"HF_HUB_CACHE": os.fspath(tmp_path / "hub")},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    results = json.loads(done.stdout)
    assert results["verdict"] == "untrusted"
    found = {(c["variant"], c["name"]): c for c in results["checks"]}
    assert found["someone--Tiny-Qwen", "weights"]["status"] == "pass"
    assert found["someone--Tiny-Qwen", "expected_dtype"]["status"] == "pass"
    absent = found["someone--Not-Here", "model"]
    assert absent["status"] == "untrusted"
    assert "nor in the Hub's local cache" in absent["reason"]


@pytest.mark.parametrize(
    "text, line, message",
    [
        ("version: 2\nmodel_type: [x\n", 3, "this is not YAML"),
        ("version: 3\n", 1, "there is no version 3 of manifests"),
        ("model_type: qwen3\n", 1, "`version` is missing"),
        (HEAD, 1, "`variants` is missing"),
        (HEAD + "variants: []\n", 3, "`variants` is empty"),
        (ONE + "    sed: 3\n", 5, "there is no field `variants[0].sed`"),
        (ONE + "    seed: -3\n", 5, "`variants[0].seed` has to be at least 0"),
        (ONE + "    type: chat\n", 5, "`variants[0].type` is 'chat'"),
        (ONE + "  - model: qwen3\n", 5, "two variants are called qwen3"),
        (ONE + "version: 2\n", 5, "`version` stands twice"),
        ("- version: 2\n", 1, "the manifest has to be a mapping"),
        (HEAD + "variants: &a [{model: qwen3, set: {x: *a}}]\n", 3, "aliases"),
        (VERSION_1.replace("  number: 5\n", ""), 3, "`pr.number` is missing"),
        (VERSION_1.replace("someone/Tiny-Qwen", "tiny"), 8, "repo_id` is 'tiny'"),
    ],
)
def test_faults_are_shown_where_they_are(manifests, tmp_path, text, line, message):
    with pytest.raises(manifests.Fault) as caught:
        manifests.read(text, tmp_path)
    assert message in str(caught.value)
    assert text[: caught.value.span[0]].count("\n") + 1 == line


def test_a_fault_is_a_diagnostic(portwright, tmp_path):
    file = tmp_path / "m.yaml"
    file.write_text(ONE + "    sed: 3  # Ä\n")
    done = portwright("verify", "--manifest", file, "-o", tmp_path / "o", "--json")
    assert done.returncode == 2
    assert f"{file}:5:5" in done.stderr and "    ^^^" in done.stderr
    assert json.loads(done.stdout)["error"]["line"] == 5
    assert not (tmp_path / "o").exists()
    missing = portwright("verify", "--manifest", tmp_path / "x", "-o", tmp_path / "o")
    assert missing.returncode == 4
    unknown = tmp_path / "u.yaml"
    unknown.write_text(ONE + "checks: [logit]\n")
    done = portwright("verify", "--manifest", unknown, "-o", tmp_path / "o")
    assert done.returncode == 2 and "there is no check `logit`" in done.stderr


@pytest.mark.parametrize(
    "text, said",
    [
        (ONE + "quantize: maybe\n", "`quantize` has to be true or false"),
        (ONE + "port: ''\n", "`port` is empty"),
        (ONE + "mode: fast\n", "`mode` is 'fast'"),
        (ONE + "pr: {number: 0}\n", "`pr.number` has to be at least 1"),
        (ONE + "notes: 3\n", "`notes` has to be a text"),
        (ONE + "notes: 2026-01-02\n", "`notes` has to be a text"),
        (ONE + "1: x\n", "there is no field `1`"),
        (ONE + "    memory_gb: true\n", "`variants[0].memory_gb` has to be a number"),
        (ONE.replace("qwen3\n", "../x\n", 1), "`model_type` is '../x'"),
        (HEAD + "variants: {model: x}\n", "`variants` has to be a list"),
        (HEAD + "variants: [{}]\n", "`variants[0].model` is missing"),
        (HEAD + "mode: fast\nvariants: []\n", "`mode` is 'fast'"),  # the first
    ],
)
def test_faults_are_told_in_words(manifests, tmp_path, text, said):
    with pytest.raises(manifests.Fault) as caught:
        manifests.read(text, tmp_path)
    assert str(caught.value) == said


def test_the_schemas_are_schemas(manifests, tmp_path):
    for version in manifests.SCHEMAS:
        schema = manifests.schema_of(version)
        jsonschema.Draft202012Validator.check_schema(schema)
    manifests.read(ONE + "    set: {a: [1, {b: null}]}\n", tmp_path)


def test_a_manifest_is_written_from_a_port(checkpoint, manifests, portwright, tmp_path):
    folder = tmp_path / "ported"
    shutil.copytree(checkpoint("qwen3"), folder / "checkpoint")
    (folder / "qwen3.py").write_text("class Model: ...\n")
    file = folder / "manifest.yaml"
    done = portwright("manifest", folder, "mixtral", "--notes", "a: b", "-o", file)
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load(file.read_text())
    jsonschema.validate(written, manifests.schema_of(2))
    assert (written["port"], written["notes"]) == ("qwen3.py", "a: b")
    assert written["variants"][0] == {
        "name": "ported",
        "model": "checkpoint",
        "type": "base",
        "memory_gb": written["variants"][0]["memory_gb"],
        "expected_dtype": "float32",
    }
    read = manifests.read(file.read_text(), folder)
    assert read["port"] == os.fspath(folder.resolve() / "qwen3.py")
    assert read["variants"][1] == {"name": "mixtral", "model": "mixtral"}

    as_1 = ("manifest", folder, "--format", 1, "-o", tmp_path / "v1.yaml")
    done = portwright(*as_1)
    assert done.returncode == 2
    assert "version 1 needs the pull request's number" in done.stderr
    more = ("--pr", 7, "--repo", "a/b", "--branch", "c", "--repo-id", "someone/Tiny")
    done = portwright(*as_1, *more)
    assert done.returncode == 0, done.stderr
    version_1 = yaml.safe_load((tmp_path / "v1.yaml").read_text())
    jsonschema.validate(version_1, manifests.schema_of(1))
    assert version_1["variants"][0]["repo_id"] == "someone/Tiny"
    nothing = portwright("manifest", tmp_path, "-o", tmp_path / "n.yaml")
    assert nothing.returncode == 4 and "has no config.json" in nothing.stderr
