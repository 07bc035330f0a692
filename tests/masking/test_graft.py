import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_autoexp.masking.graft import graft
from pytest_autoexp.masking.index import function_names, parse_ast
from pytest_autoexp.masking.mask import mask
from pytest_autoexp.masking.source import MaskingError

STDLIB = [p for p in sorted(Path(os.__file__).parent.glob("*.py")) if p.stat().st_size < 30_000]

GOLD = '''\
"""Module."""
from __future__ import annotations

import math

SCALE = 2.0


def area(r: float) -> float:  # in m2
    """Area."""
    return math.pi * r**2


class Shape:
    sides = 4

    @property
    def size(self):
        return self._size

    @size.setter
    def size(self, value):
        self._size = value


def main():
    def inner(x): return x
    return inner(area(SCALE))
'''
NAMES = ["area", "Shape.size#2", "main.inner"]
MASKED = mask(GOLD.encode(), dict.fromkeys(NAMES, "What it does.")).decode()
AREA_STUB = '    """What it does."""\n    raise NotImplementedError\n'


def grafted(agent, names=NAMES, masked=MASKED):
    result = graft(masked.encode(), agent.encode(), names)
    return result.source.decode(), list(result.dropped)


def test_gold_bodies_give_the_gold_file():
    assert grafted(GOLD) == (GOLD, [])


@pytest.mark.parametrize("end", ["\n    \n", "\n    # the end\n", "\n\n  \n    # the end\n  "])
def test_what_stands_at_the_end_of_a_file_costs_no_body(end):
    assert grafted(GOLD + end) == (GOLD, [])


def test_untouched_file_stays_masked():
    assert grafted(MASKED) == (MASKED, [])


def test_only_bodies_come_over():
    agent = (
        GOLD.replace("r: float", "r: float, cheat=1")
        .replace("    sides = 4", "    sides = 5")
        .replace("return inner(", "return 3 * inner(")
        .replace("SCALE = 2.0", "SCALE = 3.0")
        .replace("import math\n", "import math\nprint('hi')\n")
        .replace("class Shape:", "class Shape:\n    def helper(self): pass")
    )
    assert grafted(agent) == (
        GOLD,
        [
            "statement at module level (line 5): print('hi')",
            "redefines SCALE (line 7)",
            "changed signature of area (line 10)",
            "new method Shape.helper (line 16)",
            "new statement in class Shape (line 17): sides = 5",
            "removed statement in class Shape (line 15): sides = 4",
            "changed function main (line 28)",
        ],
    )


def test_a_function_that_is_gone_stays_masked():
    agent = GOLD.replace("def area(", "def surface(")
    source, dropped = grafted(agent)
    surface = GOLD[GOLD.index("def area") : GOLD.index("\n\nclass")].replace("area", "surface")
    area = MASKED[MASKED.index("def area") : MASKED.index("\n\nclass")]
    assert source == GOLD.replace(
        "\n\n\n" + surface.replace("surface", "area"), "\n" + surface + "\n\n" + area
    )
    assert dropped == ["function area is missing; it stays masked"]


@pytest.mark.parametrize(
    ("agent", "problem"),
    [
        (None, "the file is missing; "),
        (b"", "function area is missing"),
        (b"def area(:\n", "the file does not parse: line 1: "),
        (b"\xff\xfe\0d", "the file cannot be decoded"),
        (b"x = '\xe9'\n", "the file cannot be decoded"),
        (b"x = " + b"-" * 9_999 + b"1", "the file does not parse: its code is nested too deeply; "),
        (b"x = 1\n" * 200_000, "the file is too large to be parsed (1,200,000 characters); "),
        (b"a=1\n" * 100_000, "the file is too large to be parsed (400,000 words and signs); "),
    ],
)
def test_a_file_that_cannot_be_used_leaves_all_masked(agent, problem):
    result = graft(MASKED.encode(), agent, NAMES)
    assert result.source == MASKED.encode()
    assert any(line.startswith(problem) for line in result.dropped), result.dropped
    if problem.startswith("the file"):
        assert result.dropped[0].endswith("; area, Shape.size, main.inner stays masked")


def test_an_unknown_name_is_our_mistake():
    with pytest.raises(MaskingError, match="no function volume#1 in the masked file"):
        graft(MASKED.encode(), GOLD.encode(), ["volume"])


BODIES = {
    "block": ("def f():\n    return 1\n", "def f():\n    return 1\n"),
    "one line": ("def f(): return 1  # one\n", "def f(): return 1  # one\n"),
    "wider": (
        "def f():\n        if x:\n            y = '''\n        a\n'''\n        return y\n",
        "def f():\n    if x:\n        y = '''\n        a\n'''\n    return y\n",
    ),
    "narrower": (
        "def f():\n  x = [\n 1,\n    2]\n  # c\n # d\n  return x\n",
        "def f():\n    x = [\n 1,\n      2]\n    # c\n    # d\n    return x\n",
    ),
    "tabs": (
        "def f():\n\tfor x in y:\n\t\tz(x)\n\t\n\treturn f'''\n\t{x}'''\n",
        "def f():\n    for x in y:\n    \tz(x)\n    \n    return f'''\n\t{x}'''\n",
    ),
    "under if": (
        "if True:\n    def f():\n        return 1\n",
        None,
    ),
    "continued string": (
        "def f():\n  return 'a\\\n  b'\n",
        "def f():\n    return 'a\\\n  b'\n",
    ),
    "CRLF": ("def f():\r\n    return 1\r\n", "def f():\n    return 1\n"),
    "continuation at the end": ("def f():\n    return 1 \\\n\n", "def f():\n    return 1 \\\n\n"),
    "comments below": (
        "def f():\n    x\n    # a\n# b\n  # c\n",
        "def f():\n    x\n    # a\n# b\n  # c\n",
    ),
    "new function inside": (
        "def f():\n    def g(): pass\n    return g\n",
        "def f():\n    def g(): pass\n    return g\n",
    ),
    "form feed": ("def f():\n\x0c    return 1\n", "def f():\n\x0c    return 1\n"),
}


@pytest.mark.parametrize(("agent", "expected"), BODIES.values(), ids=BODIES.keys())
def test_bodies_fit_the_pristine_function(agent, expected):
    end = "\n\ndef other():\n  return 2\n"
    pristine = mask(b"def f():\n    pass\n" + end.encode(), {"f": "text"}).decode()
    source, dropped = grafted(agent + end, ["f"], pristine)
    if expected is None:
        assert dropped[0].startswith("statement at module level (line 1): if True: def f()")
        expected = "def f():\n    return 1\n"
    else:
        assert dropped == []
    assert source == expected + end
    parse_ast(source)


def test_a_body_on_one_line_below_a_comment_that_stays():
    pristine = mask(b"def f():  # note\n  pass\n", {"f": "text"}).decode()
    assert grafted("def f(): x = 1; return x\n", ["f"], pristine) == (
        "def f():  # note\n  x = 1; return x\n",
        [],
    )


def test_method_of_a_class_that_is_indented_otherwise():
    pristine = mask(b"class A:\n\tdef f(self):\n\t\tpass\n\tx = 1\n", {"A.f": "text"}).decode()
    agent = "class A:\n  def f(self):\n    if 1:\n      return 2\n  x = 1\n"
    source, dropped = grafted(agent, ["A.f"], pristine)
    assert source == "class A:\n\tdef f(self):\n\t\tif 1:\n\t\t  return 2\n\tx = 1\n"
    assert dropped == []


def test_body_with_characters_that_the_encoding_lacks_is_dropped():
    pristine = mask(b"# coding: latin-1\ndef f(): pass\ndef g(): pass\n", dict.fromkeys("fg", "t"))
    agent = "def f(): return 'λ'\ndef g(): return 'é'\n".encode()
    result = graft(pristine, agent, ["f", "g"])
    assert result.source == pristine[: pristine.index(b"def g")] + b"def g(): return '\xe9'\n"
    assert result.dropped == ("f (line 1) stays masked: iso-8859-1 lacks characters of its body",)


def test_should_other_code_change_all_stays_masked(monkeypatch):
    monkeypatch.setattr("pytest_autoexp.masking.graft._python_agrees", lambda layout: False)
    assert grafted(GOLD) == (
        MASKED,
        ["all functions stay masked: with these bodies other code would change"],
    )


def test_a_comment_below_a_method_that_is_indented_otherwise():
    pristine = mask(b"class A:\n    def f(self): pass\n\nx = 1\n", {"A.f": "t"}).decode()
    agent = "class A:\n def f(self):\n   pass\n  # c\n\nx = 1\n"
    assert grafted(agent, ["A.f"], pristine) == (
        "class A:\n    def f(self):\n        pass\n        # c\n\nx = 1\n",
        [],
    )


def test_tabs_below_spaces():
    pristine = mask(b"class A:\n    def f(self): pass\n", {"A.f": "t"})
    agent = b"class A:\n\tdef f(self):\n\t\tif x:\n\t\t\ty\n"
    result = graft(pristine, agent, ["A.f"])
    assert result.source == b"class A:\n    def f(self):\n        if x:\n        \ty\n"


def test_twins_are_told_apart_by_their_place():
    gold = b"class A:\n def f(self): return 1\n def f(self): return 2\n def f(self): return 3\n"
    for chosen in (["A.f#1", "A.f#3"], ["A.f#2"], ["A.f#1", "A.f#2", "A.f#3"]):
        assert graft(mask(gold, dict.fromkeys(chosen, "t")), gold, chosen).source == gold


def test_twins_inside_masked_twins():
    gold = b"".join(b"def g():\n    def f(): return %d\n    return f\n" % i for i in range(3))
    for chosen in (["g#1", "g.f#2"], ["g#2", "g.f#3", "g.f#2"], ["g.f#1", "g#3", "g#1"]):
        result = graft(mask(gold, dict.fromkeys(chosen, "t")), gold, chosen)
        assert (result.source, result.dropped) == (gold, ())


def test_the_last_function_of_a_name_counts():
    source, dropped = grafted(MASKED + "\n\ndef area(r):\n    return 3\n")
    assert source == MASKED.replace(AREA_STUB, "    return 3\n", 1)
    assert dropped == [
        "earlier definition of area (line 9)",
        "changed signature of area (line 34)",
    ]


def test_additions_stand_where_the_agent_put_them():
    agent = GOLD.replace('"""Module."""\n', '"""Module."""\nimport itertools\n')
    agent = agent.replace("import math\n", "import math\nfrom math import tau\n_CACHE: dict = {}\n")
    agent = agent.replace("SCALE = 2.0\n", "SCALE = 2.0\nA = B = SCALE; C, D = 1, 2  # note\n")
    agent = agent.replace(
        "\n\nclass Shape", "\n@cache\ndef helper(x):\n    return x\n\n\nclass Shape"
    )
    agent += "\n\nclass Tail:\n    x = 1\n"
    source, dropped = grafted(agent)
    assert dropped == []
    expected = GOLD.replace("annotations\n", "annotations\nimport itertools\n")
    expected = expected.replace(
        "import math\n", "import math\nfrom math import tau\n_CACHE: dict = {}\n"
    )
    expected = expected.replace("SCALE = 2.0\n", "SCALE = 2.0\nA = B = SCALE\nC, D = 1, 2\n")
    expected = expected.replace("r**2\n", "r**2\n@cache\ndef helper(x):\n    return x\n")
    assert source == expected + "class Tail:\n    x = 1\n"


@pytest.mark.parametrize(
    ("gold", "agent", "expected"),
    [
        ("def f(): pass", "import a\ndef f(): pass", "import a\ndef f(): pass"),
        (
            "#!x\n# c\n\ndef f(): pass\n",
            "import a\ndef f(): pass",
            "#!x\n# c\n\nimport a\ndef f(): pass\n",
        ),
        ("def f(): pass", "def f(): pass\nimport a", "def f(): pass\nimport a"),
        (
            "import b\r\n@d\r\ndef f(): pass\r\n",
            "import b\nimport a\n@d\ndef f(): pass",
            "import b\r\nimport a\r\n@d\r\ndef f(): pass\r\n",
        ),
    ],
)
def test_additions_at_the_ends_of_a_file(gold, agent, expected):
    result = graft(mask(gold.encode(), {"f": "t"}), agent.encode(), ["f"])
    assert result.source.decode() == expected
    assert result.dropped == ()


def test_addition_that_the_encoding_lacks_is_dropped():
    pristine = mask(b"# coding: ascii\ndef f(): pass\n", {"f": "t"})
    result = graft(pristine, "X = 'é'\ndef f(): return X\n".encode(), ["f"])
    assert result.source == b"# coding: ascii\ndef f(): return X\n"
    assert result.dropped == ("addition X = 'é': ascii lacks characters of it",)


def test_long_tables_are_compared_too():
    table = "TABLE = (\n" + "    'a'\n" * 300 + ")\n"
    pristine = mask(f"{table}def f(): pass\n".encode(), {"f": "t"})
    agent = table.replace("'a'", "'b'") + "def f(): return 1\n" + table.replace("TABLE", "MORE")
    result = graft(pristine, agent.encode(), ["f"])
    assert result.source.decode() == table + "def f(): return 1\n" + table.replace("TABLE", "MORE")
    assert result.dropped == ("redefines TABLE (line 1)",)


def test_newer_syntax_than_the_running_python():
    gold = b"type A = int\n\nclass B[T]:\n    def f[S](self, x: S) -> T: return x\n"
    pristine = mask(gold, {"B.f": "text"})
    assert graft(pristine, gold, ["B.f"]).source == gold
    result = graft(pristine, gold + b"def new[T](x: T): pass\nint = str\n", ["B.f"])
    assert result.source == gold + b"def new[T](x: T): pass\n"
    assert result.dropped == ("redefines int (line 6)",)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_over_the_standard_library_gold_bodies_give_the_gold_file(data):
    gold = data.draw(st.sampled_from(STDLIB)).read_bytes()
    names = [f.name for f in function_names(gold)]
    chosen = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    result = graft(mask(gold, dict.fromkeys(chosen, "What it does.")), gold, chosen)
    assert (result.source, result.dropped) == (gold, ())


def test_a_line_that_libcst_does_not_reproduce_leaves_all_masked():
    agent = GOLD + '\n_X = (\nf"{  a  !r  :  b }"); _Y = 1; _Z = (\n1)\n'
    result = graft(MASKED.encode(), agent.encode(), NAMES)
    assert result.source == MASKED.encode()
    assert result.dropped[0].startswith("the file libcst does not reproduce its line")


def test_bodies_without_a_blank_behind_a_keyword_count():
    agent = MASKED.replace("raise NotImplementedError", "return(1 if self else(lambda: 2))", 1)
    assert "return(1 if self else(lambda: 2))" in grafted(agent)[0]
