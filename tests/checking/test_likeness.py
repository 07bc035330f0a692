from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_autoexp.checking import likeness

GOLD = '''\
def shrunk(values, weights, strength):
    """What it does."""
    total = weights.sum(axis=0, keepdims=True)
    centre = (weights * values).sum(axis=0) / total
    gaps = values.reshape(-1, 1) - centre.mean()
    spread = gaps.std(ddof=1) * strength
    result = gaps.clip(-spread, spread)
    return result.ravel() + centre.mean() * strength
'''


def body(source: str) -> list[ast.stmt]:
    tree = likeness.parse(source)
    assert tree is not None
    _, function = next(likeness.functions(tree))
    return function.body


def normalised(source: str) -> list[str]:
    return likeness.normalised(likeness.tokens(body(source)))


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ("def g(b):\n    'Doc.'\n    t = b + 1\n    return t * b\n", True),
        ("def g(b: int) -> int:\n    t: int = b + 1\n    return t * b\n", False),
        ("def f(a):\n    x = a + 1 # note\n\n    return (x *\n        a)\n", True),
        ("def f(a):\n    x = a + 1\n    return x * x\n", False),
        ("def f(a):\n    x = a + 2\n    return x * a\n", False),
        ("def f(a):\n    x = a - 1\n    return x * a\n", False),
    ],
)
def test_names_comments_and_layout_make_no_difference(other: str, is_same: bool) -> None:
    one = "def f(a):\n    x = a + 1\n    return x * a\n"

    assert (normalised(one) == normalised(other)) is is_same


def search(tmp_path: Path, files: dict[str, str], wanted: dict[str, str]) -> list[dict[str, Any]]:
    """Run the module as a script by itself, with a folder of packages."""
    for path, content in files.items():
        file = tmp_path / "site-packages" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    (tmp_path / "functions.json").write_text(json.dumps(wanted))
    done = subprocess.run(
        [sys.executable, "-S", likeness.__file__, str(tmp_path / "functions.json")],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site-packages")},
        capture_output=True,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


RENAMED = GOLD.replace("shrunk", "pull").replace("gaps", "rest").replace("strength", "lam")
METHOD = "class A:\n" + "".join(f"    {line}\n" for line in RENAMED.splitlines())
LONGER = RENAMED.replace("    return", "    print(rest)\n    log(total)\n    return")


@pytest.mark.parametrize(
    ("content", "function", "line"),
    [(RENAMED, "pull", 1), (f"x = 1\n{METHOD}", "A.pull", 3), (LONGER, "pull", 1)],
)
def test_a_body_inside_a_package_is_found(
    tmp_path: Path, content: str, function: str, line: int
) -> None:
    files = {"pack/inner/a.py": content, "pack/broken.py": "def (", "pack/b.py": "x = 1\n"}

    (found,) = search(tmp_path, files, {"m.py::shrunk": GOLD})

    assert found.pop("share") > 0.8
    assert found == {
        "target": "m.py::shrunk",
        "file": "pack/inner/a.py",
        "line": line,
        "function": function,
    }


def test_the_same_words_in_another_order_are_no_copy(tmp_path: Path) -> None:
    other = """\
def shrunk(values, weights):
    first = values.ravel().clip(0, 1).mean()
    second = weights.reshape(3, 4).sum(axis=1, keepdims=False).std(ddof=0)
    return first - second
"""

    assert search(tmp_path, {"a.py": other}, {"m.py::shrunk": GOLD}) == []


def test_a_function_without_names_of_attributes_is_found_by_its_own_name(tmp_path: Path) -> None:
    plain = "def odd(a, b):\n    t = a\n" + "".join(
        f"    t = t * {k} + (b - {k}) % (a + t)\n" for k in range(9)
    )

    assert len(search(tmp_path, {"a.py": plain}, {"m.py::odd": plain})) == 1
    assert search(tmp_path, {"a.py": plain.replace("odd", "even")}, {"m.py::odd": plain}) == []
