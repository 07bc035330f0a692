# ruff: noqa: E501 - a table, one case a line
import os
import subprocess
import sys

import pytest

from pytest_autoexp.checking.fair import ALTERNATIVES_DIR
from pytest_autoexp.checking.mistakes import EQUIVALENT_FILE, MISTAKES_FILE
from pytest_autoexp.checking.suite import CHECKED_FILE

RELATIVE = 'allowed: a relative path with forward slashes and without ".."'
NOT_THERE = "in the task's folder"
GIT_CODE = "code: {git: https://example.org/r.git, rev: " + "a" * 40


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("paper.md", "papers.md", f'4: paper.file: there is no file "papers.md" {NOT_THERE}'),
        ("paper.md", "code", f'4: paper.file: there is no file "code" {NOT_THERE}'),
        ("paper.md", "../paper.md", f'4: paper.file: found "../paper.md"; {RELATIVE}'),
        ("paper.md", "/etc/passwd", f'4: paper.file: found "/etc/passwd"; {RELATIVE}'),
        ("paper.md", "a\\paper.md", f'4: paper.file: found "a\\\\paper.md"; {RELATIVE}'),
        ("paper.md", "x" * 5000, f'4: paper.file: there is no file "{"x" * 57}..." {NOT_THERE}'),
        ("dockerfile: Dockerfile", "dockerfile: Dockerfil", f'6: environment.dockerfile: there is no file "Dockerfil" {NOT_THERE}'),
        ("dockerfile: Dockerfile", "dockerfile: x/../../Dockerfile", f'6: environment.dockerfile: found "x/../../Dockerfile"; {RELATIVE}'),
        ("code: code", "code: cod", f'5: code: there is no folder "cod" {NOT_THERE}'),
        ("code: code", "code: paper.md", f'5: code: there is no folder "paper.md" {NOT_THERE}'),
        ("code: code", "code: ..", f'5: code: found ".."; {RELATIVE}'),
        ("code: code", "code: /usr", f'5: code: found "/usr"; {RELATIVE}'),
        ("code: code", "code: .", '5: code: "." is the task\'s folder, which holds the expected values; allowed: a folder in it'),
        ("code: code", f"{GIT_CODE}, path: ../x}}", f'5: code.path: found "../x"; {RELATIVE}'),
        ("code: code", f"{GIT_CODE}, path: /x}}", f'5: code.path: found "/x"; {RELATIVE}'),
        ("pkg/a.py::mean\n", "./pkg/a.py::mean\n", None),
    ],
)  # fmt: skip
def test_paths(broken, old, new, expected):
    if expected:
        assert broken(old, new) == [expected]
    else:
        assert any("the code has no file" in problem for problem in broken(old, new))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", '4: paper.file: "paper.md" is empty; allowed: the paper\'s text'),
        (b" \n", '4: paper.file: "paper.md" is empty; allowed: the paper\'s text'),
        (
            b"a\nb\xff\n",
            '4: paper.file: "paper.md" is not UTF-8 on its line 2; allowed: UTF-8 text',
        ),
        (b"x" * (16 * 1024**2 + 1), '4: paper.file: "paper.md" is larger than 16 MiB'),
    ],
)
def test_the_paper_is_text(folder, good, problems, content, expected):
    folder.joinpath("paper.md").write_bytes(content)
    assert problems(good) == [expected]


@pytest.mark.parametrize(
    "name",
    ["task.yaml", CHECKED_FILE, MISTAKES_FILE, EQUIVALENT_FILE, f"{ALTERNATIVES_DIR}/a.py", "link"],
)
def test_the_paper_is_no_file_with_answers(folder, broken, name):
    folder.joinpath(name).parent.mkdir(exist_ok=True)
    if name == "link":
        folder.joinpath(name).symlink_to("task.yaml")
    else:
        folder.joinpath(name).write_text("answers")
    problem = f'4: paper.file: "{name}" holds what no agent may see; allowed: the paper\'s text'
    assert broken("paper.md", name) == [problem]


def test_the_paper_lies_beside_the_code(folder, broken):
    folder.joinpath("paper.md").rename(folder / "code" / "paper.md")
    why = "which agents see where the paper is withheld, too"
    problem = f'4: paper.file: "code/paper.md" lies in "code", {why}; allowed: a file beside it'
    assert broken("paper.md", "code/paper.md") == [problem]


def test_no_task_lies_in_the_code(folder, good, problems):
    folder.joinpath("code", "conf").mkdir()
    folder.joinpath("code", "conf", "task.yaml").write_text("name: classify\nschema: 1\n")
    assert problems(good) == []
    folder.joinpath("code", "pkg", "task.yaml").write_text(good)
    holds = '"pkg/task.yaml" in the code is a task, with its expected values'
    assert problems(good) == [f"5: code: {holds}; allowed: code without it"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("paper.md", '4: paper.file: "paper.md" is a link out of the task\'s folder; allowed: a file'),
        ("Dockerfile", '6: environment.dockerfile: "Dockerfile" is a link out of the task\'s folder; allowed: a file'),
        ("code", '5: code: "code" is a link out of the task\'s folder; allowed: a folder'),
    ],
)  # fmt: skip
def test_nothing_may_link_out_of_the_folder(folder, good, problems, name, expected):
    outside = folder.parent / "outside"
    folder.joinpath(name).rename(outside)
    folder.joinpath(name).symlink_to(outside)
    assert problems(good) == [expected]


def test_links_out_of_the_code_are_problems(folder, good, problems):
    folder.joinpath("code", "up").symlink_to("../paper.md")
    folder.joinpath("code", "nowhere").symlink_to("nothing")
    folder.joinpath("code", "again.py").symlink_to("pkg/a.py")
    allowed = "allowed: links to data files of the code"
    assert problems(good) == [
        f'5: code: the link "again.py" is a second name of a Python file; {allowed}',
        f'5: code: the link "nowhere" leads to no file; {allowed}',
        f'5: code: the link "up" leads out of the code; {allowed}',
    ]


def test_code_that_may_not_be_read(folder, good):
    folder.joinpath("task.yaml").write_text(good)
    folder.joinpath("code", "pkg").chmod(0)
    load = (
        "import sys; from pathlib import Path; "
        "from pytest_autoexp.loading.loader import load_task; load_task(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", load]
    if os.geteuid() == 0:  # root may read everything, unless its capabilities are taken away
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    done = subprocess.run(
        [*command, str(folder / "task.yaml")], capture_output=True, text=True, check=False
    )
    folder.joinpath("code", "pkg").chmod(0o755)
    problem = done.stderr.splitlines()[-1]
    assert ":5: code: " in problem
    assert problem.endswith("cannot be read: Permission denied")


def test_a_fifo_as_paper_is_no_file(folder, good, problems):
    folder.joinpath("paper.md").unlink()
    os.mkfifo(folder / "paper.md")
    assert problems(good) == [f'4: paper.file: there is no file "paper.md" {NOT_THERE}']


def test_a_git_task_needs_no_network_to_be_loaded(broken, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "")
    assert broken("code: code", GIT_CODE + "}") == []
