"""compile --map: the lines of the source that each line of a port stands for."""

import ast
import json

import pytest

from .conftest import TYPES


@pytest.fixture(scope="session")
def mapped(portwright, checkpoint, tmp_path_factory):
    """The port's lines, and for each line number the texts of its source lines."""
    made = {}

    def make(kind):
        if kind not in made:
            file = tmp_path_factory.mktemp("mapped") / f"{kind}.py"
            done = portwright(
                "compile", checkpoint(kind), "-o", file, "--fast", "--map"
            )
            assert done.returncode == 0, done.stderr
            told = json.loads(file.with_name(f"{kind}.py.map.json").read_text())
            sources = [open(name).read().splitlines() for name in told["files"]]
            lines = {
                int(line): {sources[at][number - 1].strip() for at, number in places}
                for line, places in told["lines"].items()
            }
            made[kind] = file.read_text(), lines
        return made[kind]

    return make


def forward_statements(text):
    for cls in ast.parse(text).body:
        if isinstance(cls, ast.ClassDef):
            for function in cls.body:
                if getattr(function, "name", "") == "__call__":
                    for statement in function.body:
                        yield from ast.walk(statement)


@pytest.mark.parametrize("kind", TYPES)
def test_every_statement_of_a_forward_has_source_lines(kind, mapped):
    text, lines = mapped(kind)
    for statement in forward_statements(text):
        if isinstance(statement, ast.stmt):
            assert lines.get(statement.lineno), ast.unparse(statement)


@pytest.mark.parametrize(
    "port, source",
    {
        "queries = self.q_proj(x)": "query_states = self.q_proj(hidden_states)",
        "queries = self.rope(queries)": "q_embed = (q * cos)",
        "output = scaled_dot_product_attention(": "torch.matmul(attn_weights, value",
        "return self.o_proj(output": "attn_output = self.o_proj(attn_output)",
        "return self.down_proj(swiglu(": "down_proj = self.down_proj(self.act_fn(",
        "h = x + self.self_attn(": "hidden_states = residual + hidden_states",
        "h = self.embed_tokens(inputs)": "inputs_embeds: torch.Tensor = self.embed_",
        "self.gate_proj = nn.Linear(": "self.gate_proj = nn.Linear(",
        "vocab_size: int = 32000": "vocab_size: int = 32000",
    }.items(),
)
def test_llama(port, source, mapped):
    text, lines = mapped("llama")
    found = [n for n, line in enumerate(text.splitlines(), 1) if port in line]
    assert found
    for number in found:
        assert any(source in line for line in lines[number]), lines[number]
