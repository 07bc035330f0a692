from __future__ import annotations

import pytest

from pytest_autoexp.model.errors import UsageError
from pytest_autoexp.selection import Selection


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("2", [2]),
        ("1-5", [1, 2, 3, 4, 5]),
        ("0,1,3", [0, 1, 3]),
        ("3,1", [1, 3]),
        ("1-3,2-4,4", [1, 2, 3, 4]),
        (" 1 - 2 , 7 ", [1, 2, 7]),
        ("0-999999999999999", list(range(10))),
    ],
)
def test_numbers_come_upwards_and_once(text: str, numbers: list[int]) -> None:
    assert list(Selection.parse(text, "--seeds").numbers_below(10)) == numbers


@pytest.mark.parametrize(
    ("text", "above"), [("0-4", 0), ("0-14", 5), ("12", 1), ("9-10,11", 2), ("all", 0)]
)
def test_what_lies_beyond_is_counted(text: str, above: int) -> None:
    assert Selection.parse(text, "--seeds").count_from(10) == above


def test_all_may_stand_beside_numbers() -> None:
    selection = Selection.parse("0,all", "--masks")
    assert selection.all
    assert list(selection.numbers_below(5)) == [0]


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1-", "1--2", "1.5", "1;2", "\uff11", "2-1", "9" * 30]
)
def test_what_is_no_number_is_refused_with_the_option_and_the_way_out(text: str) -> None:
    with pytest.raises(UsageError, match=r"--seeds=.*(allowed: numbers from 0|write it upwards)"):
        Selection.parse(text, "--seeds")
