"""What ``--autoexp-check`` asks of a task: one test per promise."""

from __future__ import annotations

import pytest

from pytest_autoexp.checking.summary import Found


def test_gold(gold: Found) -> None:
    """The task's own code gives its numbers, again and again."""
    _judge(gold)


def test_needed(needed: Found) -> None:
    """The function's body is needed, and matters."""
    _judge(needed)


def test_sharp(sharp: Found) -> None:
    """Wrong versions of the function are caught; how many must be is judged over the task."""
    _judge(sharp)


def test_fair(fair: Found) -> None:
    """A right-but-different version passes."""
    _judge(fair)


def test_sealed(sealed: Found) -> None:
    """Nothing gives the answer away."""
    _judge(sealed)


def test_solvable(solvable: Found) -> None:
    """A report for the author to read; it never fails."""
    _judge(solvable)


def _judge(found: Found) -> None:
    if found.problems:
        pytest.fail("\n".join(found.problems), pytrace=False)
