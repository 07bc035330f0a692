import os
import shutil

import pytest

from pytest_autoexp.loading.code import (
    check_targets,
    code_files,
    code_folder,
    copy_code,
    find_link_problems,
    find_task_files,
)
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.errors import TaskError


@pytest.fixture
def tree(tmp_path):
    tree = tmp_path / "code"
    for path in [
        "b.py",
        "a/x.py",
        "a/.hidden/data.csv",
        "a-b.txt",
        ".gitignore",
        "a/__pycache__/x.cpython-312.pyc",
        "old.pyc",
        "old.pyo",
        ".git/HEAD",
        "sub/.git",
        ".pytest_cache/v/x",
        ".ipynb_checkpoints/n.py",
        "demo.egg-info/PKG-INFO",
        ".hypothesis/x",
        "b.py.orig",
        "b.py~",
        "a/x.py.bak",
        "a/x.py.rej",
        "a/.x.py.swp",
    ]:
        tree.joinpath(path).parent.mkdir(parents=True, exist_ok=True)
        tree.joinpath(path).write_text(path)
    return tree


KEPT = [".gitignore", "a-b.txt", "a/.hidden/data.csv", "a/x.py", "b.py"]


def test_code_files_leaves_caches_version_control_and_second_copies_out(tree):
    assert code_files(tree) == KEPT


def test_code_files_of_an_empty_folder(tmp_path):
    assert code_files(tmp_path) == []


@pytest.mark.parametrize(
    ("link", "target", "problem"),
    [
        ("data", "a-b.txt", None),
        ("a/data", "../a-b.txt", None),
        ("passwd", "/etc/passwd", "leads out of the code"),
        ("a/up", "../../outside", "leads out of the code"),
        ("folder", "a", "leads to no file"),
        ("root", ".", "leads to no file"),
        ("gone", "nothing", "leads to no file"),
        ("loop", "loop", "leads to no file"),
        ("c.py", "b.py", "is a second name of a Python file"),
        ("copy.txt", "b.py", "is a second name of a Python file"),
        ("c.py", "a-b.txt", "is a second name of a Python file"),
        ("head", ".git/HEAD", "leads to a file that is left out of the code"),
    ],
)
def test_links(tree, link, target, problem):
    tree.joinpath(link).symlink_to(target)
    if problem is None:
        assert code_files(tree) == sorted([*KEPT, link])
        assert find_link_problems(tree) == []
    else:
        allowed = "allowed: links to data files of the code"
        assert code_files(tree) == KEPT
        assert find_link_problems(tree) == [f'the link "{link}" {problem}; {allowed}']


def test_fifos_do_not_belong_to_the_code(tree):
    os.mkfifo(tree / "fifo")
    assert code_files(tree) == KEPT


def test_code_behind_a_linked_folder_above_it(tree):
    tree.parent.joinpath("alias").symlink_to(tree)
    tree.joinpath("data").symlink_to("a-b.txt")
    assert code_files(tree.parent / "alias") == sorted([*KEPT, "data"])


def test_deep_trees(tmp_path):
    deep = tmp_path
    for _ in range(300):
        deep = deep / "d"
        deep.mkdir()
    deep.joinpath("x").touch()
    assert code_files(tmp_path) == ["d/" * 300 + "x"]


@pytest.mark.parametrize(
    ("text", "is_task"),
    [
        ("schema: 1\nfunctions: []\nexperiments: []\n", True),
        ("'schema': 1\n\"functions\" : []\n? experiments\n: []\n", True),
        ("{schema: 1, 'functions': [],\n  experiments: []}", True),
        ("schema: 1\rfunctions: []\rexperiments: []\r", True),
        ("a: {schema: 1, functions: [], experiments: []}", False),
        ("schema: 1\nfunctions: |\n  experiments:\n", False),
        ("", False),
        # What cannot be read:
        ("schema: 1\nfunctions: [\nexperiments: []\n", True),
        ("--- {schema: 1, \"functions\": [], 'experiments' : []}\n---\n", True),
        ("schema: \xff\0\nfunctions: []\nexperiments: []\n", True),
        ("a: 1\n---\nschema: 1\n", False),
    ],
)
def test_files_with_expected_values(tmp_path, text, is_task):
    (tmp_path / "sub").mkdir()
    for name in ("sub/task.yaml", "sub/other.yaml"):
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    found = find_task_files(tmp_path, code_files(tmp_path))
    assert [line.partition(" in the code")[0] for line in found] == ['"sub/task.yaml"'] * is_task


def test_copy_holds_the_files_of_the_code_and_no_links(tree, tmp_path):
    tree.joinpath("data").symlink_to("a-b.txt")
    tree.joinpath("run.sh").write_text("#!/bin/sh\n")
    tree.joinpath("run.sh").chmod(0o555)
    dest = tmp_path / "new" / "copy"
    copy_code(tree, dest)
    names = sorted(str(p.relative_to(dest)) for p in dest.rglob("*") if p.is_file())
    assert names == sorted([*KEPT, "data", "run.sh"])
    assert not any(path.is_symlink() for path in dest.rglob("*"))
    assert dest.joinpath("data").read_text() == "a-b.txt"
    assert dest.joinpath("run.sh").stat().st_mode & 0o777 == 0o755
    assert dest.joinpath("b.py").stat().st_mode & 0o777 == 0o644


def test_copy_does_not_write_into_what_is_there(tree, tmp_path):
    tmp_path.joinpath("there").mkdir()
    with pytest.raises(FileExistsError):
        copy_code(tree, tmp_path / "there")


def test_code_folder_of_a_task_with_its_own_code(folder):
    assert code_folder(load_task(folder / "task.yaml")) == folder / "code"


def test_check_targets_names_the_line_in_task_yaml(folder, tmp_path):
    task = load_task(folder / "task.yaml")
    check_targets(task, folder / "code")
    shutil.copytree(folder / "code", tmp_path / "other")
    source = tmp_path / "other/pkg/a.py"
    source.write_text(source.read_text().replace("def mean", "def average"))
    with pytest.raises(TaskError) as caught:
        check_targets(task, tmp_path / "other")
    assert str(caught.value) == (
        f'{folder}/task.yaml:9: functions[0].target: in "pkg/a.py": no function mean'
    )
