"""What a trial tells of itself while it runs, for the process that shows it.

Each process has a small file that holds what its trial does at the moment.  Nothing of this slows
a trial or breaks it: what cannot be written is not told.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pytest_autoexp.text import printable

RUNNING = "running"
"""The phase of which nothing better is known."""

_SUFFIX = ".json"


@dataclass(frozen=True, kw_only=True)
class Doing:
    """What a trial does at the moment.  Times are those of :func:`time.monotonic`.

    Attributes:
        name: The trial.
        began: Since when it runs.
        phase: What it does.
        detail: How far it is with that; may be empty.
        since: Since when it does it.
        limit_sec: How long it may do it; None for no limit.
    """

    name: str
    began: float
    phase: str
    since: float
    detail: str = ""
    limit_sec: float | None = None

    def line(self, now: float) -> str:
        """The same as a line for people, safe to print.

        Args:
            now: On the clock of :func:`time.monotonic`, which all processes share.
        """
        what = f"{self.phase} {self.detail}," if self.detail else self.phase
        spent = f"{max(now - self.since, 0.0):.0f}"
        limit = f" of {self.limit_sec:g}" if self.limit_sec else ""
        return printable(f"{self.name}: {what} {spent}{limit} s").replace("\n", " ")


class Progress:
    """Tells what a trial does.  May be told from several threads.

    Args:
        file: Where it is told, for as long as this is not closed; None tells nobody.
        name: The trial.
    """

    def __init__(self, file: Path | None = None, name: str = "") -> None:
        self._file = file
        self._lock = threading.Lock()
        now = time.monotonic()
        self._doing = Doing(name=name, began=now, phase=RUNNING, since=now)
        self._tell(self._doing)

    def phase(self, what: str, limit_sec: float | None = None, detail: str = "") -> None:
        """Tell what begins now.

        Args:
            what: What it is.
            limit_sec: How long it may take.
            detail: Which of several.
        """
        told = replace(self._doing, phase=what, limit_sec=limit_sec, detail=detail)
        self._tell(replace(told, since=time.monotonic()))

    def detail(self, text: str) -> None:
        """Tell how far it is with what it does."""
        self._tell(replace(self._doing, detail=text))

    def close(self) -> None:
        """Take back what was told.  May be called more than once."""
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.unlink()

    def _tell(self, doing: Doing) -> None:
        with self._lock:
            self._doing = doing
            if self._file is None:
                return
            with suppress(OSError):
                new = self._file.with_suffix(".new")
                new.write_text(json.dumps(asdict(doing)))
                new.replace(self._file)


def progress_file(folder: Path, process: str) -> Path:
    """Where a process tells what its trial does.

    Args:
        folder: Of the run.
        process: Name of the process.
    """
    return folder / f"{process}{_SUFFIX}"


def read_progress(folder: Path) -> list[Doing]:
    """What the trials of a run do at the moment, the one that runs longest first.

    Args:
        folder: Where the processes tell it; nothing if it is gone.
    """
    found = []
    for file in folder.glob(f"*{_SUFFIX}"):
        with suppress(OSError, ValueError, TypeError):  # ended at this moment
            found.append(Doing(**json.loads(file.read_text())))
    return sorted(found, key=lambda doing: (doing.began, doing.name))
