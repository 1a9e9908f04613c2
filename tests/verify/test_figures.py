"""The figures of a report: what they hold of ports with a bug planted, and that a
browser shows them whole."""

import json
import re
import shutil
import subprocess

import pytest

from .conftest import check_of

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
LEAK = (r"return self\.o_proj\((.*)\)", r"return self.o_proj(\1).astype(mx.float32)")


@pytest.fixture(scope="module")
def emitted(portwright, tmp_path_factory):
    """An emitted port of a type, some of its text replaced."""
    made = {}

    def make(kind, *edits):
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp(kind) / "port.py"
            done = portwright("compile", kind, "-o", made[kind], "--fast")
            assert done.returncode == 0, done.stderr
        text = made[kind].read_text()
        for old, new in edits:
            assert re.search(old, text), f"{kind} no longer has {old}"
            text = re.sub(old, new, text)
        port = tmp_path_factory.mktemp("planted") / "port.py"
        port.write_text(text)
        return port

    return make


WIDER = [
    (r"self\.sliding_window if kind", "self.sliding_window + 1 if kind"),
    (r"max_size=self\.args\.sliding_window", r"\g<0> + 1"),
]


def cells(row):
    return {(kind, at) for at, kind in enumerate(row) if kind in "pt"}


def test_a_window_too_wide_is_seen_one_token_behind_it(emitted, checkpoint, verify):
    model = checkpoint("gemma2")
    window = json.loads((model / "config.json").read_text())["sliding_window"]
    sound = check_of(verify(model, emitted("gemma2"), ["mask"]), "mask")
    maps = sound["figures"]["influence"]
    assert [(m["name"], m["layers"]) for m in maps] == [
        ("", [0]),
        ("", [1, 2]),
        ("logits", []),
        ("after cached steps", []),
    ]
    assert not any(cells(row) for m in maps for row in m["rows"])
    found = check_of(verify(model, emitted("gemma2", *WIDER), ["mask"]), "mask")
    sliding = found["figures"]["influence"][0]
    length = len(sliding["rows"][0])
    for token, row in zip(sliding["tokens"], sliding["rows"]):
        behind = token + window
        assert cells(row) == ({("p", behind)} if behind < length else set())


def test_tokens_sent_elsewhere_are_counted_in_their_layer(emitted, checkpoint, verify):
    model = checkpoint("qwen3_moe")
    sound = check_of(verify(model, emitted("qwen3_moe"), ["routing"]), "routing")
    routers = sound["figures"]["routing"]
    assert [r["layer"] for r in routers] == list(range(len(routers)))
    assert {(r["module"], r["differing"]) for r in routers} == {("mlp", 0)}
    worst = (r"argpartition\(-", "argpartition(")
    found = verify(model, emitted("qwen3_moe", worst), ["routing"])
    assert all(
        r["differing"] > 0 for r in check_of(found, "routing")["figures"]["routing"]
    )


def test_a_leak_is_told_by_the_module_it_begins_in(emitted, checkpoint, verify):
    model = checkpoint("qwen3")
    found = check_of(verify(model, emitted("qwen3", LEAK), ["dtype"]), "dtype")
    flows = found["figures"]["dtypes"]
    leaks = [(f["module"], f["layers"]) for f in flows if f["leak"]]
    assert leaks == [("", [0]), ("self_attn", [0])]
    o_proj = next(f for f in flows if f["module"] == "self_attn.o_proj")
    assert (o_proj["takes"], o_proj["gives"]) == ("bfloat16", "bfloat16")
    sound = check_of(verify(model, emitted("qwen3"), ["dtype"]), "dtype")
    assert not any(f["leak"] for f in sound["figures"]["dtypes"])


MEASURE = """<script>
const box = e => e.getBoundingClientRect();
const figures = [...document.querySelectorAll('svg')];
const outside = [...document.querySelectorAll('svg text')].filter(t => {
  const a = box(t), b = box(t.closest('svg'));
  return a.left < b.left - 1 || a.right > b.right + 1 || a.bottom > b.bottom + 1; });
document.title = JSON.stringify({
  wide: document.documentElement.scrollWidth - innerWidth,
  cut: [...document.querySelectorAll('.checks td')].filter(t =>
    box(t).right > box(t.closest('.card')).right + 1).map(t => t.textContent),
  empty: figures.filter(f => box(f).height < 20).length,
  figures: figures.length,
  outside: outside.map(t => t.textContent),
  ground: getComputedStyle(document.body).backgroundColor,
  headings: [...document.querySelectorAll('h2')].map(h => h.textContent)});
</script>"""


@pytest.fixture(scope="module")
def report(emitted, checkpoint, portwright, tmp_path_factory):
    """The report of a port with two bugs."""
    out = tmp_path_factory.mktemp("report")
    checks = "logits,layers,mask,dtype,rotating_cache"
    portwright(
        *("verify", checkpoint("gemma2"), "--checks", checks, "-o", out),
        *("--port", emitted("gemma2", LEAK, *WIDER)),
    )
    return (out / "report.html").read_text()


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [1200, 500])
@pytest.mark.parametrize("scheme, ground", [(1, "251, 251, 249"), (0, "20, 23, 27")])
def test_a_browser_shows_every_figure_whole(width, scheme, ground, report, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(report.replace("</body>", MEASURE + "</body>"))
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
        + [f"--window-size={width},2000", f"--user-data-dir={tmp_path / 'profile'}"]
        + [f"--blink-settings=preferredColorScheme={scheme}", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    seen = json.loads(re.search(r"<title>(.*?)</title>", done.stdout, re.S).group(1))
    assert seen["wide"] <= 0 and not seen["empty"] and not seen["outside"], seen
    assert not seen["cut"], seen["cut"]
    assert seen["figures"] > 6 and ground in seen["ground"]
    assert seen["headings"][:4] == ["Layers", "Positions", "Influence", "Dtypes"]
