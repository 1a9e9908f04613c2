"""Writes the Unicode tables of the lexer as C++, from this interpreter's unicodedata.

Usage: generate.py OUTPUT.cpp
"""

import pkgutil
import sys
import unicodedata
from encodings import __path__ as codec_folder
from encodings.aliases import aliases as codec_aliases
from pathlib import Path

HANGUL = range(0xAC00, 0xD7A4)
ALGORITHMIC = ("CJK UNIFIED IDEOGRAPH-", "HANGUL SYLLABLE ")
NAME_HASH_BITS = 43


def main():
    characters = [chr(c) for c in range(0x110000)]
    beyond_ascii = range(0x80, 0x110000)
    starts = [characters[c].isidentifier() for c in beyond_ascii]
    parts = [("a" + characters[c]).isidentifier() for c in beyond_ascii]
    printable = [characters[c].isprintable() for c in beyond_ascii]
    names = {}
    ideographs = []
    for c, text in enumerate(characters):
        name = unicodedata.name(text, None)
        ideographs.append(bool(name) and name.startswith(ALGORITHMIC[0]))
        if name and not name.startswith(ALGORITHMIC):
            names[name] = c
    aliases = Path(__file__).with_name("aliases.txt").read_text().splitlines()
    for alias in aliases:
        # A name newer than this interpreter's Unicode is none to it either.
        try:
            names[alias] = ord(unicodedata.lookup(alias))
        except KeyError:
            pass
    sections = [
        array("uint32_t", "kIdentifierStart", ranges(starts, 0x80)),
        array("uint32_t", "kIdentifierPart", ranges(parts, 0x80)),
        array("uint32_t", "kPrintable", ranges(printable, 0x80)),
        array("uint32_t", "kIdeograph", ranges(ideographs, 0)),
        normal_forms([c for c, part in zip(beyond_ascii, parts) if part]),
        array("uint64_t", "kNames", sorted(map(name_entry, names.items()))),
        encodings(),
    ]
    hashes = {entry >> 21 for entry in map(name_entry, names.items())}
    assert len(hashes) == len(names), "two names share a hash"
    Path(sys.argv[1]).write_text(
        f"// Unicode {unicodedata.unidata_version}; written by generate.py.\n"
        '#include "syntax/unicode_tables.h"\n\n'
        "namespace portwright::syntax::tables {\n\n"
        + "\n".join(sections)
        + "\n} // namespace portwright::syntax::tables\n"
    )


def ranges(flags, first):
    """Where the flag changes, starting from false."""
    out = []
    previous = False
    for c, flag in enumerate(flags, first):
        if flag != previous:
            out.append(c)
        previous = flag
    return out + [0x110000] * (len(out) % 2)


def normal_forms(code_points):
    """Decompositions, combining classes and compositions that names can meet."""
    pool = []
    decompositions = []
    reached = set(code_points)
    for c in code_points:
        if c in HANGUL:
            continue
        parts = [ord(part) for part in unicodedata.normalize("NFKD", chr(c))]
        if parts != [c]:
            decompositions += [c, len(pool) << 8 | len(parts)]
            pool += parts
            reached.update(parts)
    classes = []
    for c in sorted(reached):
        if unicodedata.combining(chr(c)):
            classes += [c << 8 | unicodedata.combining(chr(c))]
    pairs = []
    for c in range(0x110000):
        form = unicodedata.decomposition(chr(c))
        if form and not form.startswith("<") and " " in form:
            first, second = (int(part, 16) for part in form.split())
            if unicodedata.normalize("NFC", chr(c)) == chr(c):
                pairs.append((first << 42 | second << 21 | c))
    return "\n".join(
        [
            array("uint32_t", "kDecompositions", decompositions),
            array("uint32_t", "kDecomposed", pool),
            array("uint32_t", "kCombiningClasses", classes),
            array("uint64_t", "kCompositions", sorted(pairs)),
        ]
    )


def name_entry(item):
    """The high bits of the name's FNV-1a hash, then its code point."""
    name, code_point = item
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value >> (64 - NAME_HASH_BITS) << 21 | code_point


def encodings():
    """The single-byte encodings that extend ASCII, under all their names."""
    rows = {}
    names = {}
    for codec in sorted(m.name for m in pkgutil.iter_modules(codec_folder)):
        row = high_half(codec)
        if row:
            rows[codec] = (len(rows), row)
            names[codec] = len(rows) - 1
    for alias, codec in codec_aliases.items():
        if codec in rows:
            names[alias] = rows[codec][0]
    table = [c for _, row in rows.values() for c in row]
    listed = "".join(f'  {{"{name}", {names[name]}}},\n' for name in sorted(names))
    return (
        array("uint16_t", "kHighHalves", table)
        + f"\nconst EncodingName kEncodings[] = {{\n{listed}}};\n"
        + f"const size_t kEncodingsSize = {len(names)};\n"
    )


def high_half(codec):
    """What the bytes from 0x80 on mean, 0 for nothing; None for another kind."""
    plain = bytes(range(128)) + b"\\x41\\u0041+AGE-~{a-b"
    try:
        if plain.decode(codec) != plain.decode("ascii"):
            return None
    except (LookupError, UnicodeError, AssertionError):
        return None
    row = []
    for byte in range(128, 256):
        try:
            text = bytes([byte, 65]).decode(codec)
        except UnicodeError:
            row.append(0)
            continue
        if len(text) != 2 or text[1] != "A" or ord(text[0]) > 0xFFFF:
            return None
        row.append(ord(text[0]))
    # A row without meanings is that of ASCII, or of a multi-byte encoding.
    return row if any(row) or codec == "ascii" else None


def array(kind, name, values):
    suffix = "ULL" if kind == "uint64_t" else ""
    words = [f"{value:#x}{suffix}" for value in values]
    lines = (
        "  " + ", ".join(words[i : i + 8]) + ",\n" for i in range(0, len(words), 8)
    )
    return (
        f"const {kind} {name}[] = {{\n{''.join(lines)}}};\n"
        f"const size_t {name}Size = {len(values)};\n"
    )


if __name__ == "__main__":
    main()
