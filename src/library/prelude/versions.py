"""packaging.version: versions in the order of PEP 440, local parts aside."""

import re
from functools import total_ordering

_PATTERN = re.compile(
    r"v?(\d+(?:\.\d+)*)(?:[-_.]?(a|b|rc|alpha|beta|c|pre)[-_.]?(\d*))?"
    r"(?:[-_.]?(post)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+.*)?"
)
_STAGES = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "rc": 2, "c": 2, "pre": 2}


class InvalidVersion(ValueError):
    pass


@total_ordering
class Version:
    def __init__(self, version):
        match = _PATTERN.fullmatch(version.strip().lower())
        if match is None:
            raise InvalidVersion(f"Invalid version: '{version}'")
        self._text = version
        self.release = tuple(int(part) for part in match.group(1).split("."))
        stage, number = match.group(2), match.group(3)
        self.pre = None if stage is None else (_STAGES[stage], int(number or 0))
        self.post = int(match.group(5) or 0) if match.group(4) else None
        self.dev = int(match.group(7) or 0) if match.group(6) else None

    @property
    def major(self):
        return self.release[0]

    @property
    def minor(self):
        return self.release[1] if len(self.release) > 1 else 0

    @property
    def micro(self):
        return self.release[2] if len(self.release) > 2 else 0

    @property
    def base_version(self):
        return ".".join(str(part) for part in self.release)

    @property
    def is_prerelease(self):
        return self.pre is not None or self.dev is not None

    @property
    def _key(self):
        release = list(self.release)
        while len(release) > 1 and release[-1] == 0:
            release.pop()
        # a dev release comes before the first alpha, a final one after the last rc
        pre = self.pre
        if pre is None:
            only_dev = self.post is None and self.dev is not None
            pre = (-1, 0) if only_dev else (9, 0)
        post = -1 if self.post is None else self.post
        dev = (1, 0) if self.dev is None else (0, self.dev)
        return (tuple(release), pre, post, dev)

    def __eq__(self, other):
        return isinstance(other, Version) and self._key == other._key

    def __lt__(self, other):
        return self._key < other._key

    def __hash__(self):
        return hash(self._key)

    def __str__(self):
        return self._text


def parse(version):
    return Version(version)
