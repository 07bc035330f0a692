import pytest

from pytest_autoexp.masking.layout import Layout
from pytest_autoexp.masking.locate import locate, places
from pytest_autoexp.masking.versions import Version, pair, same, same_header

FILE = """\
x = [1, 2]

@deco
class A(B):
    def f(self, a='b'): return (a)

def f(a): raise NotImplementedError
"""


def versions(agent, names=()):
    layouts = [Layout(FILE), Layout(agent)]
    wanted = places(layouts[0], names)
    return [Version(layout, locate(layout, wanted, layouts[0])) for layout in layouts]


@pytest.mark.parametrize(
    ("old", "new", "index", "expected"),
    [
        ("[1, 2]", "[\n  1,  # one\n  2,\n]", 0, True),
        ("[1, 2]", "[1, 3]", 0, False),
        ("'b'): return (a)", '"b"):\n        return a  # b', 1, True),
        ("@deco", "@deco()", 1, False),
        ("(a): raise", "( a, ):\n    return 2  # raise", 2, True),
        ("(a): raise", "(b): raise", 2, False),
    ],
)
def test_same(old, new, index, expected):
    ours, theirs = versions(FILE.replace(old, new), ["f"])
    pairs = (ours.layout.statements[index], theirs.layout.statements[index])
    assert same(ours, pairs[0], theirs, pairs[1]) is expected


@pytest.mark.parametrize(
    ("new", "expected"),
    [("@deco\nclass A( B, ):", True), ("@ deco\nclass A (B) :", True), ("class A(B):", False)],
)
def test_same_header(new, expected):
    ours, theirs = versions(FILE.replace("@deco\nclass A(B):", new))
    pairs = (ours.layout.statements[1], theirs.layout.statements[1])
    assert same_header(ours, pairs[0], theirs, pairs[1]) is expected


def test_text_that_the_running_python_cannot_parse_is_compared_as_text(monkeypatch):
    def too_old(text):
        raise SyntaxError("newer syntax")

    monkeypatch.setattr("pytest_autoexp.masking.versions.parse_ast", too_old)
    ours, theirs = versions(FILE.replace("[1, 2]", "[1,2]").replace("(B)", "( B)"))
    first, second, third = zip(ours.layout.statements, theirs.layout.statements, strict=True)
    assert not same(ours, first[0], theirs, first[1])
    assert not same_header(ours, second[0], theirs, second[1])
    assert same(ours, third[0], theirs, third[1])


def test_pairs():
    agent = "y = 1\nx = [ 1,2 ]\ndef f(a): 1\ndef f(b): 2\nclass A: pass\n"
    ours, theirs = versions(agent, ["f"])
    assert pair(ours, ours.layout.statements, theirs, theirs.layout.statements) == {
        1: 0,
        3: 2,
        4: 1,
    }
