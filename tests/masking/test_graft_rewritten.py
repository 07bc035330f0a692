"""Agents that write functions twice, or bring annotations and guarded imports of their own."""

import pytest

from pytest_autoexp.masking.graft import graft
from pytest_autoexp.masking.mask import mask


def test_a_class_that_is_appended_whole():
    gold = b"import os\n\nclass A:\n    x = 1\n\n    def f(self): return 2\n"
    pristine = mask(gold, {"A.f": "What it does."})
    agent = pristine + b"\n" + gold[gold.index(b"class") :]
    result = graft(pristine, agent, ["A.f"])
    assert result.source.replace(b"\n        return 2", b" return 2") == gold
    assert result.dropped == ("earlier definition of A.f (line 6)", "redefines A (line 3)")


OVERLOADED = """\
\"\"\"Module.\"\"\"
from typing import overload


@overload
def f(x: int) -> int: ...


@overload
def f(x: str) -> str: ...


def f(x):
    return x
"""


def test_overloads_give_way_to_the_function():
    pristine = mask(b'"""Module."""\n\n\ndef f(x):\n    pass\n', {"f": "t"})
    result = graft(pristine, OVERLOADED.encode(), ["f"])
    imported = b"from typing import overload\n"
    assert result.source == b'"""Module."""\n' + imported + b"\n\ndef f(x):\n    return x\n"
    assert result.dropped == ("earlier definition of f (line 6, 10)",)


def test_pristine_overloads():
    pristine = mask(OVERLOADED.encode(), {"f#3": "t"})
    for agent in (OVERLOADED, pristine.decode() + "\n\ndef f(x):\n    return x\n"):
        assert graft(pristine, agent.encode(), ["f#3"]).source == OVERLOADED.encode()


FUTURE = "from __future__ import annotations\n"
GUARDED = """
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
try:
    import no_such_module
except ImportError:
    no_such_module = None


def _helper(v: Sequence[float]) -> Later:
    return Later()


class Later:
    pass


def f(v: list):
    return _helper(v), no_such_module
"""


@pytest.mark.parametrize(
    ("top", "rest"),
    [
        ("", ""),
        ("'''Module.'''\n", ""),
        ("# c\n'doc'\n", "X = 1\n"),
        ("", "import os\n"),
        ("from __future__ import division\n", "print\n"),
    ],
)
def test_annotations_that_are_not_evaluated(top, rest):
    pristine = mask(f"{top}{rest}def f(v: list): pass\n".encode(), {"f": "t"})
    result = graft(pristine, (top + FUTURE + rest + GUARDED).encode(), ["f"])
    assert result.dropped == ()
    assert result.source.decode().startswith(top + FUTURE)
    space: dict[str, object] = {"__name__": "module"}
    exec(compile(result.source, "module", "exec", dont_inherit=True), space)
    helped, module = space["f"]([])
    assert (type(helped), module) == (space["Later"], None)


def test_a_future_import_that_fits_nowhere_is_dropped():
    pristine = mask(b"'doc'; x = 1\ndef f(): pass\n", {"f": "t"})
    agent = f"'doc'\n{FUTURE}x = 1\ndef f(): return 1\n"
    result = graft(pristine, agent.encode(), ["f"])
    assert result.source == b"'doc'; x = 1\ndef f(): return 1\n"
    assert f"statement at module level (line 2): {FUTURE.strip()}" in result.dropped


def test_a_reformatted_file_is_no_change():
    gold = (
        "import a\n\nGRADES = {'a': 1, 'b': (2)}\n\n@deco\nclass A(B):\n    x = 1 if y else(2)\n"
        "    def f(self): return self.x\n    def g(self, *, z='z'): return z\n\ndef h(): pass\n"
    )
    pristine = mask(gold.encode(), {"A.f": "t"})
    agent = gold.replace("'", '"').replace(", ", ",\\\n  ").replace("else(2)", "else 2")
    result = graft(pristine, agent.replace("    ", "\t").encode(), ["A.f"])
    assert (result.source.decode(), result.dropped) == (gold, ())


def test_deeply_nested_code_is_compared():
    pristine = mask(b"X = a.b\ndef f(): pass\n", {"f": "t"})
    agent = f"X = a{'.b' * 450}\nif a{'.b' * 450}: pass\ndef f(): return 1\n"
    result = graft(pristine, agent.encode(), ["f"])
    assert result.source == b"X = a.b\ndef f(): return 1\n"
