"""Native evaluation gives torch's logits, for a family of each kind."""

import json

import numpy
import pytest

FAMILIES = """
    llama qwen2 qwen3 gemma gemma2 olmo2 olmo3 granite cohere cohere2 glm4 phi3
    starcoder2 gpt_neox mixtral qwen3_moe olmoe
""".split()
OTHERS = ["mamba2", "deepseek_v3", "qwen3_next", "gemma3_text", "falcon_mamba"]
IDS = [(i * 37 + 11) % 256 for i in range(14)]
PREFILL = 9
PADDING = 3
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def reference(reference_worker, tmp_path_factory):
    """A model type's tiny checkpoint and torch's answers about it."""
    made = {}

    def logits(folder, name, op, **request):
        from safetensors.numpy import load_file

        file = str(folder / f"{name}.safetensors")
        reference_worker(op, model=folder.name, out=file, **request)
        return load_file(file)["logits"]

    def answers(model_type):
        if model_type not in made:
            folder = tmp_path_factory.mktemp(model_type)
            reference_worker("synth", what=model_type, folder=str(folder))
            reference_worker("load", model=folder.name, folder=str(folder))
            made[model_type] = {
                "folder": folder,
                "full": logits(folder, "full", "forward", ids=[IDS]),
                "batch": logits(folder, "batch", "forward", ids=BATCH, mask=MASK),
                "decode": logits(
                    folder, "decode", "decode", ids=[IDS], prefill=PREFILL
                ),
            }
            reference_worker("unload", model=folder.name)
        return made[model_type]

    return answers


BATCH = [IDS[:PREFILL], [0] * PADDING + IDS[PADDING:PREFILL]]
MASK = [[1] * PREFILL, [0] * PADDING + [1] * (PREFILL - PADDING)]


def table(rows):
    return ";".join(",".join(map(str, row)) for row in rows)


def error(ours, theirs):
    return numpy.abs(ours - theirs).max() / numpy.abs(theirs).max()


@pytest.fixture
def run(portwright, tmp_path):
    """`portwright run`: the exit code and the logits, if any."""

    def call(folder, ids, *options):
        file = tmp_path / "logits.npy"
        done = portwright(
            "run", folder, "--ids", table(ids), "--logits", file, *options
        )
        return done, numpy.load(file) if file.exists() else None

    return call


@pytest.mark.parametrize("model_type", FAMILIES + OTHERS)
def test_equals_torch(model_type, reference, run):
    wanted = reference(model_type)
    done, full = run(wanted["folder"], [IDS])
    assert done.returncode == 0, done.stderr
    assert full.dtype == numpy.float32 and full.shape == wanted["full"].shape[1:]
    assert error(full, wanted["full"][0]) < TOLERANCE

    done, batch = run(wanted["folder"], BATCH, "--mask", table(MASK))
    assert done.returncode == 0, done.stderr
    kept = numpy.array(MASK, bool)
    assert error(batch[kept], wanted["batch"][kept]) < TOLERANCE

    done, decoded = run(wanted["folder"], [IDS], "--decode-from", PREFILL)
    assert done.returncode == 0, done.stderr
    steps = decoded[PREFILL - 1 :]
    assert error(steps, wanted["decode"][0]) < TOLERANCE


def test_bfloat16_stays_near(reference, run):
    wanted = reference("llama")
    done, logits = run(wanted["folder"], [IDS], "--dtype", "bfloat16")
    assert done.returncode == 0, done.stderr
    assert TOLERANCE < error(logits, wanted["full"][0]) < 0.1


@pytest.mark.parametrize(
    "options",
    [
        ["--ids", "1,x"],
        ["--ids", "1,2;3"],
        ["--ids", "1,2", "--mask", "1"],
        ["--ids", "1,2", "--decode-from", "3"],
        ["--ids", "1,2", "--decode-from", "0"],
        ["--ids", "1,2", "--dtype", "int8"],
        [],
    ],
)
def test_usage_faults(options, portwright, tmp_path):
    done = portwright("run", tmp_path, "--logits", tmp_path / "x.npy", *options)
    assert done.returncode == 2, done.stderr
    assert not (tmp_path / "x.npy").exists()


def test_a_directory_without_config_is_the_worlds_fault(portwright, tmp_path):
    done = portwright("run", tmp_path, "--ids", "1", "--logits", tmp_path / "x.npy")
    assert done.returncode == 4 and "config.json" in done.stderr


def test_a_config_of_the_wrong_type_is_refused(reference, run, tmp_path):
    folder = reference("llama")["folder"]
    config = json.loads((folder / "config.json").read_text())
    config["hidden_size"] = "96"
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in folder.glob("model*.safetensors"):
        (broken / file.name).symlink_to(file)
    (broken / "config.json").write_text(json.dumps(config))
    done, logits = run(broken, [IDS], "--json")
    assert done.returncode == 3 and logits is None
    assert "hidden_size" in json.loads(done.stdout)["holes"][0]["message"]
