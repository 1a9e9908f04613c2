"""What docs/style.md promises, where a program can check it."""

import re
import subprocess
import sys
from pathlib import Path

from repository.files import CPP, ROOT, name, tracked, under

BIN = Path(sys.executable).parent
LONGEST = 800
TEXT = {".cpp", ".h", ".py", ".md", ".txt", ".cmake", ".toml", ".json", ".yaml", ".yml"}
# Values of config fields and shared utilities, not models.
ALLOWED = re.compile(r"\bllama3\b")
FAMILIES = re.compile(
    r"llama|qwen|gemma|mixtral|mistral|deepseek|granite|cohere|olmo|mamba|falcon|bloom"
    r"|starcoder|exaone|nemotron|jamba|glm4|phi3|gpt_?(?:neox|oss|2|j)|ernie|minimax"
    r"|lfm2|internlm|stablelm|smollm",
    re.I,
)
# Comments and string literals, so that one is not taken for the other.
CPP_TOKENS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.S
)


def run(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def is_data(path):
    return "testdata" in path.parts or path.parent.suffix == ".seeds"


def sources():
    """What we wrote and format; goldens are texts that tests compare with."""
    return [p for p in under("src", "fuzz", "bench") if not is_data(p)]


def python_files():
    found = under("python", "tests", "src", "fuzz", suffixes=[".py"])
    return [path for path in found if not is_data(path)]


def test_cpp_is_formatted():
    files = [path for path in sources() if path.suffix in CPP]
    run(BIN / "clang-format", "--dry-run", "-Werror", *files)


def test_python_is_formatted():
    run(sys.executable, "-m", "black", "--check", "-q", "--diff", *python_files())
    run(
        sys.executable, "-m", "isort", "--check", "--diff", "--profile=black",
        *python_files(),
    )  # fmt: skip


def test_python_has_no_lint():
    run(BIN / "ruff", "check", "--no-cache", "-q", *python_files())


def test_words_are_spelled():
    run(BIN / "codespell", *[p for p in tracked() if p.suffix in TEXT - {".json"}])


def test_no_file_is_too_long():
    long = []
    for path in sorted({*sources(), *python_files()}):
        lines = path.read_text(errors="replace").count("\n")
        if lines > LONGEST and path.suffix in (*CPP, ".py"):
            long.append(f"{name(path)}: {lines} lines")
    assert not long, f"past {LONGEST} lines, split by construct:\n" + "\n".join(long)


def test_no_decision_by_model_name():
    found = []
    for path in sources():
        if path.suffix not in CPP or path.stem.endswith("_test"):
            continue
        text = path.read_text()
        for token in CPP_TOKENS.finditer(text):
            if token[0].startswith("/") or not FAMILIES.search(token[0]):
                continue
            if FAMILIES.search(ALLOWED.sub("", token[0])):
                line = text.count("\n", 0, token.start()) + 1
                found.append(f"{name(path)}:{line}: {token[0][:80]}")
    assert not found, "model names in literals:\n" + "\n".join(found)


def test_nothing_is_left_open():
    found = []
    here = Path(__file__)
    for path in sorted({*sources(), *python_files()}):
        if path != here and path.suffix in (*CPP, ".py"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                    found.append(f"{name(path)}:{number}: {line.strip()}")
    assert not found, "\n".join(found)


def test_no_path_of_a_machine():
    # Spelled apart, so that this file passes.
    machine = re.compile("/" + r"(home|Users|root|work)/\w|\.pye" + "nv")
    found = []
    for path in tracked():
        if path.suffix in TEXT or path.suffix == "":
            lines = path.read_text(errors="replace").splitlines()
            for number, line in enumerate(lines, 1):
                if machine.search(line):
                    found.append(f"{name(path)}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


def test_every_header_is_guarded():
    without = [
        name(path)
        for path in sources()
        if path.suffix == ".h" and "#pragma once" not in path.read_text()
    ]
    assert not without
