"""Native evaluation gives torch's logits, for a family of each kind."""

import json

import pytest

from .agreement import IDS, TOLERANCE, error

FAMILIES = """
    llama qwen2 qwen3 gemma gemma2 olmo2 olmo3 granite cohere cohere2 glm4 phi3
    starcoder2 gpt_neox mixtral qwen3_moe olmoe
""".split()
OTHERS = ["mamba2", "deepseek_v3", "qwen3_next", "gemma3_text", "falcon_mamba", "zamba"]


@pytest.fixture(scope="module")
def reference(reference_worker, tmp_path_factory):
    """The folder of a model type's tiny checkpoint, loaded in torch by its name."""
    made = {}

    def checkpoint(model_type):
        if model_type not in made:
            folder = tmp_path_factory.mktemp(model_type)
            reference_worker("synth", what=model_type, folder=str(folder))
            reference_worker("load", model=folder.name, folder=str(folder))
            made[model_type] = folder
        return made[model_type]

    return checkpoint


@pytest.mark.parametrize("model_type", FAMILIES + OTHERS)
def test_equals_torch(model_type, reference, agree):
    folder = reference(model_type)
    agree(folder.name, folder)


def test_a_model_that_keeps_no_cache_does_not_decode(reference, run):
    done, logits = run(reference("openai-gpt"), [IDS], "--decode-from", "9")
    assert done.returncode == 3 and logits is None
    assert "keeps no cache" in done.stderr


def test_random_numbers_are_refused_where_they_decide(made, run):
    """Reformer hashes prompts longer than a chunk, and only these."""
    folder = made("reformer", axial_pos_shape=[16, 9])
    done, logits = run(folder, [IDS])
    assert done.returncode == 0 and logits.shape[0] == len(IDS), done.stderr
    done, logits = run(folder, [list(range(100))])
    assert done.returncode == 3 and logits is None
    assert "torch.randn() draws random numbers" in done.stderr


def test_bfloat16_stays_near(reference, run, torch_logits):
    folder = reference("llama")
    wanted = torch_logits(folder.name, "forward", ids=[IDS])
    done, logits = run(folder, [IDS], "--dtype", "bfloat16")
    assert done.returncode == 0, done.stderr
    assert TOLERANCE < error(logits, wanted[0]) < 0.1


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
    folder = reference("llama")
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
