import pytest

from pytest_autoexp.masking.bindings import (
    aliases,
    bound,
    bound_names,
    import_text,
    is_plain,
    small_statements,
)
from pytest_autoexp.masking.layout import Layout


def parts(code):
    return [part for s in Layout(code).statements for part in small_statements(s)]


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import a.b, c as d", "a d"),
        ("from a import b, c as d", "b d"),
        ("from a import *", ""),
        ("a = (b, *c) = 1", "a b c"),
        ("a += 1", "a"),
        ("def a(b): c = 1", "a"),
        ("class A:\n    def b(self):\n        global c", "A c"),
        ("print(a := 1)", "a"),
        ("if x: import a; b = 1", "a b"),
        ("try: import a\nexcept x as e:\n    if y:\n        a = c = 1", "a c e"),
        ("for a in b: c = 1", ""),
        ("type A[B] = list[C]", "A"),
        ("def a(x):\n    while (b := x):\n        c = [d := 1 for e in x]", "a"),
        ("def a():\n    b = 1\n    def c(d=(e := 1)):\n        nonlocal b", "a"),
        ("def a():\n    global b\n    return (b := 1)", "a b"),
        ("@(a := x)\ndef b(c: (d := 1) = (e := 2), *, f=(g := 3)) -> (h := 4): 5", "a b d e g h"),
        ("@(a := x)\nclass b((c := 1), metaclass=(d := 2)):\n    e = (f := 3)", "a b c d"),
        ("class a:\n    def b(self, c=(d := 1)): return (e := 2)\n    global f", "a f"),
        ("a = lambda b=(c := 1), *, d=(e := 2): (f := 3)", "a c e"),
        ("a = [(b := c) for c in {(d := 1) for e in f} if (g := 2)]", "a b d g"),
        ("a: (b := 1) = (lambda: [c := 2 for d in e])", "a b"),
    ],
)
def test_bound_names(code, names):
    (part,) = parts(code + "\n")
    assert bound_names(part) == set(names.split())


def test_parts_of_imports():
    found = [
        alias
        for part in parts("import a.b, c as d; from ..e import f as g\n")
        for alias in aliases(part)
    ]
    assert found == [("", "a.b", ""), ("", "c", "d"), ("..e", "f", "g")]
    assert [bound(alias) for alias in found] == ["a", "d", "g"]
    assert [is_plain(alias) for alias in found] == [True, False, False]
    assert [import_text(alias) for alias in found] == [
        "import a.b",
        "import c as d",
        "from ..e import f as g",
    ]
