"""The trajectory: what an agent did, one JSON line each, written while it goes on.

So it is there, as far as it got, of a trial that ends in an error, and when a worker dies.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.result import AgentResult
from pytest_autoexp.text import cut_middle

MAX_TEXT_CHARS = 10_000
"""How much is kept of each text of a line: its first and its last half."""

MAX_FILE_BYTES = 64 * 1024**2
"""How large a file gets; after that only model calls, which are limited, and the end are kept."""


class Trajectory:
    """The record of one agent.  Model calls may come from another thread.

    Args:
        file: Where it is kept, made anew; None keeps nothing.
        blotted: Takes out what may not be written down.

    Attributes:
        step: Number of the last model call that has begun, from 1.

    Raises:
        InfrastructureError: If the file cannot be written.
    """

    def __init__(
        self, file: Path | None = None, blotted: Callable[[str], str] = lambda text: text
    ) -> None:
        self.step = 0
        self._path = file
        self._blotted = blotted
        self._left_out = 0
        self._problem = ""
        self._began: dict[int, float] = {}  # by the hash of each line
        self._file: FileIO | None = None
        if file is not None:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                self._file = FileIO(file, "w")
            except OSError as error:
                self._note(error)
                self._check()

    @contextmanager
    def line(self, kind: str, content: str) -> Iterator[dict[str, Any]]:
        """Something that the agent does: written when it has ended, in whichever way.

        Args:
            kind: What kind of thing.
            content: What it is.

        Yields:
            The line, for what is known only afterwards.

        Raises:
            InfrastructureError: If the file cannot be written.
        """
        entry, began = new_line(kind, self.step, content), time.monotonic()
        try:
            yield entry
        except BaseException as error:
            entry["problem"] = f"{type(error).__name__}: {error}"
            raise
        finally:
            entry["seconds"] = round(time.monotonic() - began, 3)
            self._keep(entry, began)
            self._check()

    def add(self, text: str, began: float) -> None:
        """Write a line as it is; :meth:`end` tells if that did not work.

        Args:
            text: The line, with its end.
            began: When what it tells of began, on the clock of :func:`time.monotonic`.
        """
        if self._file is None or self._file.closed:  # what comes after the end is no part of it
            return
        data = self._blotted(text).encode()
        self._began[hash(data)] = began
        try:
            # One write for each line: those of two threads do not mix.
            if self._file.write(data) != len(data):
                self._problem = self._problem or "a line was written in part"
        except (OSError, ValueError) as error:
            self._note(error)

    def end(self, agent: AgentResult, agent_sec: float) -> None:
        """Write how the agent ended, and end the file.

        Args:
            agent: How it ended and what it spent.
            agent_sec: How long it took.

        Raises:
            InfrastructureError: If something of the file could not be written.
        """
        usage = agent.usage
        status = cut_middle(self._blotted(agent.exit_status), MAX_TEXT_CHARS)
        entry = new_line("end", self.step, status) | {
            "tokens_in": usage.tokens_in,
            "tokens_out": usage.tokens_out,
            "cost_usd": usage.cost_usd,
            "steps": usage.steps,
            "seconds": round(agent_sec, 3),
            "left_out": self._left_out,
        }
        self.add(json.dumps(entry) + "\n", time.monotonic())
        self.close()
        self._check()

    def close(self) -> None:
        """End the file, its lines in the order of time.  May be called more than once."""
        if self._path is None or self._file is None or self._file.closed:
            return
        try:
            self._file.close()
            if self._problem:
                return
            lines = self._path.read_bytes().splitlines(keepends=True)
            ordered = sorted(lines, key=lambda line: self._began.get(hash(line), 0.0))
            if ordered != lines:  # a line is written when what it tells of has ended
                new = self._path.with_suffix(".new")
                new.write_bytes(b"".join(ordered))
                new.replace(self._path)
        except OSError as error:
            self._note(error)

    def _keep(self, entry: dict[str, Any], began: float) -> None:
        if self._file is None or self._file.closed:
            return
        if os.fstat(self._file.fileno()).st_size > MAX_FILE_BYTES:
            self._left_out += 1
            return
        texts = {key: self._blotted(v) for key, v in entry.items() if isinstance(v, str)}
        kept = {key: cut_middle(text, MAX_TEXT_CHARS) for key, text in texts.items()}
        cut = entry.get("cut", False) or kept != texts
        # As text: a path that an agent gives may be no text.
        self.add(json.dumps(entry | kept | {"cut": cut}, default=str) + "\n", began)

    def _note(self, error: OSError | ValueError) -> None:
        reason = getattr(error, "strerror", None) or str(error)
        self._problem = self._problem or reason

    def _check(self) -> None:
        if self._problem:
            raise InfrastructureError(
                f"the trajectory cannot be written to {self._path}: {self._problem}"
            )


def new_line(kind: str, step: int, content: str, began: datetime | None = None) -> dict[str, Any]:
    """What every line of a trajectory has.

    Args:
        kind: What kind of thing it tells of.
        step: Number of the model call that it is, or that it follows.
        content: What was said or done.
        began: When; now if not given.
    """
    return {
        "time": (began or datetime.now(UTC)).isoformat(timespec="microseconds"),
        "step": step,
        "kind": kind,
        "content": content,
        "tokens_in": None,
        "tokens_out": None,
        "cost_usd": None,
    }
