import pytest

from pytest_autoexp.masking.changes import Addition, compare
from pytest_autoexp.masking.layout import Layout
from pytest_autoexp.masking.locate import locate, places
from pytest_autoexp.masking.versions import Version

PRISTINE = '''\
"""Doc."""
from __future__ import annotations

import numpy as np

RATE = 0.1
HOOKS.append(1)


def load(path): return open(path)


@final
class Net(Base):
    depth = 2

    def fit(self, x):
        return x

    class Inner:
        def deep(self): ...


if __name__ == "__main__":
    load("x")
'''


def changes(agent, masked=()):
    layouts = [Layout(PRISTINE), Layout(agent)]
    wanted = places(layouts[0], masked)
    return compare(*(Version(layout, locate(layout, wanted, layouts[0])) for layout in layouts))


@pytest.mark.parametrize(
    ("old", "new", "dropped"),
    [
        ("", "", []),
        ("load(path): return", "load( path ):\n    return", []),  # only its format
        ("RATE = 0.1", "RATE=(0.1)", []),
        ("    depth = 2", "    depth = (  # why\n        2)", []),
        ("class Net(Base):", "class Net( Base, ):", []),
        ("load(path): return", "load(file): return", ["changed function load (line 10)"]),
        ("import numpy as np\n", "import numpy as np  # numbers\n\n\n# more\n", []),
        ("\n", "\r\n", []),
        ("return x", "return 2 * x", ["changed function Net.fit (line 17)"]),
        ("(self): ...", "(self): pass", ["changed function Net.Inner.deep (line 21)"]),
        ("(Base)", "(Base, Mixin)", ["changed header of class Net (line 14)"]),
        ("@final\n", "", ["changed header of class Net (line 13)"]),
        ("    depth = 2\n", "", ["removed statement in class Net (line 15): depth = 2"]),
        (
            "depth = 2",
            "depth = 3",
            [
                "new statement in class Net (line 15): depth = 3",
                "removed statement in class Net (line 15): depth = 2",
            ],
        ),
        (
            "    class Inner",
            "    def more(self): pass\n    class Inner",
            ["new method Net.more (line 20)"],
        ),
        (
            "    class Inner",
            "    class Other: pass\n    class Inner",
            ["new class Net.Other (line 20)"],
        ),
        ("RATE = 0.1", "RATE = 0.2", ["redefines RATE (line 6)"]),
        ("RATE = 0.1\n", "", ["removed statement at module level (line 6): RATE = 0.1"]),
        (
            "import numpy as np\n",
            "",
            ["removed statement at module level (line 4): import numpy as np"],
        ),
        (
            "HOOKS.append(1)",
            "HOOKS.append(2)",
            [
                "statement at module level (line 7): HOOKS.append(2)",
                "removed statement at module level (line 7): HOOKS.append(1)",
            ],
        ),
        (
            'load("x")',
            'load("y")',
            [
                'changed statement at module level (line 24): if __name__ == "__main__": load("y")',
            ],
        ),
        ("def load(path): return open(path)\n", "", ["removed function load (line 10)"]),
    ],
)
def test_what_is_dropped(old, new, dropped):
    assert list(changes(PRISTINE.replace(old, new)).dropped) == dropped


def test_one_line_class_is_compared_as_a_whole():
    agent = PRISTINE[: PRISTINE.index("@final")] + "@final\nclass Net(Base): x = 1\n"
    assert "changed class Net (line 14)" in changes(agent).dropped


def test_masked_bodies_do_not_matter_but_their_headers_do():
    agent = PRISTINE.replace("return x", "return 0").replace("open(path)", "None")
    assert changes(agent, ["load", "Net.fit"]).dropped == ()
    agent = agent.replace("(self, x)", "(self, y)").replace("load(path)", "load(way)")
    assert changes(agent, ["load", "Net.fit"]).dropped == (
        "changed signature of load (line 10)",
        "changed signature of Net.fit (line 17)",
    )


def test_additions_follow_the_statement_before_them():
    agent = PRISTINE.replace('"""Doc."""', 'A = 1\n"""Doc."""\nB = 1')
    agent = agent.replace("RATE = 0.1", "RATE = 0.2\nC = 1")  # after numpy: RATE was changed
    agent = agent.replace("return open(path)", "return None\nD = 1\nimport csv")
    found = changes(agent + "E = 1\n")
    assert found.additions == (
        Addition(1, "A = 1"),
        Addition(1, "B = 1"),
        Addition(2, "C = 1"),
        Addition(5, "D = 1"),
        Addition(5, "import csv"),
        Addition(7, "E = 1"),
    )


def test_formatting_is_no_change():
    agent = PRISTINE.replace("    ", "\t").replace('"', "'''").replace("(x)", "( x )")
    assert changes(agent) == changes(PRISTINE)
    assert changes(agent, ["load"]).dropped == ()


def test_functions_that_are_written_several_times():
    agent = PRISTINE.replace("def load", "def load(): ...\n@cache\ndef load(x): ...\ndef load")
    agent = agent.replace("    def fit", "    def fit(self): ...\n    def fit")
    found = changes(agent, ["load", "Net.fit"])
    assert found.additions == ()
    assert found.dropped == (
        "earlier definition of load (line 10, 12)",
        "earlier definition of Net.fit (line 20)",
    )
    many = changes("def load(): ...\n" * 9 + PRISTINE, ["load"]).dropped
    assert many == ("earlier definition of load (line 1, 2, 3, 4, 5, ...)",)


def test_additions_never_move_up():
    agent = PRISTINE.replace("def load(path): return open(path)\n", "")
    agent += "def load(path): 1\nLATE = Net()\n"
    assert changes(agent, ["load"]).additions == (Addition(7, "LATE = Net()"),)


def test_the_future_import_stands_at_the_top():
    agent = "import a\nfrom __future__ import annotations\n" + PRISTINE.replace(
        "from __future__ import annotations", "import b"
    )
    layouts = [Layout(PRISTINE.replace("from __future__ import annotations\n", "")), Layout(agent)]
    found = compare(*(Version(layout, locate(layout, (), layouts[0])) for layout in layouts))
    assert found.additions == (
        Addition(0, "from __future__ import annotations"),
        Addition(0, "import a"),
        Addition(0, "import b"),
    )
