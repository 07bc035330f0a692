from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from pytest_autoexp.checking.copies import find_copies
from pytest_autoexp.checking.readable import Leak, readable
from pytest_autoexp.loading.loader import load_task

BODY = """\
    counts = [0] * bins
    low, high = min(values), max(values)
    width = (high - low) / bins
    for value in values:
        place = int((value - low) / width)
        counts[min(place, bins - 1)] += 1
    total = sum(counts)
    return [count / total for count in counts]
"""
GOLD = f"def histogram(values: list[float], bins: int) -> list[float]:\n{BODY}"
RENAMED = 'def shares(data, n):\n    """Shares."""\n' + BODY.replace("values", "data").replace(
    "bins", "n"
).replace("width", "step")
TARGET = "toystats/histogram.py::histogram"


@pytest.fixture
def code(toy: Path) -> Path:
    """The code of a toy task that has a function of real length more."""
    entry = f"functions:\n  - target: {TARGET}\n    description: Shares by bin.\n"
    text = (toy / "task.yaml").read_text().replace("functions:\n", entry, 1)
    text = text.replace("depends: [", f'depends: ["{TARGET}", ')
    (toy / "task.yaml").write_text(text)
    (toy / "code/toystats/histogram.py").write_text(GOLD)
    return toy / "code"


def copies(code: Path) -> list[Leak]:
    task = load_task(code.parent / "task.yaml")
    return list(find_copies(task, readable(task)))


def test_the_function_itself_is_no_copy_and_neither_are_short_ones(code: Path) -> None:
    (code / "twice.py").write_text((code / "toystats/moments.py").read_text())

    assert copies(code) == []


@pytest.mark.parametrize(
    ("file", "content", "line", "name"),
    [
        ("tests/test_it.py", f"import os\n\n\n{RENAMED}", 4, "shares"),
        ("a.py", f"class A:\n{textwrap.indent(RENAMED, '    ')}", 2, "A.shares"),
        ("a.py", "bins, values = 3, [1, 2]\n" + textwrap.dedent(BODY), 1, "code outside"),
        ("a.py", "OLD = '''\n" + GOLD + "'''\n", 2, "string: histogram"),
        ("a.py", "x = 1\n" + textwrap.indent(GOLD, "# "), 2, "comment: histogram"),
        ("notes.md", f"# Notes\n\n```python\n{GOLD}```\n", 4, "block: histogram"),
        (
            "long.py",
            f"{GOLD.replace('return', 'x =')}    print(x)\n    return x * 2 + 1\n",
            1,
            "hi",
        ),
    ],
)
def test_copies_are_found(code: Path, file: str, content: str, line: int, name: str) -> None:
    (code / file).parent.mkdir(exist_ok=True)
    (code / file).write_text(content)

    (leak,) = copies(code)

    assert (leak.file, leak.line, leak.gives_away) == (f"code/{file}", line, TARGET)
    assert leak.found.startswith(name)
    assert leak.share is not None
    assert leak.share >= 0.85


def test_a_copy_in_a_notebook(code: Path) -> None:
    cell = {"cell_type": "code", "source": GOLD.splitlines(keepends=True)}
    (code / "a.ipynb").write_text(json.dumps({"cells": [{"cell_type": "markdown"}, cell]}))

    assert [leak.found for leak in copies(code)] == ["cell 2: histogram"]


def test_a_copy_further_down_in_its_own_file_has_its_line_there(code: Path) -> None:
    (code / "toystats/histogram.py").write_text(f"{GOLD}\n\n{RENAMED}")

    (leak,) = copies(code)

    assert (leak.file, leak.line, leak.found) == ("code/toystats/histogram.py", 12, "shares")
    assert leak.share == 1


def test_other_methods_are_no_copies(code: Path) -> None:
    other = """
        def quantiles(values, shares):
            ordered = sorted(values)
            last = len(ordered) - 1
            found = []
            for share in shares:
                place = share * last
                below = int(place)
                above = min(below + 1, last)
                found.append(ordered[below] + (place - below) * (ordered[above] - ordered[below]))
            return found
    """
    (code / "other.py").write_text(textwrap.dedent(other))

    assert copies(code) == []
