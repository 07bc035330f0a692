import pytest

from pytest_autoexp.masking.layout import Layout
from pytest_autoexp.masking.locate import locate, places
from pytest_autoexp.masking.mask import mask
from pytest_autoexp.masking.source import MaskingError

STUB = "raise NotImplementedError"
TWINS = """\
class A:
    @property
    def size(self): return 1
    @size.setter
    def size(self, v): pass

def f(): pass
"""


def masked(gold, *names):
    layout = Layout(mask(gold.encode(), dict.fromkeys(names, "")).decode())
    return layout, places(layout, names)


@pytest.mark.parametrize(
    ("agent", "line", "earlier"),
    [
        ("def f(): 1\n", 1, []),
        ("def g(): 1\n", None, []),
        (f"def f():\n    {STUB}\n\ndef f(): 1\n", 4, [1]),
        (f"def f(): 1\n\ndef f():\n    {STUB}\n", 1, [3]),
        ("def f(): 1\ndef f(): 2\ndef f(): 3\n", 3, [1, 2]),
        ("@overload\ndef f(): ...\n@overload\ndef f(a): ...\ndef f(a=0): 1\n", 5, [2, 4]),
        (f"def f():\n    {STUB}\n@cache\ndef f(): 1\n", 4, [1]),
        ("def f():\n    def f(): 1\n    return f\n", 1, []),
        ("class B:\n    def f(self): 1\n", None, []),
        ("def f(): 1\nif x:\n    def f(): 2\n", 3, [1]),
    ],
)
def test_the_last_of_several_counts(agent, line, earlier):
    ours, wanted = masked(TWINS, "f")
    found = locate(Layout(agent), wanted, ours)
    assert [f.line for f in found.functions.values()] == ([line] if line else [])
    assert [f.line for f in found.earlier] == earlier


def test_a_property_that_gains_a_deleter():
    ours, wanted = masked(TWINS, "A.size#1", "A.size#2")
    agent = TWINS.replace("\ndef f", "    @ size . deleter\n    def size(self): pass\n\ndef f")
    found = locate(Layout(agent), wanted, ours)
    assert [f.line for f in found.functions.values()] == [3, 5]
    assert [f.line for f in found.earlier] == [7]


def test_a_class_that_is_written_again():
    ours, wanted = masked(TWINS, "A.size#2")
    again = ours.text + TWINS
    found = locate(Layout(again), wanted, ours)
    assert [f.line for f in found.functions.values()] == [
        again[: again.rindex("def size")].count("\n") + 1
    ]


def test_functions_inside_earlier_ones_do_not_count():
    gold = "def f(): 0\ndef g():\n    def h(): 0\n"
    ours, wanted = masked(gold, "f", "g.h")
    agent = "def g():\n    def h(): 1\ndef g():\n    def h(): 2\n"
    found = locate(Layout(agent), wanted, ours)
    assert [f.line for f in found.functions.values()] == [4]


def test_a_function_that_the_masked_file_lacks():
    with pytest.raises(MaskingError, match="no function g#1 in the masked file"):
        places(Layout(TWINS), ["g"])


REGISTERS = """\
@show.register
def _(x: int): return "int"

@show.register
def _(x: str): return "str"
"""
BRANCHES = """\
if win32:
    def cond(): return "win"
else:
    def cond(): return "unix"
"""
OVERLOADS = """\
@overload
def ov(x: int) -> int: ...
@overload
def ov(x: str) -> str: ...
def ov(x): return x
"""


@pytest.mark.parametrize(
    ("gold", "name", "agent", "line"),
    [
        (
            REGISTERS,
            "_#1",
            REGISTERS.replace('"int"', '"I"').replace(
                "\n\n", '\n\n@show.register\ndef _(x: float): return "float"\n\n'
            ),
            2,
        ),
        (BRANCHES, "cond#1", BRANCHES.replace('"win"', '"W"') + "def cond(): return 3\n", 5),
        (BRANCHES, "cond#2", BRANCHES.replace('"unix"', '"U"') + "def other(): return 3\n", 4),
        (BRANCHES, "cond#2", "def cond(): return 0\n" + BRANCHES.replace('"unix"', '"U"'), 5),
        (OVERLOADS, "ov#3", OVERLOADS.split("\n", 2)[2], 3),
        (OVERLOADS, "ov#3", "@overload\ndef ov(x: float) -> float: ...\n" + OVERLOADS, 7),
        (OVERLOADS, "ov#3", OVERLOADS.replace("def ov(x): ", "def ov(x):\n    "), 5),
    ],
)
def test_twins_are_told_apart_when_some_come_or_go(gold, name, agent, line):
    ours, wanted = masked(gold, name)
    found = locate(Layout(agent), wanted, ours)
    assert [f.line for f in found.functions.values()] == [line]
