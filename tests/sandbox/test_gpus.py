"""Which GPUs there are, and who holds them: real processes, on a machine without a card."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_autoexp.model.errors import InfrastructureError, UsageError
from pytest_autoexp.sandbox.gpus import (
    check_gpus,
    cuda_environment,
    device_files,
    find_gpus,
    lease,
    resolve,
    visible,
)

UUIDS = ["GPU-aa11", "GPU-aa22", "GPU-bb33"]

no_driver = pytest.mark.skipif(
    Path("/proc/driver/nvidia").exists(), reason="for a machine without NVIDIA's driver"
)


# What ini autoexp_gpus says.


@pytest.mark.parametrize("spec", ["auto", "none", "0", "0,1", " 2 , 10", "GPU-aa11", "1,GPU-aa-1"])
def test_spec_that_is_allowed(spec: str) -> None:
    assert check_gpus(spec) == spec


@pytest.mark.parametrize(
    "spec", ["", "all", "0,", ",", "-1", "00", "01", "0-3", "1.5", "auto,0", "none,1", "gpu0", "²"]
)
def test_spec_that_is_not_allowed(spec: str) -> None:
    with pytest.raises(UsageError, match=r"ini autoexp_gpus = .*: allowed: auto, none, or indices"):
        check_gpus(spec)


@pytest.mark.parametrize("spec", ["0,0", "1, 2,1", "GPU-a,GPU-a"])
def test_gpu_that_is_named_twice(spec: str) -> None:
    with pytest.raises(UsageError, match="named twice"):
        check_gpus(spec)


@no_driver
@pytest.mark.parametrize(
    ("spec", "found"),
    [("auto", ()), ("none", ()), ("0, 2", ("0", "2")), ("GPU-aa11,7", ("GPU-aa11", "7"))],
)
def test_without_a_driver_names_stand_as_they_are(spec: str, found: tuple[str, ...]) -> None:
    assert find_gpus(spec) == found


def test_reading_a_spec_does_not_load_nvml() -> None:
    program = (
        "import sys\nfrom pytest_autoexp.sandbox.gpus import check_gpus, find_gpus, lease\n"
        "check_gpus('0,1'); find_gpus('none')\nassert 'pynvml' not in sys.modules\n"
        "find_gpus('auto')\nassert 'pynvml' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# What the names mean where NVML answers.


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["0"], UUIDS[:1]),
        (["2", "0"], [UUIDS[2], UUIDS[0]]),
        (["GPU-bb33", "1"], [UUIDS[2], UUIDS[1]]),
    ],
)
def test_gpus_that_are_named(names: list[str], found: list[str]) -> None:
    assert resolve(names, UUIDS) == tuple(found)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0", "3"], r"ini autoexp_gpus = 0,3: no GPU 3 here; there is 0 \(GPU-aa11\), 1 "),
        (["GPU-aa"], "no GPU GPU-aa here"),
        (["0", "GPU-aa11"], "GPU GPU-aa11 is named twice"),
    ],
)
def test_gpus_that_cannot_be_meant(names: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(names, UUIDS)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (None, UUIDS),
        ("", []),
        ("NoDevFiles", []),
        ("-1", []),
        ("0", UUIDS[:1]),
        ("2,0", [UUIDS[2], UUIDS[0]]),
        ("1,1", [UUIDS[1]]),
        ("GPU-bb33", [UUIDS[2]]),
        ("GPU-b, 1", [UUIDS[2], UUIDS[1]]),
        ("GPU-aa", []),  # which of the two?
        ("0,7,1", UUIDS[:1]),
        ("0,-1,1", UUIDS[:1]),
        ("MIG-aa11", []),
    ],
)
def test_gpus_that_cuda_visible_devices_leaves(asked: str | None, found: list[str]) -> None:
    assert visible(UUIDS, asked) == tuple(found)


# What a command on the host is given.


def test_environment_of_commands() -> None:
    assert cuda_environment(()) == {}
    assert cuda_environment(("2", "0")) == {
        "CUDA_VISIBLE_DEVICES": "2,0",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }


@no_driver
def test_files_of_a_gpu() -> None:
    assert device_files(()) == ()
    names = [path.name for path in device_files(("3", "0"))]
    assert names[:3] == ["nvidia3", "nvidia0", "nvidiactl"]
    assert len(names) == len(set(names)) == 6


@no_driver
def test_gpu_whose_file_nobody_knows() -> None:
    with pytest.raises(InfrastructureError, match="no driver of this machine knows GPU GPU-aa11"):
        device_files(("0", "GPU-aa11"))


# Leases.

HOLDER = """
import os, subprocess, sys
from pytest_autoexp.sandbox.gpus import lease

def say(line):
    print("said:", line, flush=True)

def sockets():
    links = (f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd"))
    return sum(os.path.islink(l) and os.readlink(l).startswith("socket:") for l in links)

before = sockets()
try:
    with lease(int(sys.argv[1]), sys.argv[2].split(","), say) as leased:
        child = subprocess.Popen(["sleep", "60"]) if "child" in sys.argv else None
        print(child.pid if child else "", *leased, flush=True)
        sys.stdin.readline()
except KeyboardInterrupt:
    print("interrupted", flush=True)
assert sockets() == before
print("free", flush=True)
sys.stdin.readline()
"""


class Holder:
    """A process that leases GPUs, holds them until it is told, and lives on."""

    def __init__(self, count: int, devices: list[str], *extra: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(count), ",".join(devices), *extra],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def release(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


Hold = Callable[..., Holder]


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Starts a :class:`Holder`."""
    with ExitStack() as ended:

        def start(count: int, devices: list[str], *extra: str) -> Holder:
            holder = Holder(count, devices, *extra)
            ended.enter_context(holder.process)
            ended.callback(holder.process.kill)
            return holder

        yield start


@pytest.fixture
def devices() -> list[str]:
    """Three GPUs that no other test knows."""
    return [f"GPU-{uuid.uuid4()}" for _ in range(3)]


def unsaid(line: str) -> None:
    pytest.fail(f"said {line!r}")


def now(count: int, devices: list[str]) -> tuple[str, ...]:
    """What is leased at once, and given back."""
    started = time.monotonic()
    with lease(count, devices, unsaid) as leased:
        assert time.monotonic() - started < 1
        return leased


def test_lease_is_of_the_first_that_are_free(devices: list[str]) -> None:
    with lease(1, devices, unsaid) as first, lease(2, devices, unsaid) as others:
        assert first == (devices[0],)
        assert others == (devices[1], devices[2])
    assert now(3, devices) == tuple(devices)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_lease_ends_with_an_exception(error: type[BaseException], devices: list[str]) -> None:
    def use() -> None:
        with lease(3, devices, unsaid):
            raise error

    with pytest.raises(error):
        use()
    assert now(3, devices) == tuple(devices)


def test_other_process_holds_others(hold: Hold, devices: list[str]) -> None:
    other = hold(2, devices)
    assert other.line() == f"{devices[0]} {devices[1]}"
    assert now(1, devices) == (devices[2],)
    other.release()
    assert other.line() == "free"
    assert now(3, devices) == tuple(devices)


def test_more_than_there_are_is_an_error_at_once(hold: Hold, devices: list[str]) -> None:
    hold(3, devices).line()
    with pytest.raises(
        InfrastructureError, match=r"4 GPU\(s\) asked for.*only 3: GPU-.*autoexp_gp"
    ):
        now(4, devices)


def test_killed_process_holds_nothing_though_its_child_lives(
    hold: Hold, devices: list[str]
) -> None:
    other = hold(3, devices, "child")
    child = int(other.line().split()[0])
    other.process.kill()
    other.process.wait()
    try:
        assert now(3, devices) == tuple(devices)
        os.kill(child, 0)
    finally:
        os.kill(child, signal.SIGKILL)


def test_waiting_is_said_once_and_ends_with_the_other_lease(hold: Hold, devices: list[str]) -> None:
    first = hold(2, devices)
    first.line()
    second = hold(2, devices)
    expected = f"said: waiting for 2 GPU(s): too few of {', '.join(devices)} are free"
    assert second.line() == expected
    time.sleep(1)
    first.release()
    assert second.line() == f"{devices[0]} {devices[1]}"


def test_end_of_a_long_wait_is_said(hold: Hold, devices: list[str]) -> None:
    first = hold(3, devices)
    first.line()
    second = hold(1, devices)
    assert "waiting" in second.line()
    time.sleep(5)
    first.release()
    assert second.line().startswith(f"said: GPU(s) {devices[0]} leased after ")


def test_who_waits_for_more_holds_none(hold: Hold, devices: list[str]) -> None:
    hold(2, devices).line()
    waiting = hold(2, devices)
    assert "waiting" in waiting.line()
    with lease(1, devices[2:], lambda _: None) as leased:  # in another queue
        assert leased == (devices[2],)


def test_who_needs_many_is_not_overtaken(hold: Hold, devices: list[str]) -> None:
    first = hold(1, devices)
    first.line()
    many = hold(3, devices)
    assert "waiting" in many.line()
    late = hold(1, devices)
    assert "waiting" in late.line(), "though two are free"
    first.release()
    assert many.line() == " ".join(devices)
    many.release()
    assert late.line() == devices[0]


def test_interrupted_wait_leaves_nothing(hold: Hold, devices: list[str]) -> None:
    first = hold(2, devices)
    first.line()
    waiting = hold(2, devices)
    assert "waiting" in waiting.line()
    waiting.process.send_signal(signal.SIGINT)
    assert [waiting.line(), waiting.line()] == ["interrupted", "free"]
    assert now(1, devices) == (devices[2],)
