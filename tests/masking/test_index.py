import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_autoexp.masking.index import function_names, resolve
from pytest_autoexp.masking.layout import Layout
from pytest_autoexp.masking.source import MaskingError, decode

STDLIB = [p for p in sorted(Path(os.__file__).parent.glob("*.py")) if p.stat().st_size < 30_000]

SOURCE = b"""\
import functools

def plain(): return 1

class Shape:
    @property
    def area(self):
        return 0

    @area.setter
    def area(self, value):
        def check(): pass

    class Inner:
        async def run(self): ...

if True:
    def chosen(): pass
elif False:
    def chosen(): pass
else:
    def chosen(): pass
try:
    def a(): pass
except OSError:
    def b(): pass
else:
    def c(): pass
finally:
    def d(): pass
for _ in []:
    with open("x"):
        while True:
            def e(): pass
match 1:
    case 1:
        def f(): pass
"""


def test_names_in_the_order_of_the_file():
    assert [(f.name, f.line) for f in function_names(SOURCE)] == [
        ("plain", 3),
        ("Shape.area#1", 7),
        ("Shape.area#2", 11),
        ("Shape.area.check", 12),
        ("Shape.Inner.run", 15),
        ("chosen#1", 18),
        ("chosen#2", 20),
        ("chosen#3", 22),
        ("a", 24),
        ("b", 26),
        ("c", 28),
        ("d", 30),
        ("e", 34),
        ("f", 37),
    ]


def test_newer_syntax_than_the_running_python(monkeypatch):
    def too_old(source):
        raise SyntaxError("newer syntax")

    expected = function_names(SOURCE)
    monkeypatch.setattr("pytest_autoexp.masking.index.parse_ast", too_old)
    assert function_names(SOURCE) == expected
    newer = b"def first[T](x: T) -> T: return x\ntype A = int\nclass B[T]:\n    def m(self): pass\n"
    assert [f.name for f in function_names(newer)] == ["first", "B.m"]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(STDLIB))
def test_ast_and_libcst_agree_over_the_standard_library(path):
    source = path.read_bytes()
    assert Layout(decode(source).text).names == function_names(source)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (b"\xef\xbb\xbfdef f(): pass\r\ndef g(): pass\r\n", [("f", 1), ("g", 2)]),
        (b"def f():\r    pass\rdef g(): pass\r", [("f", 1), ("g", 3)]),
        (b"\x0c\n\x0cdef f():\n\x0c    x\n  \x0c    def g(): pass\n", [("f", 2), ("f.g", 4)]),
        ("def ﬁt(): pass\n".encode(), [("fit", 1)]),  # identifiers are compared in form NFKC
        (b"x = '\\d'\ndef f(): pass", [("f", 2)]),  # its warning is none of ours
    ],
)
def test_odd_files_are_read_alike_by_both_parsers(source, names):
    assert [(f.name, f.line) for f in function_names(source)] == names
    assert Layout(decode(source).text).names == function_names(source)


@pytest.mark.parametrize("source", [b"def f(:\n", b"x = 1\0\n", b"  x\n y\n"])
def test_a_file_that_does_not_parse_is_told(source):
    with pytest.raises(MaskingError, match="does not parse: line"):
        function_names(source)


def test_resolve_gives_the_function():
    functions = function_names(SOURCE)
    assert resolve("plain", functions).line == 3
    assert resolve("Shape.area#2", functions).line == 11


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Shape.aera", r"no function Shape\.aera; did you mean Shape\.area"),
        ("chosen", r"ambiguous; write one of chosen#1 \(line 18\), chosen#2 \(line 20\), ch"),
        ("chosen#4", r"no function chosen#4; there is chosen#1 \(line 18\), "),
        ("chosen#01", r"no function chosen#01; there is chosen#1"),
        ("plain#1", r"no function plain#1; there is plain \(line 3\)"),
        ("Shape", r"no function Shape"),
        ("zzzzzz", r"no function zzzzzz$"),
        ("", r"no function $"),
    ],
)
def test_resolve_tells_what_is_wrong(name, message):
    with pytest.raises(MaskingError, match=message):
        resolve(name, function_names(SOURCE))


def test_collection_does_not_import_libcst():
    code = (
        "import sys; from pytest_autoexp.masking import draw, index;"
        "index.function_names(b'def f(): pass'); sys.exit('libcst' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
