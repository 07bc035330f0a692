from __future__ import annotations

import ast
import textwrap

import pytest

from pytest_autoexp.masking.index import parse_ast
from pytest_autoexp.masking.mutants import Mutant, mutants, sample
from pytest_autoexp.masking.source import MaskingError


def of(*lines: str, header: str = "def f(a, b, c=0):") -> tuple[Mutant, ...]:
    body = textwrap.indent("\n".join(lines), "    ")
    return mutants(f"import numpy as np\n{header}\n{body}\n".encode(), "p.py::f")


def lines(made: tuple[Mutant, ...], kind: str) -> list[str]:
    """What stands in the place of the line in each mutant of one kind; `` / `` between lines."""
    return [
        " / ".join(x[1:].strip() for x in m.diff.splitlines()[2:] if x.startswith("+"))
        for m in made
        if m.kind == kind
    ]


TABLE = [
    ("return a + b", "arithmetic", ["return a - b"]),
    ("return a @ b", "arithmetic", ["return a * b"]),
    ("return a ** b", "arithmetic", ["return a * b"]),
    ("return 'x' + a", "arithmetic", []),
    ("a += b", "arithmetic", ["a -= b"]),
    (
        "return (a + b) * c",
        "term",
        ["return (a + b)", "return c", "return (a) * c", "return (b) * c"],
    ),
    ("return a - b", "term", ["return a", "return (-(b))"]),
    ("return a / b", "term", ["return a"]),
    ("return a < b", "comparison", ["return a <= b", "return a > b"]),
    ("return a >= b", "comparison", ["return a > b", "return a <= b"]),
    ("return a is None", "comparison", ["return a is not None"]),
    ("return a in b", "comparison", ["return a not in b"]),
    ("return a and b", "boolean", ["return a or b", "return a", "return b"]),
    ("return g(x=True)", "boolean", ["return g(x=False)"]),
    ("return not a", "condition", ["return a"]),
    ("return a if b else c", "condition", ["return a if (not (b)) else c"]),
    ("return a if b == c else c", "condition", []),
    ("return [x for x in a if x]", "condition", ["return [x for x in a if (not (x))]"]),
    ("return a[0]", "constant", ["return a[1]"]),
    ("return a[1]", "constant", ["return a[0]", "return a[2]"]),
    ("return a(7)", "constant", ["return a(8)", "return a(-7)"]),
    ("return a(2.5)", "constant", ["return a(2.75)", "return a(-2.5)"]),
    ("return a(1e-8)", "constant", ["return a(1.1e-08)", "return a(-1e-08)"]),
    ("return 'text 7'", "constant", []),
    ("return f'{7}'", "constant", []),
    ("return -a", "unary", ["return a"]),
    ("return ~a", "unary", ["return a"]),
    ("return g(a, b, c)", "argument", ["return g(b, a, c)", "return g(a, c, b)"]),
    ("return g(a, *b)", "argument", []),
    ("return g(a, a)", "argument", []),
    ("return np.maximum(a, b)", "argument", []),
    ("return np.maximum(a, b)", "function", ["return np.minimum(a, b)"]),
    ("return a.argmin()", "function", ["return a.argmax()"]),
    ("return a.mean()", "function", ["return a.sum()"]),
    ("return max(a)", "function", ["return min(a)"]),
    ("return sum(a)", "function", []),
    (
        "return np.var(a, axis=-1, ddof=1)",
        "keyword",
        [
            "return np.var(a, axis=0, ddof=1)",
            "return np.var(a, axis=1, ddof=1)",
            "return np.var(a, ddof=1)",
            "return np.var(a, axis=-1, ddof=0)",
            "return np.var(a, axis=-1)",
        ],
    ),
    (
        "return a.sum(axis=0, keepdims=b)",
        "keyword",
        ["return a.sum(axis=1, keepdims=b)", "return a.sum(keepdims=b)", "return a.sum(axis=0)"],
    ),
    (
        "return np.searchsorted(a, b, side='left')",
        "keyword",
        ['return np.searchsorted(a, b, side="right")', "return np.searchsorted(a, b)"],
    ),
    ("return a[b:c]", "slice", ["return a[b + 1:c]", "return a[b:c - 1]"]),
    ("return a[:c]", "slice", ["return a[1:c]", "return a[:c - 1]"]),
    ("return a[b:]", "slice", ["return a[b + 1:]", "return a[b:-1]"]),
    ("return a[:3]", "slice", ["return a[1:3]", "return a[:2]"]),
    ("return a[:, None]", "slice", []),
    ("return sorted(a, key=g)", "sort", ["return sorted(a, key=g, reverse=True)"]),
    ("return sorted(x for x in a)", "sort", ["return sorted((x for x in a), reverse=True)"]),
    ("return sorted(a, reverse=b)", "sort", []),
    ("return np.argsort(a, axis=0)", "sort", ["return np.argsort(-(a), axis=0)"]),
    ("return np.argsort(-a)", "sort", []),
    ("return a.argsort()", "sort", ["return (-(a)).argsort()"]),
    ("return np.sort(a)", "sort", ["return (-np.sort(-(a)))"]),
    ("a = b", "statement", ["pass"]),
    ("new = b", "statement", []),
    ("new: int = b; new = c", "statement", ["new: int = b; pass"]),
    ("a[0] = b", "statement", ["pass"]),
    ("a.append(b)", "statement", ["pass"]),
    ("print(a + b)", "statement", []),
    ("print(a + b)", "arithmetic", []),
    ("if a:\n    return b\nelse:\n    return c", "statement", ["pass", "pass"]),
    ("if a > 1:\n    raise ValueError(1)", "comparison", []),
    ("assert a > 1", "comparison", []),
    ("x: Literal[1] = g(lambda q=1: q)", "constant", []),
    ("return a", "skipped", ["return None"]),
]


@pytest.mark.parametrize(("code", "kind", "expected"), TABLE)
def test_what_is_changed(code: str, kind: str, expected: list[str]) -> None:
    assert lines(of(code), kind) == expected


SOURCE = '''\
"""Module."""
import numpy as np


def other(x):
    return x + 1


class Model:
    @property
    def scores(self):
        """Not 1 + 1."""
        low, high = self.low[1:], self.high[:-1]
        if low is None or high < 3:
            return (low + 2.5 * high) / np.maximum(low, 1)
        total = 0.0
        for i in range(10):
            total += (
                np.sum(low[i:], axis=1)
                - i
            )
        return [total, -np.mean(high, axis=0, keepdims=True)]
'''
TARGET = "pkg/model.py::Model.scores"


def test_mutants_parse_are_distinct_and_differ_in_the_function_only() -> None:
    made = mutants(SOURCE.encode(), TARGET)
    programs = {ast.dump(parse_ast(mutant.source)) for mutant in made}
    assert len(programs | {ast.dump(parse_ast(SOURCE))}) == len(made) + 1
    assert len({mutant.id for mutant in made}) == len(made) > 40
    before = SOURCE[: SOURCE.index("        low, high")]
    rest = [m for m in made if m.kind != "skipped"]
    assert all(mutant.source.decode().startswith(before) for mutant in rest)


def test_ids_lines_and_diffs() -> None:
    made = mutants(SOURCE.encode(), TARGET)
    assert made == mutants(SOURCE.encode(), TARGET)
    assert made == tuple(sorted(made, key=lambda mutant: mutant.line))
    moved = mutants(f"# a comment\n{SOURCE}".encode(), TARGET)
    assert [mutant.id for mutant in moved] == [mutant.id for mutant in made]
    (one,) = (mutant for mutant in made if mutant.kind == "function" and mutant.line == 15)
    assert one.id == f"{TARGET}:function:5.1"
    assert one.description == "maximum -> minimum"
    assert one.diff == (
        "--- a/pkg/model.py\n+++ b/pkg/model.py\n@@ -13,5 +13,5 @@\n"
        "         low, high = self.low[1:], self.high[:-1]\n"
        "         if low is None or high < 3:\n"
        "-            return (low + 2.5 * high) / np.maximum(low, 1)\n"
        "+            return (low + 2.5 * high) / np.minimum(low, 1)\n"
        "         total = 0.0\n"
        "         for i in range(10):\n"
    )


def test_bytes_of_the_rest_stay() -> None:
    source = "# coding: latin-1\r\nx = 'é'\r\ndef f(a): return a + 1 # é\r\n".encode("latin-1")
    (minus, *_) = (m for m in mutants(source, "p.py::f") if m.kind == "arithmetic")
    assert minus.source == source.replace(b"+", b"-")


def test_a_sample_is_spread_over_kinds_and_lines() -> None:
    made = mutants(SOURCE.encode(), TARGET)
    kinds = {mutant.kind for mutant in made}
    few = sample(made, len(kinds))
    assert {mutant.kind for mutant in few} == kinds
    assert len({mutant.line for mutant in few}) >= 6
    assert few == sample(made, len(kinds))
    assert sample(made, 0) == ()
    assert sample(made, 1000) == made
    assert set(few) <= set(sample(made, len(kinds) + 5)) < set(made)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def g(): pass\n", "no function f"),
        ("def f(: pass\n", "does not parse"),
        ("return\ndef f(): pass\n", "does not parse with the Python that runs this"),
    ],
)
def test_what_cannot_be_changed_is_told(source: str, message: str) -> None:
    with pytest.raises(MaskingError, match=message):
        mutants(source.encode(), "p.py::f")
