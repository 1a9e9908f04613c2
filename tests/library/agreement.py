"""What native evaluation is asked and how near to torch it must be."""

import numpy

IDS = [(i * 37 + 11) % 256 for i in range(14)]
PREFILL = 9
PADDING = 3
TOLERANCE = 1e-4
BATCH = [IDS[:PREFILL], [0] * PADDING + IDS[PADDING:PREFILL]]
MASK = [[1] * PREFILL, [0] * PADDING + [1] * (PREFILL - PADDING)]


def table(rows):
    return ";".join(",".join(map(str, row)) for row in rows)


def error(ours, theirs):
    return numpy.abs(ours - theirs).max() / numpy.abs(theirs).max()
