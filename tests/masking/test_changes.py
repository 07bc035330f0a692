import pytest

from pytest_autoexp.masking.changes import Addition, Version, compare
from pytest_autoexp.masking.layout import Layout

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
    versions = [
        Version(layout, [f for f in layout.functions if f.name.name in masked])
        for layout in (Layout(PRISTINE), Layout(agent))
    ]
    return compare(*versions)


@pytest.mark.parametrize(
    ("old", "new", "dropped"),
    [
        ("", "", []),
        ("load(path): return", "load( path ):\n    return", ["changed function load (line 10)"]),
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
