"""What people see of a run's trials while they run: plain lines on standard error, now and then."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from pytest_autoexp.agents.registry import HUMAN
from pytest_autoexp.collection import TaskFile
from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.progress import Doing, Progress, progress_file, read_progress
from pytest_autoexp.run import PROGRESS
from pytest_autoexp.sandbox.folder import PrivateFolder
from pytest_autoexp.settings import Settings

TERMINAL_SEC = 10.0
"""How often lines come on a terminal: about one in this time, however many trials run."""

PLAIN_SEC = 60.0
"""How often they come where there is no terminal, and at least on one."""

MAX_LINES = 20
"""How many trials are shown at a time."""

_WORKER_KEY = "autoexp_progress"
_CONTROLLER = "controller"
_END_SEC = 1.0


def register_progress(config: pytest.Config, settings: Settings) -> None:
    """Register what tells of the trials and, in the process that the user started, shows it.

    Nothing is shown with ``-q``, while a person is the agent, or without a standard error.

    Args:
        config: pytest's configuration.
        settings: Options and ini values.
    """
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        if folder := worker.get(_WORKER_KEY):
            teller = Teller(Path(folder), str(worker["workerid"]))
            config.pluginmanager.register(teller, "autoexp-progress")
        return
    quiet = config.getoption("verbose", -1) < 0 or config.getoption("collectonly")
    if quiet or settings.progress_sec == 0 or settings.agent == HUMAN:
        return
    # Nothing of this is worth a run: who has no such file or folder goes without.
    with suppress(AttributeError, OSError, ValueError, InfrastructureError):
        folder = PrivateFolder()
        # A copy, because pytest puts another file in its place while a test runs.
        shower = Shower(folder, os.dup(sys.stderr.fileno()), settings.progress_sec)
        config.pluginmanager.register(Teller(folder.path, _CONTROLLER), "autoexp-progress")
        config.pluginmanager.register(shower, "autoexp-progress-shown")


class Teller:
    """Lets each trial that this process runs tell what it does.

    Args:
        folder: Where it is told.
        process: Name of this process in the run.
    """

    def __init__(self, folder: Path, process: str) -> None:
        self._file = progress_file(folder, process)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Tell of it as long as it runs."""
        file = item.getparent(TaskFile)
        if file is None:
            return (yield)
        with closing(Progress(self._file, f"{file.task.id}::{item.name}")) as progress:
            item.stash[PROGRESS] = progress
            return (yield)


class Shower:
    """Shows what the trials of all processes do.

    Args:
        folder: Where they tell it.
        descriptor: The file to which it is written.
        every_sec: How often; None for what suits the file.
    """

    def __init__(self, folder: PrivateFolder, descriptor: int, every_sec: float | None) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self._is_terminal = os.isatty(descriptor)
        self._every_sec = every_sec
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._in_line = False
        self._debugging = False

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker where to tell."""
        node.workerinput[_WORKER_KEY] = str(self._folder.path)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """What a dead xdist worker told holds no more."""
        with suppress(OSError):  # it took it back itself
            progress_file(self._folder.path, node.workerinput["workerid"]).unlink()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Show it as long as trials run."""
        # A daemon: nobody waits for it where its file takes no more.
        self._thread = threading.Thread(target=self._run, name="autoexp-progress", daemon=True)
        self._thread.start()
        try:
            return (yield)
        finally:
            self._ended.set()
            self._thread.join(_END_SEC)

    def pytest_runtest_logstart(self) -> None:
        """What pytest writes ends in the middle of a line."""
        self._in_line = True
        self._debugging = False

    def pytest_runtest_logreport(self) -> None:
        """What pytest writes ends in the middle of a line."""
        self._in_line = True

    def pytest_enter_pdb(self) -> None:
        """Somebody types."""
        self._debugging = True

    def pytest_leave_pdb(self) -> None:
        """Nobody types any more."""
        self._debugging = False

    def pytest_unconfigure(self) -> None:
        """Leave nothing behind."""
        with suppress(InfrastructureError):  # a worker writes still: the next clean-up gets it
            self._folder.remove()
        if self._thread is None or not self._thread.is_alive():
            os.close(self._descriptor)

    def _run(self) -> None:
        shown = 0
        while not self._ended.wait(pause_sec(self._every_sec, self._is_terminal, shown)):
            try:
                shown = 0 if self._debugging else self._show()
            except OSError:  # nobody is there to read
                return

    def _show(self) -> int:
        """Write what there is to tell; how many lines."""
        least_sec = pause_sec(self._every_sec, self._is_terminal, 0)
        lines = lines_of(read_progress(self._folder.path), time.monotonic(), least_sec)
        if lines:
            start, self._in_line = "\n" if self._in_line else "", False
            text = start + "".join(f"autoexp: {line}\n" for line in lines)
            os.write(self._descriptor, text.encode("utf-8", "backslashreplace"))
        return len(lines)


def pause_sec(every_sec: float | None, is_terminal: bool, shown: int) -> float:
    """How long nothing is shown.

    Args:
        every_sec: What was asked for; None for what suits.
        is_terminal: Is it shown on a terminal?
        shown: How many lines were shown before.
    """
    if every_sec is not None:
        return every_sec
    return min(TERMINAL_SEC * max(shown, 1), PLAIN_SEC) if is_terminal else PLAIN_SEC


def lines_of(running: Sequence[Doing], now: float, least_sec: float) -> list[str]:
    """A line for each trial that is not quick.

    Args:
        running: What trials do, in the order in which it is shown.
        now: On the clock of :func:`time.monotonic`.
        least_sec: How long a trial has to run before it is shown.
    """
    lines = [doing.line(now) for doing in running if now - doing.began >= least_sec]
    if more := len(lines[MAX_LINES:]):
        lines[MAX_LINES:] = [f"... and {more} more"]
    return lines
