"""The filter is a program that the kernel takes; what it does: test_local.py."""

from __future__ import annotations

import collections
import os
import sys

import pytest

from pytest_autoexp.sandbox.host.seccomp import key_filter


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64"])
def test_known_machine_has_a_filter(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    named(machine, monkeypatch)
    assert len(key_filter()) == 8 * 8


def test_unknown_machine_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    named("pdp11", monkeypatch)
    assert key_filter() == b""


def test_32_bit_programs_have_other_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    named("x86_64", monkeypatch)
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    assert key_filter() == b""


def named(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    system = collections.namedtuple("system", "machine")(machine)
    monkeypatch.setattr(os, "uname", lambda: system)
