"""How measured values are written, and when a number may stay as it is."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_autoexp.checking.yaml_text import (
    block_mapping,
    flow,
    number_text,
    rounded,
    says_the_same,
)


@pytest.mark.parametrize(
    ("value", "tolerance", "text"),
    [
        (0.029134167931, 0.0015, "0.0291342"),
        (123456.789, 6000.0, "123457.0"),
        (123456.789, 0.1, "123456.79"),
        (1.0, 0.05, "1.0"),
        (1 / 3, 0.0, "0.3333333333333333"),
        (2.26457812e-05, 1e-6, "2.26458e-05"),
        (1e-05, 1e-6, "1.0e-05"),
        (-3e22, 1e21, "-3.0e+22"),
        (-0.0, 0.0, "0.0"),
        (1234567, 60000.0, "1234567"),
    ],
)
def test_a_number_has_six_digits_unless_its_tolerance_asks_for_more(
    value: float, tolerance: float, text: str
) -> None:
    assert number_text(rounded(value, tolerance)) == text


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 1e6))
def test_what_is_written_is_read_as_the_same_number_and_close_enough(
    value: float, tolerance: float
) -> None:
    short = rounded(value, tolerance)
    assert math.isclose(short, value, rel_tol=1e-5) or abs(short - value) <= tolerance / 10
    assert abs(short - value) <= tolerance / 10
    read = yaml.safe_load(number_text(short))
    assert isinstance(read, float)
    assert read == short


@pytest.mark.parametrize(
    ("written", "value", "tolerance", "same"),
    [
        (0.02913416793, 0.029134167931, 0.0015, True),
        (0.0291342, 0.0291341499, 0.0015, True),  # beyond the edge of rounding
        (0.0291342, 0.0291359, 0.0015, False),
        (0.0291342, 0.029134167931, 1e-8, False),
        (2000.0, 2000, 100.0, True),
        (2000.5, 2000, 100.0, False),
        (1.0, 1.0, 0.0, True),
        (0, 0.0, 0.0, True),
        (0.5, 0.0, 0.1, False),
    ],
)
def test_a_number_stays_if_a_new_one_would_be_no_better(
    written: float, value: float, tolerance: float, same: bool
) -> None:
    assert says_the_same(written, value, tolerance) is same


def test_a_block_has_one_number_or_list_on_each_line() -> None:
    mapping = {"loss": 0.5, "on": 2, "gap 1": {"low": 0.1, "high": [{"a": 1.0}]}, "n": [0.25] * 30}
    lines = block_mapping(mapping, 4, 3)
    assert lines[:5] == [
        "    loss: 0.5",
        '    "on": 2',
        '    "gap 1":',
        "       low: 0.1",
        "       high: [{a: 1.0}]",
    ]
    assert lines[5].startswith('    "n": [0.25, 0.25,')
    assert lines[6].startswith("       0.25")
    assert max(map(len, lines)) <= 100
    assert yaml.safe_load("\n".join(lines)) == mapping


def test_flow_is_one_line() -> None:
    value = {"a": [1, 0.5], "it's: {odd}": {"x.y": 2.0}}
    assert flow(value) == '{a: [1, 0.5], "it\'s: {odd}": {x.y: 2.0}}'
    assert yaml.safe_load(flow(value)) == value
    assert flow(["a/b.py::C.d#2"]) == "[a/b.py::C.d#2]"
