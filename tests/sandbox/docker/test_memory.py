"""Who lacked memory when the kernel killed a process, told from what engines and kernels say."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_autoexp.sandbox.docker.memory import Counters, Kill, peak_bytes, read_counters

MIB = 1024**2


@pytest.mark.parametrize(
    ("text", "counters"),
    [
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n4096\n", Counters(3, 4096)),
        ("low 0\nhigh 0\nmax 40\noom 4\noom_kill 2\noom_group_kill 1\n8192\n", Counters(2, 8192)),
        ("low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n", Counters(0, None)),
        ("", Counters(None, None)),
    ],
    ids=["version-1", "version-2", "version-2-before-5.19", "none"],
)
def test_counters_of_a_control_group(text: str, counters: Counters) -> None:
    assert read_counters(text) == counters


@pytest.mark.parametrize(
    ("memory", "peak"),
    [
        ({"usage": 1, "max_usage": 7, "limit": 9}, 7),
        ({"usage": 1, "limit": 9, "stats": {"anon": 1}}, 1),
        ({"usage": 1, "limit": 9, "failcnt": 2, "stats": {"anon": 1}}, 9),
        ({}, None),
    ],
    ids=["version-1", "version-2", "version-2-at-its-limit", "ended"],
)
def test_peak_as_the_engine_tells_it(memory: dict[str, Any], peak: int | None) -> None:
    assert peak_bytes({"memory_stats": memory}) == peak


@pytest.mark.parametrize(("peak", "machine"), [(89 * MIB, True), (91 * MIB, False), (None, False)])
def test_who_lacked_memory(peak: int | None, machine: bool) -> None:
    kill = Kill(100 * MIB, peak)
    assert kill.lacked_by_machine == machine
    assert ("of 100 MiB it took 89. Use fewer workers (-n)" in str(kill)) == machine
