import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_autoexp.loading.code import code_files, code_folder
from pytest_autoexp.loading.git import cached_checkout, checkout
from pytest_autoexp.loading.loader import load_task, task_digest
from pytest_autoexp.model.errors import InfrastructureError, TaskError
from pytest_autoexp.model.task import GitSource


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    command = ["git", *identity, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """A private cache; git must not need the caller's settings."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return tmp_path / "cache" / "pytest-autoexp"


@pytest.fixture
def repository(tmp_path, folder):
    """A repository with two commits; its code lies in ``src``."""
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "--quiet")
    folder.joinpath("code").rename(repository / "src")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "first")
    repository.joinpath("src", "later.py").write_text("def later(): ...\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "second")
    return repository


def revision(repository, name="HEAD"):
    return git(repository, "rev-parse", name)


def source_of(repository, name="HEAD", path="src"):
    return GitSource(f"file://{repository}", revision(repository, name), path)


@pytest.mark.parametrize(
    ("name", "files"), [("HEAD", ["later.py", "pkg/a.py"]), ("HEAD~1", ["pkg/a.py"])]
)
def test_checkout_is_that_of_the_commit(repository, name, files):
    found = checkout(source_of(repository, name))
    assert code_files(found) == files
    assert not found.parent.joinpath(".git").exists()


def test_checkout_is_made_once(repository, cache):
    source = source_of(repository)
    assert cached_checkout(source) is None
    found = checkout(source)
    repository.rename(repository.with_name("gone"))
    assert checkout(source) == cached_checkout(source) == found
    assert [p.name for p in cache.iterdir() if p.is_dir()] == [found.parent.name]


def test_many_at_once_get_the_same(repository):
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(checkout, [source_of(repository)] * 8))
    assert len(found) == 1


def test_a_hook_of_the_callers_repository_does_not_disturb(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    source = GitSource(f"file://{repository}", "0" * 40)
    with pytest.raises(InfrastructureError):
        checkout(source)
    monkeypatch.undo()
    rev = revision(repository)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert checkout(GitSource(f"file://{repository}", rev, "src")).is_dir()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rev": "0" * 40}, "git cannot get 0000"),
        ({"url": "file:///nowhere/at/all"}, "does not appear to be a git repository"),
        ({"url": "ext::sh -c true"}, "transport 'ext' not allowed"),
        ({"url": "--upload-pack=true"}, "git cannot get"),
        ({"path": "nothing"}, "has no folder 'nothing'"),
        ({"path": "src/pkg/a.py"}, "has no folder"),
    ],
)
def test_what_git_cannot_get_says_why_and_leaves_nothing(repository, cache, change, message):
    source = source_of(repository)
    fields = {"url": source.url, "rev": source.rev, "path": source.path} | change
    with pytest.raises(InfrastructureError, match=message):
        checkout(GitSource(**fields))
    if "path" not in change:
        assert not [path for path in cache.iterdir() if path.is_dir()]


def test_a_folder_that_links_out_is_refused(repository):
    repository.joinpath("out").symlink_to("/usr")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "link")
    with pytest.raises(InfrastructureError, match="has no folder 'out'"):
        checkout(source_of(repository, path="out"))


def test_no_git(repository, monkeypatch):
    source = source_of(repository)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InfrastructureError, match="git cannot be run"):
        checkout(source)


@pytest.fixture
def git_task(folder, repository):
    """The good task with its code in the repository."""
    text = folder.joinpath("task.yaml").read_text()
    code = f"code: {{git: 'file://{repository}', rev: '{revision(repository)}', path: src}}"
    folder.joinpath("task.yaml").write_text(text.replace("code: code", code))
    return folder / "task.yaml"


def test_a_git_task_from_load_to_code(git_task):
    task = load_task(git_task)
    digest = task_digest(task)
    assert code_files(code_folder(task)) == ["later.py", "pkg/a.py"]
    assert task_digest(load_task(git_task)) == digest


def test_targets_are_checked_at_the_checkout_and_at_load_from_then_on(git_task):
    text = git_task.read_text()
    git_task.write_text(text.replace("::mean", "::meen"))
    task = load_task(git_task)
    expected = f'{git_task}:9: functions[0].target: in "pkg/a.py": no function meen; did you mean'
    with pytest.raises(TaskError) as caught:
        code_folder(task)
    assert str(caught.value).startswith(expected)
    with pytest.raises(TaskError) as caught:
        load_task(git_task)
    assert str(caught.value).startswith(expected)
