"""Reads and writes manifests: YAML that says what a port is to be proven on.

    python -m portwright.manifest read FILE < TEXT
    python -m portwright.manifest write [--version 1|2] < JSON

The answer is one JSON object: {"manifest": version 2, with names and whole paths},
{"text": YAML}, or {"fault": {message, hint, offset, end}}, in bytes of the text.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import jsonschema
import yaml

DATA = Path(__file__).resolve().parent / "data"
SCHEMAS = {1: "manifest_v1.schema.json", 2: "manifest.schema.json"}
WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


class Fault(Exception):
    """A fault of the text, in its characters from `begin` to `end`."""

    def __init__(self, message, hint="", begin=0, end=0):
        super().__init__(message)
        self.hint = hint
        self.span = begin, end


def schema_of(version):
    return json.loads((DATA / SCHEMAS[version]).read_text(encoding="utf-8"))


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice: YAML would let the last one win. Refuses
    aliases: a few lines of them grow without bound."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise _fault("aliases are not read", "write it out", self.peek_event())
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _fault("a key has to be a text", "", key)
            if key.value in seen:
                message = f"`{key.value}` stands twice"
                raise _fault(message, "one of them would be ignored", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _fault(message, hint, node):
    return Fault(message, hint, node.start_mark.index, node.end_mark.index)


def _parsed(text):
    """(the value, its node)"""
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            raise Fault("the manifest is empty", "docs/bench.md shows one")
        return loader.construct_document(node), node
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = mark.index if mark else 0
        said = " ".join(filter(None, [error.problem, error.context]))
        raise Fault(f"this is not YAML: {said}", "", at, at + 1) from error
    except yaml.YAMLError as error:
        at = getattr(error, "position", 0)
        raise Fault(f"this is not YAML: {error}", "", at, at + 1) from error
    finally:
        if loader is not None:
            loader.dispose()


def _node_at(node, path):
    """The node of a value; what `path` ends in."""
    for part in path:
        if isinstance(part, int):
            node = node.value[part]
        else:
            node = next(inner for key, inner in node.value if key.value == part)
    return node


def _name(path):
    """`variants[0].seed`"""
    parts = (f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)
    return "".join(parts).removeprefix(".")


def _unknown_key(error, node):
    """The node of the first key that the schema does not know."""
    known = error.schema["properties"]
    return next(key for key, _ in node.value if key.value not in known)


def _fault_of(error, root):
    """An error of jsonschema in our words, where it is in the text."""
    path, schema, wanted = error.absolute_path, error.schema, error.validator_value
    node = _node_at(root, path)
    what = f"`{_name(path)}`" if path else "the manifest"
    prefix = f"{_name(path)}." if path else ""
    about = schema.get("description", "")
    match error.validator:
        case "type":
            return _fault(f"{what} has to be {WORDS[wanted]}", about, node)
        case "const":
            return _fault(f"{what} has to be {wanted}", "", node)
        case "enum":
            allowed = ", ".join(map(str, wanted))
            hint = f"one of {allowed} is meant"
            return _fault(f"{what} is {error.instance!r}", hint, node)
        case "minimum":
            return _fault(f"{what} has to be at least {wanted}", "", node)
        case "pattern":
            hint = f"it has to match {wanted}"
            return _fault(f"{what} is {error.instance!r}", hint, node)
        case "minItems" | "minLength":
            return _fault(f"{what} is empty", about, node)
        case "required":
            name = next(n for n in wanted if n not in error.instance)
            hint = schema["properties"][name].get("description", "")
            return _fault(f"`{prefix}{name}` is missing", hint, node)
        case "additionalProperties":
            key = _unknown_key(error, node)
            hint = "fields are " + ", ".join(schema["properties"])
            return _fault(f"there is no field `{prefix}{key.value}`", hint, key)
    return _fault(f"{what}: {error.message}", about, node)


def validate(value, schema, node):
    """Raises the first Fault of the text against the schema."""
    errors = jsonschema.Draft202012Validator(schema).iter_errors(value)
    faults = [_fault_of(error, node) for error in errors]
    if faults:
        raise min(faults, key=lambda fault: fault.span)


def _version(value, node):
    if not isinstance(value, dict):
        raise _fault(
            "the manifest has to be a mapping", "docs/bench.md shows one", node
        )
    version = value.get("version")
    if version is None:
        raise _fault("`version` is missing", "version 1 or 2 is meant", node)
    if isinstance(version, bool) or version not in SCHEMAS:
        at = next(inner for key, inner in node.value if key.value == "version")
        hint = "this portwright reads versions 1 and 2"
        raise _fault(f"there is no version {version!r} of manifests", hint, at)
    return version


def _short(model):
    """A name for a folder: of a repository both parts, of a path its last one."""
    parts = [p for p in Path(model).parts if p not in ("/", ".", "..")]
    words = model.split("/") if model.count("/") == 1 else parts[-1:]
    return re.sub(r"[^A-Za-z0-9_.-]", "-", "--".join(w for w in words if w)) or "model"


def from_version_1(value):
    """The same in version 2."""
    variants = []
    for variant in value["variants"]:
        fields = {k: v for k, v in variant.items() if k != "repo_id"}
        variants.append({"model": variant["repo_id"], **fields})
    kept = {k: v for k, v in value.items() if k in ("pr", "quantize", "notes")}
    pr = {k: v for k, v in kept.pop("pr").items() if k in ("number", "repo", "branch")}
    head = {"version": 2, "model_type": value["model_type"], "pr": pr}
    return {**head, **kept, "variants": variants}


def to_version_1(value):
    pr = value.get("pr", {})
    for field in ("number", "branch"):
        if field not in pr:
            raise Fault(
                f"version 1 needs the pull request's {field}", "give --pr and --branch"
            )
    variants = []
    for variant in value["variants"]:
        if variant["model"].count("/") != 1 or Path(variant["model"]).exists():
            hint = "name the repository with --model"
            raise Fault(
                f"version 1 knows only models of the Hub, not {variant['model']}", hint
            )
        fields = ("type", "memory_gb", "expected_dtype")
        kept = {k: variant[k] for k in fields if k in variant}
        variants.append({"repo_id": variant["model"], **kept})
    out = {
        "version": 1,
        "pr": pr,
        "model_type": value["model_type"],
        "variants": variants,
    }
    out["quantize"] = value.get("quantize", True)
    return {**out, **({"notes": value["notes"]} if value.get("notes") else {})}


def read(text, folder):
    """Version 2 of what the text says, with names and with paths made whole."""
    value, node = _parsed(text)
    version = _version(value, node)
    validate(value, schema_of(version), node)
    if version == 1:
        value = from_version_1(value)
    if "port" in value:
        value["port"] = str((folder / value["port"]).resolve())
    names = set()
    listed = next(inner for key, inner in node.value if key.value == "variants")
    for i, variant in enumerate(value["variants"]):
        given = variant.setdefault("name", _short(variant["model"]))
        if given in names:
            hint = "give each variant a `name` of its own"
            raise _fault(f"two variants are called {given}", hint, listed.value[i])
        names.add(given)
        if (folder / variant["model"]).is_dir():
            variant["model"] = str((folder / variant["model"]).resolve())
        value["variants"][i] = {"name": given, **variant}
    return value


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)


def write(value, version):
    if version == 1:
        value = to_version_1(value)
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _told(fault, text):
    def offset(index):
        return len(text[:index].encode("utf-8"))

    begin, end = fault.span
    line_end = text.find("\n", begin)
    # A block ends where the next thing begins; its first line is what to show.
    end = min(end, line_end if line_end >= 0 else len(text))
    place = {"offset": offset(begin), "end": offset(max(end, begin))}
    return {"fault": {"message": str(fault), "hint": fault.hint, **place}}


def main():
    parser = argparse.ArgumentParser(prog="portwright.manifest")
    parser.add_argument("op", choices=["read", "write"])
    parser.add_argument("file", nargs="?", default="manifest.yaml")
    parser.add_argument("--version", type=int, choices=list(SCHEMAS), default=2)
    options = parser.parse_args()
    bytes_ = sys.stdin.buffer.read()
    text = bytes_.decode("utf-8", "replace")
    try:
        if options.op == "read":
            answer = {"manifest": read(text, Path(options.file).resolve().parent)}
        else:
            answer = {"text": write(json.loads(text), options.version)}
    except Fault as fault:
        answer = _told(fault, text)
    except RecursionError:
        answer = _told(Fault("the manifest is nested too deeply"), text)
    # A date or a set is YAML and no JSON; the schema lets none pass but in `set`.
    print(json.dumps(answer, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
