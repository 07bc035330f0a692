"""The lines on what stayed behind."""

from __future__ import annotations

import os

import pytest

from pytest_autoexp.sandbox.leavings import Leavings, is_long


def test_one_line_each() -> None:
    left = Leavings()
    left.add("a\nb", "a link")
    left.add("n" * 3000, "too long")
    assert left.lines() == (r"'a\nb': a link", f"'{'n' * 200}...': too long")


def test_many_are_summed_up() -> None:
    left = Leavings()
    for number in range(150):
        left.add(str(number), "a link")
    assert left.lines()[98:] == ("'98': a link", "'99': a link", "and 50 more")


@pytest.mark.parametrize(
    ("path", "long"),
    [
        ("n" * 1000, False),
        ("n" * 1001, True),
        ("\N{SNOWMAN}" * 334, True),
        (os.fsdecode(b"\xff" * 1000), False),
    ],
)
def test_length_is_counted_in_bytes(path: str, long: bool) -> None:
    assert is_long(path) is long
