"""Files of a stage are compiled in batches: what each keeps to itself needs a name
that no other uses. Where two share one they mostly share the thing as well."""

import re
from collections import defaultdict

from repository.files import name, under

RAW = re.compile(r'R"(\w*)\(.*?\)\1"', re.S)
NAMESPACE = re.compile(r"^namespace ([\w:]+) \{", re.M)
OWN = re.compile(r"^namespace \{\n(.*?)^\}  // namespace$", re.S | re.M)
FUNCTION = re.compile(r"^[A-Za-z_][\w:<>&*, ]*?[ *&](\w+)\(([^{};]*?)\) \{", re.M)
CONSTANT = re.compile(
    r"^const(?:expr)?\s[^=\n(]*?\b(\w+)(?:\[[^\]]*\])? (?:=|\{)", re.M
)
TYPE = re.compile(r"^(?:struct|class|enum class) (\w+)[^;\n]*\{", re.M)


def own_names(text):
    """What the file's unnamed namespaces define; functions with their types."""
    text = RAW.sub('""', text)
    for body in OWN.findall(text):
        for function, parameters in FUNCTION.findall(body):
            types = re.sub(r"\b\w+(?=,|$| =)", "", parameters)
            yield function, " ".join(types.split())
        for constant in CONSTANT.findall(body):
            yield constant, "constant"
        for kind in TYPE.findall(body):
            yield kind, "type"


def test_no_two_files_of_a_stage_keep_the_same_name():
    owners = defaultdict(set)
    for path in under("src", suffixes=[".cpp"]):
        text = path.read_text()
        scope = NAMESPACE.search(text)
        test = path.name.endswith("_test.cpp")
        for own in own_names(text):
            owners[scope and scope[1], test, *own].add(name(path))
    clashes = [
        f"{own[2]}: {', '.join(sorted(files))}"
        for own, files in owners.items()
        if len(files) > 1
    ]
    assert clashes == []
