"""Which files of /dev the commands of a local sandbox see."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_autoexp.sandbox.host.local import LocalSandbox, bubblewrap_problem
from pytest_autoexp.sandbox.host.requirements import running_python

pytestmark = pytest.mark.skipif(bubblewrap_problem() is not None, reason="no bubblewrap")

HARMLESS = ("fuse", "net/tun", "autofs", "kmsg", "rtc0")


def opens(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return False
    return path.is_char_device()


@pytest.fixture
def device() -> Path:
    """A device that opening does not harm, and that bubblewrap does not show by itself."""
    found = next((p for p in (Path("/dev", name) for name in HARMLESS) if opens(p)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(HARMLESS)} in /dev can be opened")
    return found


def out(sandbox: LocalSandbox, command: str) -> str:
    return sandbox.run(command, time_limit_sec=20).stdout


def test_no_device_is_shown_without_being_asked_for(device: Path) -> None:
    with LocalSandbox(running_python()) as sandbox:
        assert out(sandbox, f"test -e {device} || echo hidden") == "hidden\n"
        assert out(sandbox, "echo [$CUDA_VISIBLE_DEVICES]; ls -d /sys") == "[]\n"


def test_a_device_that_is_shown_can_be_opened_and_no_other_can(device: Path) -> None:
    files = (device, Path("/dev/nvidia1023"))  # the other is not there
    with LocalSandbox(running_python(), devices=files) as sandbox:
        with LocalSandbox(running_python()) as usual:
            top = device.relative_to("/dev").parts[0]
            assert set(out(sandbox, "ls /dev").split()) == {*out(usual, "ls /dev").split(), top}
        assert out(sandbox, f"exec 5<{device} && echo opened") == "opened\n"
        assert sandbox.run("touch /dev/new", time_limit_sec=20).exit_code != 0
        assert not Path("/dev/new").exists()


def test_processors_can_be_looked_up_but_no_other_hardware(device: Path) -> None:
    with LocalSandbox(running_python(), devices=(device,)) as sandbox:
        assert out(sandbox, "ls /sys /sys/devices").split() == [
            *("/sys:", "devices", "/sys/devices:", "system")
        ]
        assert "online" in out(sandbox, "ls /sys/devices/system/cpu")
        written = sandbox.run("echo 1 > /sys/devices/system/cpu/cpu1/online", time_limit_sec=20)
        assert "Read-only file system" in written.stderr or "ermission" in written.stderr
