"""What of the host is shown and hidden.  That bubblewrap does it: test_local.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.host.requirements import PythonEnvironment
from pytest_autoexp.sandbox.host.view import view

PACKAGES = "lib/python3.11/site-packages"


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PythonEnvironment:
    """An environment in ``venv``, with folders where tasks may lie."""
    venv = tmp_path / "venv"
    for folder in ("bin", f"{PACKAGES}/bench/tasks", "src/proj/tasks", "share"):
        (venv / folder).mkdir(parents=True)
    (venv / "bin" / "python").touch()
    (venv / "lib64").symlink_to("lib")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("venv")
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    return PythonEnvironment(venv / "bin" / "python", venv / "bin", (venv,))


@pytest.mark.parametrize(
    ("hidden", "seen", "unseen"),
    [
        ([], ["venv/share", "venv/src/proj/tasks"], ["elsewhere", "."]),
        (["elsewhere"], ["venv/share"], ["elsewhere"]),
        (["missing"], ["venv/share"], []),
        (["venv/src/proj/tasks"], ["venv/bin", f"venv/{PACKAGES}"], ["venv/src", "venv/share"]),
        (
            [f"venv/{PACKAGES}/bench/tasks"],
            [f"venv/{PACKAGES}/bench", "venv/share"],
            [f"venv/{PACKAGES}/bench/tasks", f"venv/{PACKAGES}/bench/tasks/gold.py"],
        ),
        (
            [f"link/lib64/python3.11/../../{PACKAGES}/bench"],
            ["venv/bin"],
            [f"venv/{PACKAGES}/bench"],
        ),
        (["venv"], ["venv/bin/python", f"venv/{PACKAGES}"], ["venv", "venv/src"]),
        (["."], ["venv/share"], ["elsewhere"]),
    ],
)
def test_hidden_is_not_seen_and_the_interpreter_is(
    hidden: list[str], seen: list[str], unseen: list[str], python: PythonEnvironment, tmp_path: Path
) -> None:
    visible = view(python, tuple(tmp_path / name for name in hidden))
    assert [name for name in seen if not visible.sees(tmp_path / name)] == []
    assert [name for name in unseen if visible.sees(tmp_path / name)] == []


@pytest.mark.parametrize(
    "path", ["/usr", "/usr/bin", "/bin", f"venv/{PACKAGES}", "venv/lib", "venv/bin"]
)
def test_what_is_needed_cannot_be_hidden(
    path: str, python: PythonEnvironment, tmp_path: Path
) -> None:
    real = os.path.realpath(tmp_path / path)
    with pytest.raises(InfrastructureError, match=f"{real} would be visible .* --sandbox=docker"):
        view(python, (tmp_path / path,))


@pytest.mark.parametrize("path", ["/usr", f"venv/{PACKAGES}"])
def test_current_folder_that_is_needed_is_shown(
    path: str, python: PythonEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / path)
    assert view(python, ()).sees(tmp_path / path)


def test_tree_that_is_reached_by_a_link_hides_all_the_same(
    python: PythonEnvironment, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    linked = PythonEnvironment(link / "bin" / "python", link / "bin", (link,))
    visible = view(linked, (tmp_path / "venv" / PACKAGES / "bench",))
    assert visible.sees(link / PACKAGES)
    assert not visible.sees(link / PACKAGES / "bench")


@pytest.mark.parametrize("path", ["/usr/src", "/usr/local/src"])
def test_folders_for_sources_are_hidden(path: str, python: PythonEnvironment) -> None:
    if not Path(path).exists():
        pytest.skip("not there")
    assert not view(python, ()).sees(Path(path))
    assert view(python, ()).sees(Path("/usr/bin"))


def test_environment_in_a_hidden_folder_of_the_system_is_mounted_on_top(
    python: PythonEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_autoexp.sandbox.host.view.SYSTEM", (str(tmp_path),))
    gold = tmp_path / "venv" / PACKAGES / "gold.py"
    gold.touch()
    (tmp_path / "venv" / ".git").mkdir()
    visible = view(python, (tmp_path / "venv", gold))
    venv = tmp_path / "venv"
    mounts = list(visible.mounts())
    assert mounts.index(str(venv)) < mounts.index(str(venv / "lib")) < mounts.index(str(gold))
    assert str(venv) in list(visible.locks())
    assert visible.sees(venv / "bin")
    assert not visible.sees(gold)
    assert not visible.sees(venv / ".git")
    assert not visible.sees(venv / "lib64" / PACKAGES.removeprefix("lib/") / "gold.py")
