from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from pytest_autoexp import limits
from pytest_autoexp.limits import LimitedSandbox, time_limit
from pytest_autoexp.model.errors import LimitReached
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import running_python


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_GRACE_SEC", 0.1)


@pytest.fixture
def sandbox() -> Iterator[NoneSandbox]:
    with NoneSandbox(running_python()) as made:
        yield made


def test_python_code_that_never_ends_is_ended() -> None:
    with pytest.raises(LimitReached, match="limit: time"), time_limit(0.1):
        threading.Event().wait()


def test_code_that_swallows_the_exception_is_interrupted_again() -> None:
    swallowed = 0
    with time_limit(0.0):
        while swallowed < 2:
            try:
                time.sleep(10)
            except LimitReached:
                swallowed += 1
    assert swallowed == 2


def test_nothing_fires_after_it() -> None:
    with time_limit(0.1):
        pass
    time.sleep(0.3)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("limit", [1.0, 1000.0])
def test_a_timer_that_was_there_is_there_again(limit: float) -> None:
    fired: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda signum, frame: fired.append(signum))
    signal.setitimer(signal.ITIMER_REAL, 100.0)
    try:
        with time_limit(limit):
            pass
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 90.0 < left <= 100.0
        signal.raise_signal(signal.SIGALRM)
        assert fired == [signal.SIGALRM]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_outside_the_main_thread_only_commands_are_ended() -> None:
    deadlines: list[float] = []

    def in_thread() -> None:
        with time_limit(5.0) as deadline:
            deadlines.append(deadline - time.monotonic())

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert 4.0 < deadlines[0] <= 5.0


def test_a_command_ends_at_the_deadline_and_the_next_is_refused(sandbox: NoneSandbox) -> None:
    limited = LimitedSandbox(sandbox, time.monotonic() + 0.5)
    result = limited.run("echo before; sleep 60", time_limit_sec=60.0)
    assert (result.killed_by, result.stdout) == ("time", "before\n")
    with pytest.raises(LimitReached):
        limited.run("true", time_limit_sec=60.0)


def test_the_agent_cannot_close_its_sandbox(sandbox: NoneSandbox) -> None:
    with LimitedSandbox(sandbox, time.monotonic() + 60.0) as limited:
        limited.close()
    assert sandbox.run("true", time_limit_sec=30.0).ok
