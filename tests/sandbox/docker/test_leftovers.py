"""Whose a container is: what may be removed, and what may not."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_autoexp.sandbox.docker.leftovers import Owner

ME = Owner.this_process()


def test_label_tells_the_owner() -> None:
    assert Owner.from_label(str(ME)) == ME


@pytest.mark.parametrize("label", ["", "node boot pid started", "a b c", "1 2 3 4 5"])
def test_label_that_is_not_ours_tells_nothing(label: str) -> None:
    assert Owner.from_label(label) is None


@pytest.mark.parametrize(
    ("owner", "dead"),
    [
        (ME, False),
        (dataclasses.replace(ME, started="1"), True),
        (dataclasses.replace(ME, node="elsewhere", pid=2**30), False),
        (dataclasses.replace(ME, boot="another", pid=2**30), False),
        (dataclasses.replace(ME, pid=2**30), True),
    ],
    ids=["alive", "its-id-was-reused", "other-machine", "other-boot-or-container", "gone"],
)
def test_only_what_surely_ended_is_dead(owner: Owner, dead: bool) -> None:
    assert owner.is_dead() is dead


@pytest.mark.skipif(sys.platform != "linux", reason="zombies are told by /proc")
def test_killed_process_is_dead_before_anybody_waited_for_it() -> None:
    with subprocess.Popen(["sleep", "1000"], stdout=subprocess.PIPE) as process:
        owner = dataclasses.replace(ME, pid=process.pid, started=_started(process.pid))
        assert not owner.is_dead()
        process.kill()
        assert process.stdout is not None
        process.stdout.read()  # its end: the process has ended
        _until_dead(owner)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a /proc of its own")
def test_process_that_proc_hides_may_live() -> None:
    script = (
        "import os, subprocess, sys;"
        "from pytest_autoexp.sandbox.docker.leftovers import Owner;"
        "owner = Owner.from_label(sys.argv[1]);"
        "subprocess.run(['mount', '-t', 'proc', '-o', 'hidepid=2', 'proc', '/proc'], check=True);"
        "os.setgid(65534); os.setuid(65534);"
        "print(os.path.exists(f'/proc/{owner.pid}'), owner.is_dead())"
    )
    command = ["unshare", "--mount", sys.executable, "-c", script, str(Owner.this_process())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def _started(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def _until_dead(owner: Owner) -> None:
    deadline = time.monotonic() + 10
    while not owner.is_dead():
        assert time.monotonic() < deadline
        time.sleep(0.01)
