"""Architectures that nobody has written are ported right, or refused.

`python bench/mutants.py` takes hundreds that it draws; here are some of each family
by name, and what was once wrong."""

import ast
import json

import pytest
from verify.conftest import Bench

from . import proving
from .generator import BASES, changed, draw, made, start
from .gold import Judge
from .operators import SEMANTIC, STYLE
from .patterns import find, rewrite
from .run import Configs

FIXED = {
    "gates": ("llama", "output_gate gate_exchanged rope_spectrum classes_renamed"),
    "layers": ("llama", "first_layer_apart nope_layers heads_unflattened"),
    "norms": ("gemma2", "norm_centred embedding_norm norm_around attention_sink"),
    "sizes": ("olmo2", "hidden_norm norm_power scores_by_einsum"),
    "rotation": ("qwen3", "rope_interleaved rope_scaled qk_norm_after_rope"),
    "windows": ("granite", "sliding_alternate attention_softcap block_by_method"),
    "experts": ("mixtral", "router_bias shared_expert attributes_renamed"),
    "values": ("qwen3", "shared_values last_norm_weightless scores_by_einsum"),
    "starts": ("olmo2", "residual_mixed parallel_residual"),
    "states": ("mamba2", "skip_scaled decay_transform conv_activation"),
}


@pytest.fixture(scope="module")
def bench():
    process = Bench()
    yield process
    process.close()


@pytest.fixture(scope="module")
def config_of(tmp_path_factory):
    return Configs(tmp_path_factory.mktemp("bases"))


@pytest.mark.parametrize("name", FIXED)
def test_is_proven(name, bench, config_of, tmp_path):
    kind, operators = FIXED[name]
    judge = Judge(tmp_path / "scratch")
    mutant = made(name, kind, operators.split(), config_of(kind), judge)
    assert judge.save(mutant, tmp_path / name)
    row = proving.outcome(tmp_path / name, tmp_path / f"{name}.py", bench)
    assert row["status"] == "proven", row["reason"]


def test_a_choice_of_layers_that_a_small_model_lacks_is_refused(config_of, tmp_path):
    mutant = start("deep", "llama", 0, config_of("llama"))
    mutant.arch = changed(mutant, "first_layer_apart")
    assert rewrite(mutant.arch.modeling, "self.layer_idx == 0", "self.layer_idx == 9")
    mutant.arch.write(tmp_path, "deep", mutant.arch.base_config)
    code, said, text = proving.compiled(tmp_path, tmp_path / "port.py")
    assert code == 0, text
    assert any("layer_idx == 9" in guard for guard in said["guards"])


def test_a_seed_draws_the_same(config_of):
    def judge(arch, keeps):
        return 1.0

    first, second = (draw(5, 3, config_of, judge) for _ in range(2))
    assert first.operators == second.operators
    assert first.arch.texts() == second.arch.texts()


def test_every_operator_applies_somewhere(config_of):
    fitting = set()
    for kind in BASES:
        mutant = start("base", kind, 0, config_of(kind))
        for operator in {*SEMANTIC, *STYLE} - fitting:
            try:
                step = changed(mutant, operator)
            except LookupError:
                continue
            assert step.texts() != mutant.arch.texts()
            fitting.add(operator)
    assert fitting == {*SEMANTIC, *STYLE}


def test_patterns_bind_what_they_stand_for():
    tree = ast.parse("y = self.norm(f(x), 1, eps=2, bias=False)")
    [(_, found)] = find(tree, "self.__n(__x, *__rest, eps=__e, **__more)")
    assert found["__n"] == "norm" and ast.unparse(found["__x"]) == "f(x)"
    assert rewrite(tree, "__f(__x, *__a, **__k)", "g(__x, *__a, **__k)", limit=1) == 1
    assert ast.unparse(tree) == "y = g(f(x), 1, eps=2, bias=False)"
    assert not find(ast.parse("a + b"), "__x + __x")


def test_a_folder_holds_the_code_that_it_names(config_of, tmp_path):
    mutant = start("odd", "llama", 0, config_of("llama"))
    mutant.arch = changed(mutant, "classes_renamed")
    mutant.arch.write(tmp_path, "odd", mutant.arch.base_config)
    config = json.loads((tmp_path / "config.json").read_text())
    for named in config["auto_map"].values():
        module, cls = named.split(".")
        assert f"class {cls}(" in (tmp_path / f"{module}.py").read_text()
