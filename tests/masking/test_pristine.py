import pytest

from pytest_autoexp.masking.layout import Layout
from pytest_autoexp.masking.pristine import Pristine

FILE = """\
import os.path, numpy as np
import scipy.stats
from math import sqrt
scipy = wrap(scipy)
if os: flag = 1

def f(arg: Note = default):
    global counter
    local = np.mean(arg)
"""


def test_what_a_file_knows():
    pristine = Pristine(Layout(FILE))
    assert pristine.names >= {"os", "np", "sqrt", "flag", "Note", "default", "counter", "f"}
    assert not pristine.names & {"local", "arg", "mean", "path"}
    assert pristine.aliases == {
        ("", "os.path", ""),
        ("", "numpy", "np"),
        ("", "scipy.stats", ""),
        ("math", "sqrt", ""),
    }
    assert pristine.roots == {"os"}
    assert pristine.redefined(["np", "sum", "__all__", "new"]) == ["__all__", "np", "sum"]


def test_file_in_newer_syntax_than_the_running_python(monkeypatch):
    def too_old(*args):
        raise SyntaxError("newer syntax")

    monkeypatch.setattr("symtable.symtable", too_old)
    names = Pristine(Layout(FILE)).names
    assert "local" in names  # without a symbol table every name counts


@pytest.mark.parametrize(
    ("text", "top", "takes_future"),
    [
        ("", -1, True),
        ("import a\n", -1, True),
        ("print()\n", -1, True),
        ("f'x'\n", -1, True),
        ("'doc'\nimport a\n", 0, True),
        ("'d' 'oc'\n'more'\n", 0, True),
        ("'doc'\nfrom __future__ import division\nx = 1\n", 1, True),
        ("from __future__ import division; from __future__ import generators\n", 0, True),
        ("'doc'; x = 1\n", 0, False),
    ],
)
def test_the_top_of_a_file(text, top, takes_future):
    pristine = Pristine(Layout(text))
    assert (pristine.top, pristine.takes_future) == (top, takes_future)
