"""Which functions a case masks: the combination that belongs to a task, an n and a seed.

Let F be the number of functions of a task, of which some experiment depends on D.  The
combinations of n functions of which at least one is among the D number

    count = C(F, n) - C(F - D, n)        (1 for n = 0)

They are ranked in lexicographic order over the list "the D functions by name, then the
others by name".  A combination without any of the D has its first member behind them, so
that all of those have ranks of count and more, and are never reached.

Seed s gets the combination of rank P(s), where P is a permutation of range(count) that is
keyed with the task's id and n: a Feistel network of :data:`ROUNDS` rounds over the two
digits of the rank in base b = ceil(sqrt(count)), with SHAKE-256 as round function,

    (left, right) -> (right, (left + SHAKE-256(id, n, round, right)) mod b),

applied again while the value is count or more (cycle walking, as b * b may exceed count).
So seeds 0 .. count - 1 give each combination once, in an order that looks random, and
nothing is listed or remembered.  Names are sorted by code point: the order of task.yaml is
irrelevant.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Collection, Sequence
from functools import lru_cache

ROUNDS = 6
"""Rounds of the Feistel network.  Changing it changes every case of every task."""


def count(functions: int, dependent: int, n: int) -> int:
    """How many cases there are.

    Args:
        functions: Number of maskable functions.
        dependent: How many of them some experiment depends on.
        n: How many are masked.

    Returns:
        Number of combinations of n functions with at least one dependent one; 1 for n = 0.
    """
    if n == 0:
        return 1
    return math.comb(functions, n) - math.comb(functions - dependent, n)


def draw(
    task_id: str, targets: Sequence[str], dependent: Collection[str], n: int, seed: int
) -> tuple[str, ...]:
    """The functions that a case masks.

    Args:
        task_id: The task.
        targets: Its functions.
        dependent: Those that some experiment depends on.
        n: How many to mask.
        seed: Which combination, from 0 to :func:`count` - 1.

    Returns:
        The functions, in the order of ``targets``.

    Raises:
        IndexError: There is no combination for this seed.
    """
    needed = frozenset(dependent)
    first = sorted(target for target in targets if target in needed)
    total = count(len(targets), len(first), n)
    if not 0 <= seed < total:
        raise IndexError(f"seed {seed} of task {task_id}, n={n}: there are {total} combinations")
    pool = first + sorted(target for target in targets if target not in needed)
    rank = _permute(seed, total, f"{task_id}\0{n}\0".encode())
    chosen = {pool[i] for i in _unrank(rank, len(pool), n)}
    return tuple(target for target in targets if target in chosen)


def _permute(value: int, size: int, key: bytes) -> int:
    """Where a keyed permutation of ``range(size)`` takes a value."""
    base = math.isqrt(size - 1) + 1
    width = (base.bit_length() + 7) // 8 + 8
    while True:
        left, right = divmod(value, base)
        for turn in range(ROUNDS):
            block = key + bytes([turn]) + right.to_bytes(width)
            mixed = int.from_bytes(hashlib.shake_256(block).digest(width))
            left, right = right, (left + mixed) % base
        value = left * base + right
        if value < size:
            return value


def _unrank(rank: int, size: int, n: int) -> list[int]:
    """The combination of n indices below ``size`` that has this rank in lexicographic order.

    Counted from the last combination, a rank is C(c_n, n) + ... + C(c_1, 1) for exactly one
    c_n > ... > c_1 >= 0 (the combinatorial number system), and c_k is an index counted from
    the last one.
    """
    rest = math.comb(size, n) - 1 - rank
    chosen = []
    for k in range(n, 0, -1):
        column = _binomials(size, k)
        c = bisect_right(column, rest) - 1
        rest -= column[c]
        chosen.append(size - 1 - c)
    return chosen


@lru_cache(maxsize=1024)
def _binomials(size: int, k: int) -> tuple[int, ...]:
    """C(0, k) to C(size - 1, k)."""
    return tuple(math.comb(i, k) for i in range(size))
