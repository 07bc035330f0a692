import pytest

from pytest_autoexp.loading.findings import (
    MAX_PROBLEMS,
    Findings,
    Lines,
    described,
    dotted,
    listed,
    nearest,
    quoted,
)
from pytest_autoexp.model.errors import TaskError

LINES = Lines({("a",): 2, ("a", 0): 3, ("a", 0, "b"): 4, ("c",): 9})


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a", 0, "b"), 4),
        (("a", 0, "b", "deeper"), 4),
        (("a", 0, "missing"), 3),
        (("a", 7), 2),
        (("missing",), 1),
        ((), 1),
    ],
)
def test_line_is_that_of_the_nearest_thing_in_the_file(path, line):
    assert LINES.of(path) == line


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), "(file)"),
        (("title",), "title"),
        (("experiments", 0, "metrics", "loss", 2), "experiments[0].metrics.loss[2]"),
        (("experiments", 0, "metrics", "a b"), 'experiments[0].metrics["a b"]'),
        (("a\x1b[31m\n",), '["a\\u001b[31m\\n"]'),
        (("naïve",), "naïve"),
    ],
)
def test_dotted(path, text):
    assert dotted(path) == text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("fast", '"fast" (text)'),
        ("", "an empty text"),
        ("x" * 100, '"' + "x" * 57 + '..." (text)'),
        ('a"b', r'"a\"b" (text)'),
        ("\x9b1m", r'"\u009b1m" (text)'),
        (None, "nothing"),
        (True, "true (true or false)"),
        (3, "3 (number)"),
        (0.5, "0.5 (number)"),
        ([1, 2], "a list of 2"),
        ([], "an empty list"),
        ({"a": 1, "b c": 2}, 'a mapping with a, "b c"'),
        ({}, "an empty mapping"),
    ],
)
def test_described(value, words):
    assert described(value) == words


def test_quoted_and_listed_are_bounded():
    assert len(quoted("x" * 10_000)) == 62
    assert listed(f"k{i}" for i in range(15)).endswith("k10, k11 and 3 more")


def test_nearest():
    assert nearest("timeout", ["timeout_sec", "title"]) == '; did you mean "timeout_sec"?'
    assert nearest("zzz", ["timeout_sec", "title"]) == ""


def test_problems_come_in_the_order_of_the_file_and_once():
    findings = Findings("t.yaml", LINES)
    findings.add(("c",), "late")
    findings.add(("a", 0, "b"), "early")
    findings.add(("c",), "late")
    findings.add(("c",), "elsewhere", line=3)
    with pytest.raises(TaskError) as caught:
        findings.raise_if_any()
    assert str(caught.value).splitlines() == [
        "t.yaml:3: c: elsewhere",
        "t.yaml:4: a[0].b: early",
        "t.yaml:9: c: late",
    ]


def test_nothing_found_raises_nothing():
    Findings("t.yaml", LINES).raise_if_any()


def test_only_problems_of_form_make_a_key_malformed():
    findings = Findings("t.yaml", LINES)
    findings.add(("a", 0), "wrong type")
    findings.seal_form()
    findings.add(("c",), "no such file")
    assert not findings.well_formed(("a",))
    assert not findings.well_formed(("a", 0))
    assert findings.well_formed(("a", 1))
    assert findings.well_formed(("c",))


def test_the_list_ends_where_nobody_reads_on():
    findings = Findings("t.yaml", LINES)
    for index in range(MAX_PROBLEMS + 50):
        findings.add(("a", index), "wrong")
    with pytest.raises(TaskError) as caught:
        findings.raise_if_any()
    assert len(caught.value.problems) == MAX_PROBLEMS + 1
    assert "more may be wrong" in caught.value.problems[-1].message
