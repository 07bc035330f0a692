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
