"""What of an agent's work counts, and what is dropped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_autoexp import solution as solution_module
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.task import Task
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import running_python
from pytest_autoexp.solution import (
    MAX_DIFF_FILE_BYTES,
    MAX_DIFF_FILE_LINES,
    MAX_NEW_MODULES,
    MAX_OTHER_BYTES,
    MAX_OTHER_FILES,
    Solution,
    missing,
    of_no_use,
    read_solution,
    without_shadowing,
)
from pytest_autoexp.workspace import write_masked_code

MEAN = "toystats/moments.py::mean"
MOMENTS = "toystats/moments.py"


class Bench:
    """A masked toy, the copy of it that an agent changed, and the solution read from it."""

    def __init__(self, task: Task, folder: Path) -> None:
        self.task = task
        self.pristine = folder / "pristine"
        self.left = folder / "left"
        self.code = self.left / "code"
        write_masked_code(task, (MEAN,), self.pristine)
        shutil.copytree(self.pristine, self.code)

    def write(self, path: str, text: str) -> None:
        file = self.code / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def fill_in(self, body: str) -> None:
        text = (self.code / MOMENTS).read_text()
        self.write(MOMENTS, text.replace("raise NotImplementedError", body))

    def solution(self) -> Solution:
        return read_solution(self.task, (MEAN,), self.pristine, self.left)


@pytest.fixture
def bench(toy: Path, tmp_path: Path) -> Bench:
    return Bench(load_task(toy / "task.yaml"), tmp_path)


@pytest.fixture
def sandbox() -> Iterator[NoneSandbox]:
    with NoneSandbox(running_python()) as made:
        yield made


def test_untouched_code_gives_the_masked_code(bench: Bench) -> None:
    solution = bench.solution()
    assert solution.files == {MOMENTS: (bench.pristine / MOMENTS).read_bytes()}
    assert (solution.dropped, solution.diff) == ((), "")


def test_a_body_counts(bench: Bench) -> None:
    bench.fill_in("return sum(values) / len(values)")
    solution = bench.solution()
    assert solution.files[MOMENTS] == (bench.code / MOMENTS).read_bytes()
    assert solution.dropped == ()
    assert "+    return sum(values) / len(values)\n" in solution.diff


def test_a_new_module_and_package_count(bench: Bench, sandbox: NoneSandbox) -> None:
    bench.write("toystats/exact.py", "from math import fsum\n")
    bench.write("helpers_of_mine/__init__.py", "")
    bench.write("helpers_of_mine/more.py", "X = 1\n")
    solution = without_shadowing(bench.solution(), bench.pristine, sandbox)
    assert sorted(set(solution.files) - {MOMENTS}) == [
        "helpers_of_mine/__init__.py",
        "helpers_of_mine/more.py",
        "toystats/exact.py",
    ]
    assert solution.dropped == ()


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("data.json", "new file that is no Python module"),
        ("sitecustomize.py", "a name with a meaning of its own"),
        ("usercustomize.py", "a name with a meaning of its own"),
        ("conftest.py", "a name with a meaning of its own"),
        ("toystats/__main__.py", "a name with a meaning of its own"),
        ("x.pth", "new file that is no Python module"),
        ("not-a-name.py", "no importable module name"),
        ("1x/__init__.py", "no importable module name"),
        ("..py", "no importable module name"),
        ("...py", "no importable module name"),
        (".py/..py", "no importable module name"),
        ("toystats/..py", "no importable module name"),
        ("toystats.py", "shadows toystats of the code base"),
        ("moments.py", "shadows moments of the code base"),
        ("main/__init__.py", "shadows main of the code base"),
        ("toystats/smooth/__init__.py", "shadows smooth of the code base"),
    ],
)
def test_a_new_file_that_is_no_new_module_is_dropped(bench: Bench, path: str, why: str) -> None:
    bench.write(path, "")
    [line] = bench.solution().dropped
    assert line.startswith(f"{path}: {why}")
    assert path not in bench.solution().files


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("json.py", "json"),
        ("random/__init__.py", "random"),
        ("toystats/statistics.py", "statistics"),
        ("pip.py", "pip"),
        ("sys.py", "sys"),
        ("pytest_autoexp.py", "pytest_autoexp"),
    ],
)
def test_a_new_module_that_hides_an_installed_one_is_dropped(
    bench: Bench, sandbox: NoneSandbox, path: str, name: str
) -> None:
    bench.write(path, "")
    solution = without_shadowing(bench.solution(), bench.pristine, sandbox)
    assert solution.dropped == (f"{path}: shadows the module {name}",)
    assert path not in solution.files


def test_a_module_where_a_file_was_is_dropped(toy: Path, tmp_path: Path) -> None:
    (toy / "code" / "LICENSE").write_text("free")
    bench = Bench(load_task(toy / "task.yaml"), tmp_path)
    (bench.code / "LICENSE").unlink()
    bench.write("LICENSE/x.py", "x = 1\n")
    solution = bench.solution()
    assert "LICENSE/x.py: lies where the file LICENSE is" in solution.dropped
    assert "LICENSE/x.py" not in solution.files


def test_a_name_that_the_package_binds_is_not_shadowed(toy: Path, tmp_path: Path) -> None:
    (toy / "code" / "toystats" / "__init__.py").write_text("from math import pi as level\n")
    bench = Bench(load_task(toy / "task.yaml"), tmp_path)
    bench.write("toystats/level.py", "")
    assert bench.solution().dropped == ("toystats/level.py: shadows the name level of its package",)


@pytest.fixture
def overlaid(toy: Path, tmp_path: Path) -> Bench:
    """A task whose hidden experiment brings ``moments_ref.py`` and ``toystats/exact_ref.py``."""
    task = load_task(toy / "task.yaml")
    overlay = toy / "hidden"
    (overlay / "toystats").mkdir(parents=True)
    (overlay / "moments_ref.py").write_text("")
    (overlay / "toystats" / "exact_ref.py").write_text("")
    changed = [replace(e, overlay=overlay) if e.hidden else e for e in task.experiments]
    return Bench(replace(task, experiments=tuple(changed)), tmp_path)


@pytest.mark.parametrize(
    ("body", "module"),
    [
        ("from moments_ref import mean; return mean(values)", "moments_ref"),
        ('return __import__("moments_ref").mean(values)', "moments_ref"),
        ("from . import exact_ref; return exact_ref.mean(values)", "toystats.exact_ref"),
        ("import toystats; return toystats.exact_ref.mean(values)", "toystats.exact_ref"),
        ('return open("toystats/exact_ref.py").read()', "toystats.exact_ref"),
    ],
)
def test_a_body_that_names_an_overlay_is_dropped(overlaid: Bench, body: str, module: str) -> None:
    overlaid.fill_in(body)
    overlaid.write("helper.py", f"import {module}\n")
    solution = overlaid.solution()
    assert solution.files == {MOMENTS: (overlaid.pristine / MOMENTS).read_bytes()}
    named = f"names {module} of a hidden experiment's overlay"
    assert solution.dropped == (
        f"{MOMENTS}: all functions stay masked: {named}",
        f"helper.py: {named}",
    )


def test_a_body_beside_an_overlay_counts(overlaid: Bench) -> None:
    overlaid.fill_in("exact_ref = sum(values)\n    return exact_ref / len(values)  # moments_ref")
    assert overlaid.solution().dropped == ()


def test_changed_and_deleted_files_are_dropped(bench: Bench) -> None:
    bench.write("main.py", "print('{}')")
    (bench.code / "toystats" / "smooth.py").unlink()
    solution = bench.solution()
    assert solution.dropped == ("main.py: changed", "toystats/smooth.py: deleted")
    assert list(solution.files) == [MOMENTS]


def test_of_a_tree_that_did_not_come_out_whole_a_file_that_lacks_may_not_be_deleted(
    bench: Bench,
) -> None:
    (bench.code / "main.py").unlink()
    solution = read_solution(bench.task, (MEAN,), bench.pristine, bench.left, whole=False)
    assert solution.dropped == ("main.py: deleted, or did not come out",)


@pytest.mark.parametrize(
    ("size_bytes", "taken", "why"),
    [
        (0, MAX_OTHER_FILES, "more than 1000 files that are no Python modules"),
        (
            MAX_DIFF_FILE_BYTES,
            MAX_OTHER_BYTES // MAX_DIFF_FILE_BYTES,
            "more than 16777216 bytes in files that are no Python modules",
        ),
    ],
    ids=["many", "large"],
)
def test_files_that_are_only_shown_take_no_place_of_those_that_count(
    bench: Bench, size_bytes: int, taken: int, why: str
) -> None:
    leave = of_no_use(bench.task, "./log.txt")
    lines = [leave(f"code/a_out/{i}", size_bytes) for i in range(MAX_OTHER_FILES + 1)]
    assert lines == [""] * taken + [why] * (MAX_OTHER_FILES + 1 - taken)
    for path in ("code/main.py", "code/helper.py", "report.json", "log.txt"):
        assert leave(path, MAX_DIFF_FILE_BYTES) == ""


def test_the_masked_file_and_the_report_are_missed(bench: Bench) -> None:
    (bench.code / "main.py").unlink()
    assert missing(bench.task, (MEAN,), bench.left) == ["report.json"]
    (bench.code / MOMENTS).unlink()
    assert missing(bench.task, (MEAN,), bench.left) == [f"code/{MOMENTS}", "report.json"]


def test_a_file_of_many_lines_is_not_compared_line_by_line(toy: Path, tmp_path: Path) -> None:
    (toy / "code" / "long.txt").write_text("1\n" * (MAX_DIFF_FILE_LINES + 1))
    bench = Bench(load_task(toy / "task.yaml"), tmp_path)
    bench.write("long.txt", "2\n")
    assert bench.solution().diff == "Binary or large file long.txt differs\n"


def test_more_modules_than_anyone_needs_are_dropped(bench: Bench) -> None:
    for i in range(MAX_NEW_MODULES + 1):
        bench.write(f"extra_{i:04}.py", "")
    solution = bench.solution()
    assert len(solution.files) == MAX_NEW_MODULES + 1
    assert solution.dropped == (f"extra_{MAX_NEW_MODULES:04}.py: more than 100 new modules",)


def test_modules_that_are_dropped_for_what_they_name_are_not_parsed_without_end(
    overlaid: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solution_module, "MAX_NEW_MODULES", 2)
    for name in "abc":
        overlaid.write(f"extra_{name}.py", "import moments_ref\n")
    named = "names moments_ref of a hidden experiment's overlay"
    assert overlaid.solution().dropped == (
        f"extra_a.py: {named}",
        f"extra_b.py: {named}",
        "extra_c.py: more than 2 new modules",
    )


@pytest.mark.parametrize("gone", ["code", "code/toystats", "code/toystats/moments.py"])
def test_what_was_deleted_stays_masked(bench: Bench, gone: str) -> None:
    path = bench.left / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    solution = bench.solution()
    assert solution.files[MOMENTS] == (bench.pristine / MOMENTS).read_bytes()
    assert any("moments.py" in line for line in solution.dropped)


def test_a_code_folder_that_became_a_file_stays_masked(bench: Bench) -> None:
    shutil.rmtree(bench.code)
    bench.code.write_text("no folder")
    assert bench.solution().files[MOMENTS] == (bench.pristine / MOMENTS).read_bytes()


@pytest.mark.parametrize("content", [b"", b"def (", b"\xff\xfe\x00", b"\0", b"x(\n"])
def test_a_file_that_is_no_python_stays_masked(bench: Bench, content: bytes) -> None:
    (bench.code / MOMENTS).write_bytes(content)
    solution = bench.solution()
    assert solution.files[MOMENTS] == (bench.pristine / MOMENTS).read_bytes()
    assert any("mean" in line for line in solution.dropped)


def test_a_function_that_was_removed_stays_masked(bench: Bench) -> None:
    bench.write(MOMENTS, '"""Moments of a sample."""\n')
    solution = bench.solution()
    assert solution.files[MOMENTS] == (bench.pristine / MOMENTS).read_bytes()
    assert any("mean" in line for line in solution.dropped)
