from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from pytest_autoexp.masking.layout import Layout
from pytest_autoexp.masking.source import MaskingError
from pytest_autoexp.masking.variants import CALLS_VARIABLE, traced, variants


def of(text: str, name: str, kind: str) -> str:
    found = {variant.kind: variant.source for variant in variants(text.encode(), name)}
    return found[kind].decode()  # type: ignore[index]


def namespace(text: str, name: str, kind: str) -> dict[str, Any]:
    """What a version of a module holds after it ran."""
    values: dict[str, Any] = {"__name__": "version"}
    exec(compile(of(text, name, kind), "version", "exec", dont_inherit=True), values)
    return values


def result(text: str, kind: str, name: str = "f", call: str = "f(3.0)") -> Any:
    return eval(call, namespace(text, name, kind))


SHAPES = {
    "function": ("def f(a):\n    return a + 1\n", "f", "f(2.0)"),
    "one line": ("def f(a): return a + 1", "f", "f(2.0)"),
    "defaults": ("D = 2.0\ndef f(a, /, b=D, *c, k=1, **d):\n  return a + b\n", "f", "f(2.0)"),
    "method": (
        "class A:\n    def f(self, a):\n        return a + 1\n",
        "A.f",
        "A().f(2.0)",
    ),
    "class method": (
        "class A:\n    @classmethod\n    def f(cls, a):\n        return a + 1\n",
        "A.f",
        "A.f(2.0)",
    ),
    "static method": ("class A:\n  @staticmethod\n  def f(a): return a + 1\n", "A.f", "A.f(2.0)"),
    "super": (
        "class B:\n  def f(self, a): return a\n"
        "class A(B):\n  def f(self, a):\n    return super().f(a) + 1\n",
        "A.f",
        "A().f(2.0)",
    ),
    "nested": (
        "def g(a):\n    n = 1\n    def f(a):\n        nonlocal n\n        n += 1\n"
        "        return a + n\n    return f(a)\n",
        "g.f",
        "g(2.0)",
    ),
    "decorated": (
        "import functools\n@functools.cache\n# why\ndef f(a):\n    return a + 1\n",
        "f",
        "f(2.0)",
    ),
    "async": (
        "import asyncio\nasync def f(a):\n    await asyncio.sleep(0)\n    return a + 1\n",
        "f",
        "asyncio.run(f(2.0))",
    ),
    "head": (
        '"""Doc."""\n\nfrom __future__ import annotations\nimport math\ndef f(a: X) -> Y:\n'
        "    return a + math.e\n",
        "f",
        "f(2.0)",
    ),
    "tabs and CRLF": ("def f(a):\r\n\tif a:\r\n\t\treturn a + 1\r\n", "f", "f(2.0)"),
}


@pytest.mark.parametrize(("text", "name", "call"), SHAPES.values(), ids=SHAPES.keys())
def test_what_each_variant_gives(text: str, name: str, call: str) -> None:
    given = {kind: result(text, kind, name, call) for kind in ("zeros", "input", "skipped")}
    assert given == {"zeros": 0.0, "input": 2.0, "skipped": None}


@pytest.mark.parametrize(("text", "name"), [case[:2] for case in SHAPES.values()])
@pytest.mark.parametrize("kind", ["zeros", "input", "skipped"])
def test_all_other_lines_stay(text: str, name: str, kind: str) -> None:
    def outside(text: str) -> str:
        return "".join(
            text[: f.start] + text[f.end :] for f in Layout(text).functions if f.name.name == name
        )

    kept = [line for line in of(text, name, kind).splitlines(keepends=True) if "exec(" not in line]
    assert outside("".join(kept)) == outside(text)


def test_generators_yield_zeros_or_nothing() -> None:
    text = "def f(a):\n    got = yield a\n    yield got\n    return 5\n"
    generator = result(text, "zeros")
    assert [next(generator), generator.send(7)] == [0.0, 0]
    assert list(result(text, "skipped")) == []
    text = "async def f(a):\n    yield a\nasync def g():\n    return [x async for x in f(1.5)]\n"
    call = "__import__('asyncio').run(g())"
    assert result(text, "zeros", call=call) == [0.0]
    assert result(text, "skipped", call=call) == []


def test_properties_have_no_input() -> None:
    text = "class A:\n    @property\n    def f(self):\n        return 3.0\n"
    assert [v.kind for v in variants(text.encode(), "A.f")] == ["zeros", "skipped"]
    assert result(text, "zeros", "A.f", "A().f") == 0.0


@pytest.mark.parametrize(
    ("parameters", "call", "given"),
    [
        ("name, a", "f('x', 2)", 2),
        ("*a, k", "f(k=3)", 3),
        ("*a, k", "f(1, 2, k=3)", 1),
        ("name='x'", "f()", None),
    ],
)
def test_the_input_is_the_first_argument_that_is_no_text(
    parameters: str, call: str, given: object
) -> None:
    assert result(f"def f({parameters}): return 9", "input", call=call) == given


VALUES = {
    "(1, 2.5, 1j, True, None, 'a')": "(0, 0.0, 0j, False, None, 'a')",
    "[{'a': [1, (2.0,)], 3: 'b'}]": "[{'a': [0, (0.0,)], 3: 'b'}]",
    "P(1.0, [2])": "P(0.0, [0])",
    "D(1.0, 'x')": "D(0.0, 'x')",
    "(lambda: 4)()": "0",
    "(lambda x: x + 1, 2)[0:1] + (1,)": "None",
    "None": "None",
    "()": "()",
    "0": "0",
    "Counter(a=2)": "Counter(a=0)",
}
KINDS = """\
from collections import Counter, namedtuple
from dataclasses import dataclass
P = namedtuple("P", "x y")
@dataclass(frozen=True)
class D:
    x: float
    y: str
"""


@pytest.mark.parametrize(("value", "zero"), VALUES.items())
def test_zeros_of_plain_values(value: str, zero: str) -> None:
    values = namespace(f"{KINDS}def f(): return {value}\n", "f", "zeros")
    got = values["f"]()
    if "lambda x" in value:
        assert (got[0](3), got[1]) == (0, 0)
        return
    expected = eval(zero, values)
    assert (got, type(got)) == (expected, type(expected))


def test_a_value_without_zeros_is_an_error() -> None:
    for value in ("'text'", "object()", "{1, 2}"):
        with pytest.raises(TypeError, match="there is no zero of"):
            result(f"def f(): return {value}", "zeros", call="f()")


LIBRARIES = {
    "numpy": """
        import numpy as np
        a = f(np.array([1.0, np.nan])); assert a.tolist() == [0, 0] and a.dtype == float
        assert f(np.array([True])).tolist() == [False]
        assert f(np.array(["a"])).tolist() == ["a"]
        assert f(np.array([1, "a", None], dtype=object)).tolist() == [0, "a", None]
        assert f(np.float32(2)) == 0 and type(f(np.float32(2))) is np.float32
        assert f(np.False_) == np.False_
        a = np.ones(3); b = np.ones(2); g(a, b); assert a.tolist() == [0, 0, 0] and b.sum() == 2
        h = Holder(); h.set(np.ones(2))
        assert h.weights.tolist() == [0, 0] and h.count == 0 and h.kept == 1
    """,
    "scipy": """
        import scipy.sparse as sp
        for kind in (sp.csr_matrix, sp.coo_array, sp.lil_matrix, sp.dia_matrix):
            m = f(kind([[1.0, 0], [0, 2.0]]))
            assert type(m) is kind and m.shape == (2, 2) and m.toarray().sum() == 0
    """,
    "pandas": """
        import pandas as pd
        d = f(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=[3, 4]))
        assert d.to_dict() == {"a": {3: 0, 4: 0}, "b": {3: "x", 4: "y"}}
        s = f(pd.Series([1.5, None], name="s")); assert s.tolist() == [0, 0] and s.name == "s"
        assert f(pd.Index([1, 2])).tolist() == [0, 0]
        d = pd.DataFrame({"a": [1.0]}); g(d, None); assert d["a"].tolist() == [0]
    """,
}
FUNCTIONS = """
def f(value): return value
def g(a, b):
    \"\"\"Change a in place.\"\"\"
    a += 1
class Holder:
    kept = 1
    def __init__(self): self.count, self.own = 1, 1
    def set(self, value):
        self.weights = value * 2
        self.count += 1
"""


@pytest.mark.parametrize("library", LIBRARIES)
def test_zeros_of_libraries(library: str, tmp_path: Path) -> None:
    text = FUNCTIONS
    for name in ("f", "g", "Holder.set"):
        text = of(text, name, "zeros")
    (tmp_path / "run.py").write_text(text + textwrap.dedent(LIBRARIES[library]))
    subprocess.run([sys.executable, "run.py"], cwd=tmp_path, check=True, timeout=60)


def test_names_do_not_clash() -> None:
    text = "_autoexp_ = 5\ndef f(a): return a + _autoexp_\ndef g(): return _autoexp_\n"
    values = namespace(text, "f", "zeros")
    assert (values["f"](1), values["g"]()) == (0, 5)


def test_a_function_that_is_not_there() -> None:
    with pytest.raises(MaskingError, match="no function g"):
        variants(b"def f(): pass\n", "g")


TRACED = '''\
"""Doc."""
from __future__ import annotations
import subprocess, sys, threading
def plain(n: Unknown):
    """Kept."""
    return n
def short(): return 1
def early(n):

    # first
    if n:
        return 2
class A:
    @property
    def size(self):
        """One"""; return 3
    async def later(self): pass
def items():
    yield 1
def never(): pass
def there():
    return 4
if sys.argv[1:] == ["child"]:
    there()
else:
    threads = [threading.Thread(target=plain, args=(1,)) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    subprocess.run([sys.executable, __file__, "child"], cwd="/", check=True)
    print(short(), short(), early(1), A().size, list(items()), plain.__doc__)
'''
NAMES = ["plain", "short", "early", "A.size", "A.later", "items", "never", "there"]


def test_calls_are_noted_once_in_threads_and_child_processes(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_bytes(traced(TRACED.encode(), {n: f"run.py::{n}" for n in NAMES}))

    def run(**env: str) -> str:
        command = [sys.executable, str(tmp_path / "run.py")]
        return subprocess.check_output(command, env=os.environ | env, text=True, timeout=60)

    assert run(**{CALLS_VARIABLE: str(tmp_path / "calls")}) == "1 1 2 3 [1] Kept.\n"
    noted = (tmp_path / "calls").read_text().split()
    assert {f"run.py::{n}" for n in NAMES if n not in ("never", "A.later")} == set(noted)
    assert noted.count("run.py::short") == 1
    assert run() == "1 1 2 3 [1] Kept.\n"
