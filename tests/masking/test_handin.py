from __future__ import annotations

import pytest

from pytest_autoexp.masking.handin import hand_in
from pytest_autoexp.masking.mask import mask
from pytest_autoexp.masking.source import MaskingError

SOURCE = b'''"""A module."""

import math


class Box:
    def area(self, width: float, *, scale: float = 1.0) -> float:
        side = math.fabs(width)
        return scale * side * side


def half(values: list[float]) -> list[float]:
    return [value / 2 for value in values]
'''
HALF = mask(SOURCE, {"half": "Halves."})


def run(source: bytes) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(compile(source, "handed in", "exec"), names)
    return names


def test_a_function_replaces_the_masked_body_and_keeps_the_header() -> None:
    grafted = hand_in(HALF, "half", b"def half(values):\n    return [0.5 * v for v in values]\n")

    assert not grafted.dropped
    assert b"def half(values: list[float]) -> list[float]:\n    return [0.5 * v" in grafted.source


def test_a_method_is_written_as_a_plain_function_with_any_indentation() -> None:
    masked = mask(SOURCE, {"Box.area": "The area."})
    written = b'''def area(self, width, *, scale=1.0):
  text = """left
where it is"""
  return len(text) * scale * width ** 2
'''

    grafted = hand_in(masked, "Box.area", written)

    assert not grafted.dropped
    box = run(grafted.source)["Box"]()  # type: ignore[operator]
    assert box.area(2.0) == 4 * len("left\nwhere it is")


def test_imports_helpers_and_constants_come_with_it() -> None:
    written = b'''"""m.py::half: with helpers"""

from __future__ import annotations

import math
import operator

TWO = 2


def halved(value: Unknown) -> float:
    return operator.truediv(value, TWO)


def half(values):
    return list(map(halved, values))
'''

    grafted = hand_in(HALF, "half", written)

    assert not grafted.dropped
    assert grafted.source.count(b"import math") == 1
    assert run(grafted.source)["half"]([3.0]) == [1.5]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        (b"print('loaded')\n", "statement at module level"),
        (b"def Box():\n    return 1\n", "redefines Box"),
        (b"for i in range(3):\n    pass\n", "statement at module level"),
    ],
)
def test_what_an_agent_may_not_add_is_told(rest: bytes, told: str) -> None:
    grafted = hand_in(HALF, "half", b"def half(values):\n    return values\n\n\n" + rest)

    assert told in " ".join(grafted.dropped)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b"def other(values):\n    return values\n", "no function half at module level"),
        (
            b"class A:\n    def half(values):\n        return 1\n",
            "no function half at module level",
        ),
        (
            b"def half(numbers):\n    return 1\n",
            r"line 1: .* \(numbers\), those of half .*\(values",
        ),
        (b"def half(values:\n", "does not parse"),
    ],
)
def test_what_cannot_be_handed_in(written: bytes, told: str) -> None:
    with pytest.raises(MaskingError, match=told):
        hand_in(HALF, "half", written)
