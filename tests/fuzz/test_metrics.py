"""Metrics: nothing passes but numbers that another comparison, made here, finds right too."""

# ruff: noqa: PT017 - an error is as right as a result
from __future__ import annotations

import ast
import contextlib
import decimal
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

from fuzz.harness import damaged, fuzz, often, texts
from hypothesis import strategies as st

from pytest_autoexp.model.task import Experiment, Metric, MetricTree
from pytest_autoexp.verify import (
    MetricsUnreadableError,
    capture_metrics,
    capture_object,
    check_metrics,
    failed_checks,
    parse_metrics,
)

RTOL = 0.05
EXACT = decimal.Context(prec=400, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[])
NO_OBJECT = (ValueError, SyntaxError, RecursionError, MemoryError, TypeError)
SLACK = Decimal("1e-12")
"""Part by which two right comparisons may differ, as floats are rounded."""

names = st.sampled_from(["a", "b", "loss", "value", "ü", "a.b", "a[0]"]) | texts(
    exclude_categories=["Cs", "Cc"]
).filter(str.strip)
usual_floats = st.floats(-1e6, 1e6) | st.integers(-100, 100).map(float)
floats = often(usual_floats, st.floats(allow_nan=False, allow_infinity=False))


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    expected = draw(floats)
    rtol = draw(st.none() | st.floats(0, 0.999))
    atol = draw(st.just(0.0) | st.floats(0, 10) | st.floats(0, 1.7e308))
    return Metric(expected, rtol, atol)


trees: st.SearchStrategy[MetricTree] = st.recursive(
    metrics(),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(tuple)
        | st.dictionaries(names, inner, min_size=1, max_size=3)
    ),
    max_leaves=6,
)
experiments = st.dictionaries(names, trees, min_size=1, max_size=3).map(
    lambda tree: Experiment("e", "", "c", 1.0, tree, frozenset({"m.py::f"}))
)
# fmt: off
odd_json = st.sampled_from(
    [
        *("NaN", "Infinity", "-Infinity", "1e999", "-1e400", "1e-400", "9" * 400, "9" * 5000),
        *("true", "false", "null", '"1"', '"nan"', "[]", "{}", "[1]", "[[1]]", '{"value": 1}'),
        *("-0", "-0.0", "01", "1.", ".5", "+1", "0x1", "1_0", "'1'", "[" * 2000, '"\\ud800"'),
        *("1 2", "\u0661", "1e1000000000000", "-", "{,}", "//", '{"a":1,"a":2}', '"\\u0000"'),
        *("None", "nan", "True"),
    ]
)
# fmt: on


@st.composite
def reported(draw: st.DrawFn, tree: Any) -> str:
    """JSON that reports the metrics of a tree: right, nearly right or wrong."""
    if draw(st.integers(0, 29)) == 0:
        return draw(odd_json)
    if isinstance(tree, Metric):
        off = draw(st.sampled_from([0.0, 0.5, 0.999999, 1.0, 1.000001, 1.5, 2.0, 100.0]))
        value = tree.expected + draw(st.sampled_from([-1, 1])) * off * tree.tolerance(RTOL)
        odd = draw(st.integers(0, 14)) == 0
        return draw(st.floats().map(repr) | odd_json) if odd else json.dumps(value)
    if isinstance(tree, tuple):
        items = [draw(reported(inner)) for inner in tree]
        if draw(st.integers(0, 14)) == 0:
            items = draw(st.sampled_from([items[1:], items * 2, [*items, "1"], items[::-1]]))
        return f"[{', '.join(items)}]"
    pairs = [
        f"{json.dumps(key, ensure_ascii=False)}: {draw(reported(inner))}"
        for key, inner in tree.items()
    ]
    if draw(st.integers(0, 14)) == 0:
        pairs = draw(
            st.sampled_from([pairs[1:], [*pairs, pairs[0]], [*pairs, '"x": 1'], pairs * 2])
        )
    return f"{{{', '.join(pairs)}}}"


def asked_and_told(experiment: Experiment) -> st.SearchStrategy[tuple[Experiment, bytes]]:
    text = reported(experiment.metrics).map(str.encode)
    return st.tuples(st.just(experiment), often(text, text.flatmap(damaged)))


class TwiceError(ValueError):
    """A key that stands twice."""


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise TwiceError
    return dict(pairs)


def numbers_of(tree: MetricTree, told: Any) -> Iterator[tuple[Metric, Any]]:
    """Each expected number with what stands in its place, None for nothing of use."""
    if isinstance(tree, Metric):
        yield tree, told
    elif isinstance(tree, tuple):
        fits = isinstance(told, list) and len(told) == len(tree)
        for index, inner in enumerate(tree):
            yield from numbers_of(inner, told[index] if fits else None)
    else:
        for key, inner in tree.items():
            yield from numbers_of(inner, told.get(key) if isinstance(told, Mapping) else None)


def within(metric: Metric, told: Any, factor: Decimal) -> bool:
    """Is an exact number within ``factor`` times the tolerance?"""
    if not isinstance(told, Decimal) or not told.is_finite():
        return False
    if EXACT.compare(EXACT.abs(told), Decimal("1.8e308")) > 0:
        return False
    error = EXACT.abs(EXACT.subtract(told, Decimal(metric.expected)))
    rtol = Decimal(RTOL if metric.rtol is None else metric.rtol)
    tolerance = max(rtol * abs(Decimal(metric.expected)), Decimal(metric.atol))
    ulp = Decimal("1e-15") * abs(Decimal(metric.expected)) + Decimal("1e-320")
    return bool(error <= tolerance * factor + (ulp if factor > 1 else -2 * ulp))


@fuzz(experiments.flatmap(asked_and_told))
def test_a_metrics_file_passes_only_with_every_number_within_tolerance(
    given_: tuple[Experiment, bytes],
) -> None:
    experiment, content = given_
    try:
        checks = check_metrics(experiment, parse_metrics(content), RTOL)
    except MetricsUnreadableError as error:
        assert str(error)
        assert len(str(error)) < 500
        return
    told = json.loads(
        content.decode(),
        parse_float=EXACT.create_decimal,
        parse_int=EXACT.create_decimal,
        parse_constant=lambda _: None,
        object_pairs_hook=once,
    )
    judged = list(numbers_of(experiment.metrics, told))
    assert [c.expected for c in checks] == [metric.expected for metric, _ in judged]
    assert [(c.name, c.expected) for c in checks] == [
        (c.name, c.expected) for c in failed_checks(experiment, "")
    ]
    for check, (metric, number) in zip(checks, judged, strict=True):
        if check.ok:
            assert within(metric, number, 1 + SLACK), (check, number)
            assert check.measured is not None
            assert math.isfinite(check.measured)
        else:
            assert not within(metric, number, 1 - SLACK), (check, number)


# fmt: off
PATTERNS = {
    r"^loss: (\S+)": re.compile(r"^loss: (?=\S)"),
    r"loss: (?P<value>.*)$": re.compile("loss: "),
    r"acc=([0-9.eE+-]+)": re.compile("acc=(?=[0-9.eE+-])"),
}
# fmt: on
values = often(
    usual_floats.map(repr),
    st.sampled_from(["nan", "inf", "-inf", "1e999", "1_0", "\u0661", "", " 1", "1,5", "0x1"])
    | st.just("9" * 3000)
    | texts(),
)
lines = st.tuples(
    st.sampled_from(["loss: ", "acc=", "x loss: ", "loss:", "", "\x1b[1mloss: ", "acc=1 acc="]),
    values,
    st.sampled_from(["", " ", "\r", " (best)", "\x0c", "\x1c", "\u2028", "\x85", "\0", "x" * 2000]),
).map("".join)


def numbers_at(text: str) -> list[float]:
    """Each number that a text begins with."""
    found = []
    for end in range(1, len(text) + 1):
        with contextlib.suppress(ValueError):
            found.append(float(text[:end]))
    return found


@fuzz(
    st.lists(lines, max_size=8).map("\n".join),
    st.sampled_from(sorted(PATTERNS)),
    usual_floats,
)
def test_captured_output_passes_only_with_the_number_that_was_printed_last(
    stdout: str, pattern: str, expected: float
) -> None:
    found = capture_metrics(stdout, {"m": pattern})
    experiment = Experiment("e", "", "c", 1.0, {"m": Metric(expected)}, frozenset())
    [check] = check_metrics(experiment, found, RTOL)
    assert isinstance(found.get("m", ""), float | str)
    if check.ok:
        short = [line for line in stdout.splitlines() if len(line) <= 2000]
        starts = [line[at.end() :] for line in short for at in PATTERNS[pattern].finditer(line)]
        allowed = RTOL * abs(expected)
        assert any(abs(number - expected) <= allowed for number in numbers_at(starts[-1]))


def as_python(text: str) -> str:
    """What Python shows of the value that some JSON is."""
    try:
        return repr(json.loads(text))
    except (ValueError, RecursionError):
        return text


def damaged_text(text: str) -> st.SearchStrategy[str]:
    return damaged(text.encode()).map(lambda content: content.decode(errors="replace"))


def printed(experiment: Experiment) -> st.SearchStrategy[tuple[Experiment, str]]:
    told = reported(experiment.metrics)
    shown = told | told.map(as_python) | told.map(lambda text: f"Results: {as_python(text)}")
    wrapped = shown.map(lambda text: re.sub(r"([0-9.]+)", r"np.float64(\1)", text, count=1))
    noise = (
        st.sampled_from(["{", "{}", "{'a': }", "{1: 2}", "done", "[1]", "{'a': (1, 2)}"]) | texts()
    )
    line = shown | shown | wrapped | noise | shown.flatmap(damaged_text)
    return st.tuples(st.just(experiment), st.lists(line, max_size=4).map("\n".join))


def exact(value: Any) -> Any:
    """A value with exact numbers and with lists alone."""
    if isinstance(value, dict):
        return {str(key): exact(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [exact(inner) for inner in value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(value) if is_number else value


def objects_in(stdout: str, names: Collection[str]) -> Iterator[dict[str, Any]]:
    """What may count: objects with all names from the last line up to the first that is one.

    Behind it are only lines that are none as they stand, but would be without NumPy's names and
    with null in the place of what is not finite.
    """
    for line in reversed(stdout.splitlines()):
        text = line[line.index("{") :].strip() if "{" in line else ""
        plain = re.sub(r"(?:np|numpy)\.\w+\(([^()]*)\)", r"\1", text)
        plain = re.sub(r"(?<![\w.])0+(?=[0-9])", "", plain)  # 01 counts as 1
        for shown in (text, re.sub(r"(?<![\w\"'])-?(nan|inf)\b", "None", plain)):
            for read in (json.loads, ast.literal_eval):
                with contextlib.suppress(*NO_OBJECT):
                    found = exact(read(shown))
                    if isinstance(found, dict) and found.keys() >= set(names):
                        yield found
                        if shown == text:
                            return


@fuzz(experiments.flatmap(printed), bounded=100)
def test_a_printed_object_passes_only_with_every_number_within_tolerance(
    given_: tuple[Experiment, str],
) -> None:
    experiment, stdout = given_
    try:
        checks = check_metrics(experiment, capture_object(stdout, experiment.metrics), RTOL)
    except MetricsUnreadableError as error:
        assert str(error)
        return
    if not any(check.ok for check in checks):
        return
    for told in objects_in(stdout, experiment.metrics):
        judged = numbers_of(experiment.metrics, told)
        if all(
            not check.ok or within(metric, number, 1 + SLACK)
            for check, (metric, number) in zip(checks, judged, strict=True)
        ):
            return
    raise AssertionError(checks)
