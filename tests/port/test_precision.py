"""What the source computes in float32 whatever the model's dtype, the port does too:
a recording in float32 alone would not show the conversions."""

import pytest


@pytest.mark.parametrize(
    "kind, line",
    [
        ("mixtral", "mx.softmax(self.gate(h).astype(mx.float32), axis=-1)"),
        ("deepseek_v3", "x.reshape(-1, self.hidden_dim).astype(mx.float32)"),
    ],
)
def test_routers_keep_float32(kind, line, portwright, checkpoint, tmp_path):
    file = tmp_path / "port.py"
    done = portwright("compile", checkpoint(kind), "-o", file, "--fast")
    assert done.returncode == 0, done.stderr
    assert line in file.read_text()
