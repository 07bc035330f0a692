"""Inside a traced version: note which functions are called."""

from __future__ import annotations

import os

seen: set[str] = set()


def note(label: str, variable: str) -> None:
    """Append a label to the file that an environment variable names, once in a process.

    One write to a file opened for appending is whole, whoever else writes: other threads and
    processes do.
    """
    seen.add(label)
    if path := os.environ.get(variable):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        os.write(descriptor, f"{label}\n".encode())
        os.close(descriptor)
