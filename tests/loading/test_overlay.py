# ruff: noqa: E501 - tables, one case a line
"""Overlays and conda files: what a task.yaml may say of them, and the digest that covers them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_autoexp.loading.code import code_folder, laid_over
from pytest_autoexp.loading.loader import load_task, task_digest
from pytest_autoexp.model.errors import TaskError

HIDDEN = "    hidden: true\n"
IN_THE_FOLDER = "in the task's folder"
CONDA = "allowed: a YAML mapping with dependencies, as conda exports it"


@pytest.fixture
def overlaid(folder: Path, good: str) -> str:
    """The text of a good task.yaml with an overlay, whose files lie in its folder."""
    folder.joinpath("tests", "pkg").mkdir(parents=True)
    folder.joinpath("tests", "run_tests.py").write_text("import pkg.a\n")
    folder.joinpath("tests", "pkg", "answers.json").write_text("{}\n")
    return good.replace(HIDDEN, f"{HIDDEN}    overlay: tests\n")


def test_an_overlay_is_read(folder: Path, overlaid: str) -> None:
    folder.joinpath("task.yaml").write_text(overlaid)
    task = load_task(folder / "task.yaml")
    assert [experiment.overlay for experiment in task.experiments] == [None, folder / "tests"]
    assert task.overlays == (folder / "tests",)


def test_all_experiments_may_be_hidden_where_one_has_an_overlay(
    overlaid: str, problems: Callable[[str], list[str]]
) -> None:
    assert problems(overlaid.replace("    timeout_sec: 5\n", HIDDEN)) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("overlay: tests", "overlay: test", f'22: experiments[1].overlay: there is no folder "test" {IN_THE_FOLDER}'),
        ("overlay: tests", "overlay: ../tests", '22: experiments[1].overlay: found "../tests"; allowed: a relative path with forward slashes and without ".."'),
        ("overlay: tests", "overlay: .", '22: experiments[1].overlay: "." is the task\'s folder, which holds the expected values; allowed: a folder in it'),
        ("overlay: tests", "overlay: code/pkg", '22: experiments[1].overlay: "code/pkg" and the code lie in one another; allowed: a folder beside the code'),
        (f"{HIDDEN}    overlay", "    description: seen\n    overlay", '22: experiments[1].overlay: stands in an experiment that the agent sees; allowed: with hidden: true'),
    ],
)  # fmt: skip
def test_overlays_that_are_none(
    overlaid: str, problems: Callable[[str], list[str]], old: str, new: str, expected: str
) -> None:
    assert overlaid.count(old) == 1
    assert problems(overlaid.replace(old, new)) == [expected]


def test_the_paper_is_no_file_of_an_overlay(
    overlaid: str, problems: Callable[[str], list[str]]
) -> None:
    assert problems(overlaid.replace("paper.md", "tests/run_tests.py")) == [
        '4: paper.file: "tests/run_tests.py" lies in "tests", which no agent may see; allowed: a file beside it'
    ]


@pytest.mark.parametrize(
    ("path", "taken"), [("pkg/a.py", "pkg/a.py"), ("pkg/a.py/b.py", "pkg/a.py"), ("pkg", "pkg")]
)
def test_no_file_of_an_overlay_may_be_in_the_code(
    folder: Path, overlaid: str, problems: Callable[[str], list[str]], path: str, taken: str
) -> None:
    for file in ("pkg/answers.json", "run_tests.py"):
        folder.joinpath("tests", file).unlink()
    folder.joinpath("tests", "pkg").rmdir()
    file = folder / "tests" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("")
    allowed = "allowed: files that the code does not have"
    assert problems(overlaid) == [
        f'22: experiments[1].overlay: "tests/{path}" would lie over "{taken}" of the code; {allowed}'
    ]


def test_what_must_not_be_in_the_code_is_not_in_that_of_a_git_task(
    folder: Path, overlaid: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder.joinpath("code", "run_tests.py").write_text("")
    folder.joinpath("code", "task.yaml").write_text(overlaid)
    git = ["git", "-C", str(folder / "code"), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], check=True)
    rev = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    source = f"code: {{git: 'file://{folder}/code', rev: {rev}}}"
    folder.joinpath("task.yaml").write_text(overlaid.replace("code: code", source))
    task = load_task(folder / "task.yaml")
    with pytest.raises(TaskError) as caught:
        code_folder(task)
    in_code, laid_over_it = map(str, caught.value.problems)
    assert ':5: code: "task.yaml" in the code is a task, with its expected values;' in in_code
    assert '"tests/run_tests.py" would lie over "run_tests.py"' in laid_over_it


def test_an_overlay_lies_over_the_code_for_a_while(folder: Path, overlaid: str) -> None:
    code = folder / "code"
    before = sorted(code.rglob("*"))
    with laid_over(folder / "tests", code):
        new = {str(path.relative_to(code)) for path in code.rglob("*")}
        assert new - {str(path.relative_to(code)) for path in before} == {
            "run_tests.py",
            "pkg/answers.json",
        }
    assert sorted(code.rglob("*")) == before


def test_the_digest_covers_overlay_and_conda_file(folder: Path, overlaid: str) -> None:
    folder.joinpath("environment.yml").write_text("dependencies: [python=3.10]\n")
    text = overlaid.replace(
        "requirements: [numpy], dockerfile: Dockerfile", "conda: environment.yml"
    )
    folder.joinpath("task.yaml").write_text(text)
    task = load_task(folder / "task.yaml")
    assert task.environment.conda == str(folder / "environment.yml")
    digests = {task_digest(task)}
    for path in ("environment.yml", "tests/run_tests.py", "tests/new.py"):
        folder.joinpath(path).write_text("dependencies: [python=3.11]\n")
        digests.add(task_digest(task))
    folder.joinpath("tests", "new.py").rename(folder / "tests" / "newer.py")
    digests.add(task_digest(task))
    assert len(digests) == 5


@pytest.mark.parametrize(
    ("environment", "content", "expected"),
    [
        ("conda: env.yml", None, [f'environment.conda: there is no file "env.yml" {IN_THE_FOLDER}']),
        ("conda: env.yml", "a: b", [f'environment.conda: "env.yml" has no list of dependencies; {CONDA}']),
        ("requirements: [numpy], conda: env.yml", "dependencies: [python]", ["environment.requirements: stands beside environment.conda; allowed: one of them"]),
        ("dockerfile: Dockerfile, conda: env.yml", "dependencies: [python]", ["environment.dockerfile: stands beside environment.conda; allowed: one of them"]),
        ("conda: env.yml", "dependencies: [python]", []),
    ],
)  # fmt: skip
def test_conda_files(
    folder: Path,
    broken: Callable[[str, str], list[str]],
    environment: str,
    content: str | None,
    expected: list[str],
) -> None:
    if content is not None:
        folder.joinpath("env.yml").write_text(content)
    found = broken("requirements: [numpy], dockerfile: Dockerfile", environment)
    assert found == [f"6: {problem}" for problem in expected]
