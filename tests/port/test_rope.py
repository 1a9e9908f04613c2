"""Ropes of every type in emitted files, at both sides of their thresholds.

torch and mlx_lm compute the same calls: a long prefill, chunks and single steps
across the threshold, and a batch with padding on the left.
"""

import importlib.util
import json
import shutil

import pytest

from .rope_cases import by_kind, cases, flat, longrope, nested

mx = pytest.importorskip("mlx.core")
torch = pytest.importorskip("torch")

FAMILIES = [
    ("llama", nested, list(cases(1))),
    ("llama", flat, ["default", "linear", "yarn", "longrope", "dynamic"]),
    # The channels that turn are cut out, though they are all.
    ("phi3", nested, ["longrope"]),
    # Interleaved, and part of the channels.
    ("glm4", nested, ["linear", "yarn not truncated", "longrope", "dynamic"]),
    # Beside channels that do not turn.
    ("deepseek_v2", nested, ["longrope", "dynamic"]),
    # The config class has a scaled rope for configs that give none.
    ("apertus", flat, ["default", "linear", "llama3"]),
    ("gpt_oss", flat, ["default"]),
    ("olmo3", by_kind, ["linear", "yarn", "yarn with all options", "longrope"]),
]
# Longer than any threshold of the cases, which lie at 32 and 40.
LENGTH = 72


def pairs_of(config):
    size = config.get("head_dim") or (
        config["hidden_size"] // config["num_attention_heads"]
    )
    rope = config["rope_parameters"]
    return int(size * rope.get("partial_rotary_factor", 1.0)) // 2


def table():
    return [
        pytest.param(kind, form, name, id=f"{kind}-{form.__name__}-{name}")
        for kind, form, names in FAMILIES
        for name in names
    ]


class Torch:
    def __init__(self, folder):
        from transformers import AutoModelForCausalLM

        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self.model.eval()

    def __call__(self, parts, padding=None):
        from transformers import DynamicCache

        rows = len(parts[0])
        with torch.no_grad():  # a short call makes a dynamic rope forget
            self.model(torch.zeros((1, 1), dtype=torch.long))
        cache, done, out = DynamicCache(config=self.model.config), 0, []
        for part in parts:
            ids = torch.tensor(part)
            done += ids.shape[1]
            mask = torch.ones((rows, done), dtype=torch.long)
            for row, left in enumerate(padding or []):
                mask[row, :left] = 0
            positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
            with torch.no_grad():
                out.append(
                    self.model(
                        ids,
                        attention_mask=mask,
                        position_ids=positions,
                        past_key_values=cache,
                        use_cache=True,
                    ).logits
                )
        return torch.cat(out, 1).numpy()


class Port:
    def __init__(self, file, folder):
        name = f"mlx_lm.models.emitted_{abs(hash(str(file)))}"
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        config = json.loads((folder / "config.json").read_text())
        self.model = module.Model(module.ModelArgs.from_dict(config))
        weights = mx.load(str(folder / "model.safetensors"))
        self.model.load_weights(list(self.model.sanitize(weights).items()))

    def __call__(self, parts, padding=None):
        from mlx_lm.models.cache import BatchKVCache, make_prompt_cache

        cache = make_prompt_cache(self.model)
        if padding:
            cache = [BatchKVCache(padding) for _ in cache]
        out = [self.model(mx.array(part), cache=cache) for part in parts]
        import numpy

        return numpy.array(mx.concatenate(out, axis=1))


def chunks(ids, sizes):
    """The columns of `ids` in chunks; the rest one by one."""
    out, at = [], 0
    for size in sizes + [1] * (len(ids[0]) - sum(sizes)):
        out.append([row[at : at + size] for row in ids])
        at += size
    return out


def with_rope(folder, form, name):
    """The checkpoint with a rope of that case, in another form of the config."""
    config = json.loads((folder / "config.json").read_text())
    parameters = cases(pairs_of(config))[name]
    config = form(config, parameters)
    if parameters["rope_type"] == "dynamic":
        config["max_position_embeddings"] = 40
    (folder / "config.json").write_text(json.dumps(config))


def compare(file, folder):
    want, have = Torch(folder), Port(file, folder)
    ids = [[(7 * i + 3 * r) % 200 for i in range(LENGTH)] for r in range(2)]
    one = ids[:1]
    for parts in ([one], chunks(one, [20, 9])):
        assert have(parts) == pytest.approx(want(parts), rel=1e-3, abs=2e-4)
    padding = [5, 0]
    parts = chunks(ids, [25])
    y, x = want(parts, padding), have(parts, padding)
    for row, left in enumerate(padding):
        assert x[row, left:] == pytest.approx(y[row, left:], rel=1e-3, abs=2e-4)


@pytest.mark.parametrize("kind, form, name", table())
def test_rope(kind, form, name, checkpoint, portwright, tmp_path):
    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoint(kind), folder)
    with_rope(folder, form, name)
    file = tmp_path / "port.py"
    done = portwright("compile", folder, "-o", file, "--fast", "--json")
    assert done.returncode == 0, done.stderr
    compare(file, folder)


@pytest.mark.parametrize(
    "kind, form, name",
    [
        ("llama", nested, "dynamic"),
        ("llama", flat, "dynamic"),
        # Interleaved, and part of the channels.
        ("glm4", nested, "dynamic"),
    ],
)
def test_the_file_of_a_type_serves_other_ropes(
    kind, form, name, emitted, checkpoint, tmp_path
):
    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoint(kind), folder)
    with_rope(folder, form, name)
    file = tmp_path / "port.py"
    file.write_text(emitted(kind))
    compare(file, folder)


def by_length(config, threshold, short, long):
    """The config with a rope whose scale is another one past the threshold."""
    rope = {"rope_theta": 10000.0, **longrope(pairs_of(config))}
    rope["original_max_position_embeddings"] = threshold
    longest = 2 * threshold
    rope.update(short_mscale=short, long_mscale=long)
    return {**config, "rope_parameters": rope, "max_position_embeddings": longest}


def config_of(checkpoint, threshold, short, long):
    config = json.loads((checkpoint("phimoe") / "config.json").read_text())
    return by_length(config, threshold, short, long)


@pytest.fixture
def compile_config(portwright, tmp_path):
    def compile(config):
        (tmp_path / "config.json").write_text(json.dumps(config))
        return portwright("compile", tmp_path, "-o", tmp_path / "port.py", "--fast")

    return compile


def test_a_scale_past_the_threshold_must_be_the_one_before_it(
    checkpoint, compile_config, tmp_path
):
    """A file of equal numbers reads one of them, and is given no others."""
    config = config_of(checkpoint, 64, 1.25, 1.25)
    done = compile_config(config)
    assert done.returncode == 0, done.stderr
    name = "mlx_lm.models.emitted_by_length"
    spec = importlib.util.spec_from_file_location(name, tmp_path / "port.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ModelArgs.from_dict(config_of(checkpoint, 4096, 1.5, 1.5))
    with pytest.raises(ValueError, match="short_mscale other than long_mscale"):
        module.ModelArgs.from_dict(config_of(checkpoint, 64, 1.25, 1.5))


# The second lies past all positions that are looked at.
@pytest.mark.parametrize("threshold", [64, 8192])
def test_a_scale_chosen_by_the_length_is_refused(threshold, checkpoint, compile_config):
    done = compile_config(config_of(checkpoint, threshold, 1.25, 1.5))
    assert done.returncode == 3, done.stderr
    assert "is not the one of its rope_parameters" in done.stderr
