"""How much a folder takes, and whose doing a full disk is."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from itertools import count
from pathlib import Path

import pytest

from pytest_autoexp.model.task import Resources
from pytest_autoexp.sandbox.host import disk
from pytest_autoexp.sandbox.host.disk import DiskWatch, Share, nameless_bytes, usage
from pytest_autoexp.sandbox.host.local import LocalSandbox, bubblewrap_problem
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import running_python

linux = pytest.mark.skipif(sys.platform != "linux", reason="open files are found on Linux")

FULL = OSError(errno.ENOSPC, "No space left on device")


def test_usage_is_what_the_disk_gives(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "hard").hardlink_to(tmp_path / "sub" / "file")
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(2**40)
    (tmp_path / "out").symlink_to("/usr")
    found = usage(tmp_path)
    assert 100_000 <= found.used_bytes < 150_000
    assert (found.entries, found.whole) == (5, True)


def test_counting_stops_when_it_is_enough(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"x" * 100_000)
    assert usage(tmp_path, 50_000).used_bytes < 250_000


def test_folder_too_deep_to_be_looked_at_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(30):
        Path("n" * 240).mkdir()
        monkeypatch.chdir("n" * 240)
    assert not usage(tmp_path).whole
    assert usage(tmp_path).too_deep
    assert usage(tmp_path / "missing").whole


@linux
def test_open_files_without_a_name_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path.stat().st_dev

    def found() -> int:
        return nameless_bytes([0, os.getpid(), os.getpid()], device, 10**9)  # 0: there is none

    before = found()
    with tempfile.TemporaryFile(dir=tmp_path, buffering=0) as file:
        file.write(b"x" * 100_000)
        again = os.dup(file.fileno())
        in_memory = os.memfd_create("in memory")
        os.write(in_memory, b"x" * 100_000)
        with (tmp_path / "named").open("wb", 0) as named:
            named.write(b"x" * 100_000)
            assert 100_000 <= found() - before < 150_000
        os.close(again)
        os.close(in_memory)
        watch = DiskWatch(tmp_path, usage(tmp_path).used_bytes + before + 50_000)
        monkeypatch.setattr("time.monotonic", lambda: float("inf"))
        assert watch.passed(lambda: [os.getpid()])
        assert not watch.passed()
    assert found() == before


@linux
def test_descriptors_that_are_too_many_to_look_at_pass_every_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(disk, "_MOST_DESCRIPTORS", 2)
    assert nameless_bytes([os.getpid()], -1, 1000) > 1000
    assert nameless_bytes([], -1, 1000) == 0


REMOVED = """python -c '
import os, time
files = [open(str(n), "wb") for n in range(4)]
for n, file in enumerate(files):
    os.unlink(str(n))
    file.write(bytes(5_000_000))
print("wrote", flush=True)
time.sleep(60)
'"""


@linux
@pytest.mark.parametrize(
    "kind",
    [
        NoneSandbox,
        pytest.param(
            LocalSandbox,
            marks=pytest.mark.skipif(bubblewrap_problem() is not None, reason="no bubblewrap"),
        ),
    ],
)
def test_files_that_are_removed_and_still_open_are_limited(kind: type[NoneSandbox]) -> None:
    with kind(running_python(), Resources(disk_bytes=10**7)) as sandbox:
        result = sandbox.run(REMOVED, time_limit_sec=30)
    assert (result.exit_code, result.killed_by, result.stdout) == (137, None, "wrote\n")
    assert "more than the task's disk limit" in result.stderr


def test_watch_looks_when_it_is_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    watch = DiskWatch(tmp_path, 50_000)
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    assert (watch.passed(), watch.wait_sec()) == (False, 1)
    now = 101.0
    assert watch.passed()
    (tmp_path / "file").unlink()
    now = 102.0
    assert not watch.passed()


def test_watch_looks_sooner_where_the_limit_comes_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = count(100.0, 0.5)  # each look takes half a second
    monkeypatch.setattr("time.monotonic", lambda: next(ticks))
    watch = DiskWatch(tmp_path, 100_000)
    assert not watch.passed()
    assert not watch.passed()
    assert 5 < watch.wait_sec() <= 10
    watch = DiskWatch(tmp_path, 100_000)
    (tmp_path / "file").write_bytes(b"x" * 70_000)
    assert not watch.passed()
    assert not watch.passed()
    assert watch.wait_sec() <= 1


@pytest.mark.parametrize(
    ("error", "size", "explains"),
    [
        (FULL, 100_000, True),
        (FULL, 1000, False),
        (OSError(errno.EDQUOT, "Quota exceeded"), 100_000, True),
        (OSError(errno.EACCES, "Permission denied"), 100_000, False),
        (ValueError("x"), 100_000, False),
        (None, 100_000, False),
    ],
)
def test_large_folder_explains_a_full_disk(
    error: BaseException | None, size: int, explains: bool, tmp_path: Path
) -> None:
    share = Share(tmp_path, 50_000)
    (tmp_path / "file").write_bytes(b"x" * size)
    assert share.explains(error) is explains
    (tmp_path / "file").unlink()
    assert share.explains(FULL) is explains


def test_watch_ends_what_hides_files_too_deep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    watch = DiskWatch(tmp_path, 50_000)
    monkeypatch.chdir(tmp_path)
    for _ in range(20):
        Path("n" * 240).mkdir()
        monkeypatch.chdir("n" * 240)
    monkeypatch.setattr("time.monotonic", lambda: 101.0)
    assert watch.passed()
