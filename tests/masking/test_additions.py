import pytest

from pytest_autoexp.masking.additions import judge, snippet
from pytest_autoexp.masking.layout import Layout
from pytest_autoexp.masking.pristine import Pristine

PRISTINE = """\
import os
import numpy as np
import scipy.stats
from math import sqrt, pi as PI
from .tables import *

LIMIT: int = (cap := 3)
first, (second, *rest) = 1, (2, [3])
if LIMIT:
    flag = [found for found in rest if (last := found)]
for index in rest:
    with open("x") as handle:
        pass


@decorate
def f(arg: Note = default, *, other=1):
    global counter
    local = np.mean(arg)
    counter = borrowed(local, key=other)
    return [item.attribute for item in local]


class Model(Base):
    width = 3

    def run(self):
        return self.width
"""


def judged(code):
    layout = Layout(code)
    pristine = Pristine(Layout(PRISTINE))
    results = [judge(statement, layout, pristine) for statement in layout.statements]
    return [c for r in results for c in r.code], [d for r in results for d in r.dropped]


@pytest.mark.parametrize(
    "code",
    [
        "import itertools",
        "import numpy",
        "import os.path",  # the pristine `import os` binds the same
        "import scipy.special",
        "from math import exp",
        "from math import log as ln",
        "from . import tools",
        "from ..base.deep import tool",
        "EPS = 1e-9",
        "A = B = [\n  1,\n]",
        "A, B = 1, 2",
        "EPS: float = 1e-9",
        "local = 1",  # only a local name there
        "arg = mean = key = attribute = width = run = item = 1",
        "def helper(x):\n    np = x\n    return sum(np)",
        "@cache\ndef helper(LIMIT):\n    return LIMIT",
        "async def helper(): pass",
        "class Helper(Base):\n    f = 1\n    def run(self): pass",
        "def helper():\n    global _count\n    _count = 1",
        "def helper(x):\n    while (np := x.pop()): print(sum := np)",
        "PICK = lambda x: (np := x)",
        "type Pair = tuple[int, int]",
        "type Row[T] = list[T]",
        "from __future__ import annotations",
        "if TYPE_CHECKING:\n    from a import b, c as d\n    import e; import g",
        "if typing.TYPE_CHECKING: from a import b",
        "try:\n    import a.b\nexcept ImportError:\n    a = None",
        "try: from a import b\nexcept (ImportError, ModuleNotFoundError) as e: b = c = 1; HAVE = 0",
        "try:\n    import a\n    HAVE = True\nexcept ModuleNotFoundError:\n    pass",
    ],
)
def test_what_counts(code):
    assert judged(code + "\n") == ([code], [])


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import numpy as os", "os"),
        ("import os as np", "np"),
        ("import fake.sqrt as sqrt", "sqrt"),
        ("from fake import sqrt", "sqrt"),
        ("from math import cos as sqrt", "sqrt"),
        ("import fake.np, np.fake", "np"),
        ("LIMIT = 5", "LIMIT"),
        ("A = cap = 1", "cap"),
        ("second: int = 1", "second"),
        ("A, rest = 1, 2", "rest"),
        ("flag = last = index = handle = 1", "flag, handle, index, last"),
        ("def f(): pass", "f"),
        ("class Model: pass", "Model"),
        ("counter = 1", "counter"),
        ("decorate = Note = borrowed = 1", "Note, borrowed, decorate"),
        ("default = Base = 1", "Base, default"),
        ("open = 1", "open"),
        ("def sum(x): return 0", "sum"),
        ("__all__ = []", "__all__"),
        ("def __getattr__(name): return 0", "__getattr__"),
        ("X = (np := 1)", "np"),
        ("if TYPE_CHECKING:\n import new\n import other as np", "np"),
        ("try: import new\nexcept ImportError: LIMIT = 0", "LIMIT"),
        ("try: import new\nexcept ImportError as cap: pass", "cap"),
        ("try: X = (np := 1)\nexcept ImportError: X = 0", "np"),
        ("X = [(np := x) for x in y]", "np"),
        ("def g(x=(np := 1)): pass", "np"),
        ("def g() -> (np := 1): pass", "np"),
        ("class G((np := d)): pass", "np"),
        ("G = lambda x=(np := 1): x", "np"),
        ("type f = int", "f"),
        ("type Note[T] = list[T]", "Note"),
        ("@(np := d)\nclass G: pass", "np"),
        ("def g():\n    global np\n    np = 1", "np"),
        ("def g():\n    def h():\n        global Z, sum\n", "sum"),
        ("class G:\n    global np\n    np = 1", "np"),
        ("\N{FULLWIDTH LATIN SMALL LETTER N}p = 1", "np"),  # the same identifier to Python
        ("def \N{FULLWIDTH LATIN SMALL LETTER F}(): pass", "f"),
    ],
)
def test_what_redefines_a_name_is_dropped(code, names):
    kept, dropped = judged(code + "\n")
    assert dropped == [f"redefines {names} (line 1)"] or dropped == [f"redefines {names} (line 2)"]
    assert kept in ([], ["import fake.np"])


@pytest.mark.parametrize(
    "code",
    [
        "from math import *",
        "from __future__ import division",
        "print('hi')",
        "np.mean = 3",
        "X[0] = 1",
        "A, B[0] = 1, 2",
        "EPS: float",
        "EPS += 1",
        "del np",
        "assert True",
        "global np",
        "if True: EPS = 1",
        "if TYPE_CHECKING: EPS = 1",
        "if TYPE_CHECKING: from math import *",
        "if not TYPE_CHECKING: import a",
        "if f().TYPE_CHECKING: import a",
        "if TYPE_CHECKING:\n    import a\nelse:\n    a = 1",
        "try:\n    import a\nexcept ValueError:\n    a = None",
        "try:\n    import a\nexcept (ImportError, f()):\n    a = None",
        "try:\n    import a\nexcept ImportError:\n    print('hi')",
        "try:\n    import a\nexcept ImportError:\n    a = None\nelse:\n    b = 1",
        "try:\n    import a\nfinally:\n    b = 1",
        "try: from math import *\nexcept ImportError: pass",
        "if TYPE_CHECKING: from __future__ import annotations",
        "for EPS in range(3): pass",
        "with a: pass",
        "while False: pass",
    ],
)
def test_other_statements_are_dropped(code):
    shown = " ".join(code.split())
    assert judged("\n" + code + "\n") == ([], [f"statement at module level (line 2): {shown}"])


def test_imports_are_judged_name_by_name():
    assert judged(
        "from math import sqrt, exp, ceil as np, pi as PI\nimport os, re, csv as c\n"
    ) == (
        ["from math import exp", "import re", "import csv as c"],
        ["redefines np (line 1)"],
    )


def test_other_future_imports_are_dropped():
    assert judged("from __future__ import annotations, division\n") == (
        ["from __future__ import annotations"],
        ["statement at module level (line 1): from __future__ import annotations, division"],
    )


def test_statements_of_a_line_are_judged_one_by_one():
    assert judged("EPS = 1; print(EPS); np = 2; import re\n") == (
        ["EPS = 1", "import re"],
        ["statement at module level (line 1): print(EPS)", "redefines np (line 1)"],
    )


def test_snippets_are_short_and_printable():
    assert snippet("x = '\x1b[31m\x07'\n\n  + y") == "x = '\\u001b[31m\\u0007' + y"
    assert snippet("x" * 100) == "x" * 57 + "..."
