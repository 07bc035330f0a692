"""The cache folder and its locks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.cache import BuildFailedError, Builds, cache_dir, lock

HOLD = """
import sys, time
from pytest_autoexp.sandbox.cache import lock
with lock("x"):
    print("held", flush=True)
    time.sleep(float(sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pytest-autoexp"


def hold_elsewhere(seconds: float) -> subprocess.Popen[str]:
    """A process that holds the lock, once this returns, for so many seconds."""
    command = [sys.executable, "-c", HOLD, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.stdout.close()
    return process


def test_folder_is_made_in_xdg_cache_home_for_its_owner_only(cache: Path) -> None:
    assert cache_dir() == cache
    assert cache.stat().st_mode & 0o777 == 0o700
    assert cache_dir() == cache


@pytest.mark.parametrize("value", [None, "", "relative/folder"])
def test_folder_is_in_home_without_a_usable_xdg_cache_home(
    value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    if value is None:
        monkeypatch.delenv("XDG_CACHE_HOME")
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_dir() == tmp_path / ".cache" / "pytest-autoexp"


def test_folder_that_cannot_be_made_is_our_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InfrastructureError, match="set XDG_CACHE_HOME"):
        cache_dir()


@pytest.mark.parametrize("name", ["", "a/b", "a b", "é"])
def test_lock_name_with_other_characters_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="lock name"), lock(name):
        pass


def test_lock_waits_for_another_process() -> None:
    with hold_elsewhere(0.5) as process:
        started = time.monotonic()
        with lock("x"):
            assert time.monotonic() - started > 0.2
        process.wait()


def test_locks_of_other_names_do_not_wait() -> None:
    with hold_elsewhere(60) as process:
        with lock("y"):
            pass
        process.kill()


def test_lock_is_free_once_its_holder_was_killed() -> None:
    with hold_elsewhere(60) as process:
        os.kill(process.pid, signal.SIGKILL)
        started = time.monotonic()
        with lock("x"):
            assert time.monotonic() - started < 10


def test_lock_holds_among_threads_of_one_process() -> None:
    order: list[str] = []

    def enter() -> None:
        with lock("x"):
            order.append("second")

    with lock("x"):
        thread = threading.Thread(target=enter)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_lock_is_freed_by_an_exception() -> None:
    with pytest.raises(KeyError), lock("x"):
        raise KeyError
    with lock("x"):
        pass


class TestOnce:
    """A build: `fails` says with what, in the order of the tries."""

    @pytest.mark.parametrize(
        ("fails", "runs", "tries"),
        [
            ([None], ["a"], 1),
            ([BuildFailedError("no")], ["a", "a"], 1),
            ([BuildFailedError("no"), None], ["a", "b", "b"], 2),
            ([InfrastructureError("the engine was away"), None], ["a", "a"], 2),
        ],
        ids=["builds", "fails", "another-run-tries-again", "a-passing-fault-is-tried-again"],
    )
    def test_it_is_tried(
        self, fails: list[InfrastructureError | None], runs: list[str], tries: int
    ) -> None:
        tried: list[str] = []
        there: list[bool] = []

        def build(run: str) -> None:
            failure = fails[len(tried)]
            tried.append(run)
            if failure is not None:
                raise failure
            there.append(True)

        for run in runs:
            try:
                Builds(run, print).once("x", "a thing", lambda: bool(there), lambda r=run: build(r))
            except InfrastructureError as error:
                last = str(error)
        assert len(tried) == tries
        if not there:
            assert last == "no\n(not tried again in this run)"

    @pytest.mark.parametrize("note", ["", "{", "12", "null", "[]", '["run"]', "\0"])
    def test_a_note_that_cannot_be_read_says_nothing(self, note: str, cache: Path) -> None:
        (cache_dir() / "x.lock").write_text(note)
        built: list[bool] = []
        Builds("run", print).once("x", "a thing", lambda: False, lambda: built.append(True))
        assert built == [True]
