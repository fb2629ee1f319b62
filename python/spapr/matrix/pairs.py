"""All-pairs covering: few cells in which every two values of two axes still meet.

Faults mostly need two settings to come together, seldom more. A greedy choice: as long as a pair is missing, look at some cells that have it and take
the one with the most missing pairs. Cells that were left out are never chosen, and pairs that occur only in them are not asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["covering"]

_LOOK_AT = 128
"""Cells that are compared for each choice."""


def covering(digits: Sequence[NDArray[np.int64]], random: np.random.Generator) -> NDArray[np.int64]:
    """Positions of cells, in order. `digits`: for each axis, which value each cell has."""
    if len(digits) < 2 or not len(digits[0]):
        return np.arange(len(digits[0]) if digits else 1, dtype=np.int64)
    axes = list(combinations(range(len(digits)), 2))
    sizes = [int(axis.max()) + 1 for axis in digits]
    # For each two axes one number for each pair of values, and whether that pair is still missing.
    pair = [digits[a] * sizes[b] + digits[b] for a, b in axes]
    missing = []
    for (a, b), numbers in zip(axes, pair, strict=True):
        table = np.zeros(sizes[a] * sizes[b], dtype=bool)
        table[numbers] = True
        missing.append(table)
    chosen: list[int] = []
    for which in range(len(axes)):
        while missing[which].any():
            number = int(missing[which].argmax())
            candidates = np.flatnonzero(pair[which] == number)
            if len(candidates) > _LOOK_AT:
                candidates = np.sort(random.choice(candidates, size=_LOOK_AT, replace=False))
            gain = sum(table[numbers[candidates]].astype(np.int64) for table, numbers in zip(missing, pair, strict=True))
            best = int(candidates[int(np.argmax(gain))])
            chosen.append(best)
            for table, numbers in zip(missing, pair, strict=True):
                table[numbers[best]] = False
    return np.array(sorted(chosen), dtype=np.int64)
