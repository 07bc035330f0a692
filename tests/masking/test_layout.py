import sys

import libcst as cst
import pytest

from pytest_autoexp.masking.layout import Layout
from pytest_autoexp.masking.source import MaskingError


def body(text, name="f"):
    layout = Layout(text)
    (function,) = [f for f in layout.functions if f.name.name == name]
    return text[function.body : function.end]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f():\n    return 1\n\nx = 1\n", "    return 1"),
        ("def f():  # note\n    return 1  # one\n", "    return 1  # one"),
        ("def f():\n    # first\n\n    return 1\n    # last\n\n# other\n", None),
        (
            "def f():\n    return 1\n# other\n    # hint\nx = 1\n",
            "    return 1\n# other\n    # hint",
        ),
        ("def f(): return 1  # one\n", " return 1  # one"),
        ("def f(): x = 1; return x;\n    # hint\n", " x = 1; return x;\n    # hint"),
        ("def f(): \\\n  return 1\nx = 1\n", " \\\n  return 1"),
        ("def f(a='):',\n      b=1) -> 'x:y':\n    return 1", "    return 1"),
        ("def f():\n    x = 1 \\\n\ny = 2\n", "    x = 1 \\\n"),
        ("def f():\n    return '''\nx\n'''\ny = 2\n", "    return '''\nx\n'''"),
        (
            "def f():\n    if x:\n        y\n    else: z;\n\nw\n",
            "    if x:\n        y\n    else: z;",
        ),
        ("@d\n\n@e\ndef f():\r\n\treturn 1\r\n", "\treturn 1"),
        ("def f():\r    return 1\rx = 1\r", "    return 1"),
        ("\x0cdef f():\n\x0c    return 1\n\x0c\nx = 1\n", "\x0c    return 1"),
        ("if x:\n  async def f(): pass\n  # not deeper\n  y\n", " pass"),
        ("class f:\n  pass\nclass A:\n\tdef f(s):\n\t\tpass\n        # a\n", None),
    ],
)
def test_where_a_body_starts_and_ends(text, expected):
    if expected is None:
        name = "A.f" if "A" in text else "f"
        expected = "\t\tpass" if "A" in text else "    # first\n\n    return 1\n    # last"
        assert body(text, name) == expected
    else:
        assert body(text) == expected


@pytest.mark.parametrize(
    ("text", "indent", "body_indent"),
    [
        ("def f():\n  return 1\n", "", "  "),
        ("class A:\n\tdef f(self): pass\n", "\t", "\t\t"),
        ("class A:\n   def f(self): pass\n", "   ", "      "),
        ("def f(): pass\n", "", "    "),
        ("\x0cdef f():\n \x0c    pass\n", "", "    "),
    ],
)
def test_indentation(text, indent, body_indent):
    (function,) = Layout(text).functions
    assert (function.indent, function.body_indent) == (indent, body_indent)


@pytest.mark.parametrize(
    "text", ["x = 1\rdef f(): pass", "x = 1\ndef f(): pass", "x\r\ndef f(): x"]
)
def test_newline_in_use(text):
    layout = Layout(text)
    expected = "\r\n" if "\r\n" in text else text[5]
    assert layout.newline_at(len(text)) == expected
    assert Layout("def f(): pass").newline_at(0) == "\n"


def test_code_nested_too_deeply_is_told():
    with pytest.raises(MaskingError, match="nested too deeply"):
        Layout("x = " + "-" * 2000 + "1\n")


def test_a_table_of_many_strings_is_not_too_deep():
    limit = sys.getrecursionlimit()
    text = "def f():\n    return (\n" + "        'a'\n" * 300 + "    )"
    assert body(text) == text[9:]
    assert sys.getrecursionlimit() == limit


def test_a_blank_that_libcst_loses_does_no_harm():
    text = "def f():\n    try: pass\n    except (A, B) :\n        pass\nx = 1\n"
    assert body(text) == text[9:-7]
    with pytest.raises(MaskingError, match="does not reproduce its line 3"):
        Layout("def f():\n    try: pass\n    except (A, B) : pass\n")


def test_a_syntax_error_is_told_with_its_line():
    with pytest.raises(MaskingError, match=r"does not parse: line 2: "):
        Layout("x = 1\ny = = 2\n")


@pytest.mark.parametrize(
    "line",
    [
        "return(a if b else c)",
        "return(lambda x: x)",
        "x = a or(lambda: 1)",
        "x = not(a if b else c)",
        "x = a in(b if c else d)",
        "assert(a if b else c)",
        "if(a if b else c): pass",
        "with(a)as b: pass",
    ],
)
def test_code_that_nodes_of_libcst_refuse(line):
    (function,) = Layout(f"def f():\n    {line}\n").functions
    assert Layout(f"def f():\n    {line}\n").text[function.body : function.end] == f"    {line}"
    with pytest.raises(cst.CSTValidationError):
        cst.Name("")


def test_whatever_libcst_raises_is_about_the_text(monkeypatch):
    monkeypatch.setattr(cst, "parse_module", lambda _: len(None))
    with pytest.raises(MaskingError, match="does not parse: object of type 'NoneType' has no len"):
        Layout("x = 1\n")
