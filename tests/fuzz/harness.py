"""How fuzz tests run: bounded and always the same, or at length where one asks for it.

``AUTOEXP_FUZZ_EXAMPLES=100000`` tries so many inputs of each test, others every time.

An input that takes longer than :data:`LONGEST_SEC` is a failure, and is shown like any other.
Native code that does not come back, or crashes, ends the process: with its stack on standard
error, and the input in a file of :data:`INPUTS`.
"""

from __future__ import annotations

import faulthandler
import functools
import math
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

EXAMPLES = int(os.environ.get("AUTOEXP_FUZZ_EXAMPLES", "0"))
"""How many inputs of each test are tried; 0 for the bounded run."""

BOUNDED_EXAMPLES = 200
"""How many the bounded run tries, unless they take long."""

LONGEST_SEC = 60.0
"""What takes longer hangs, as far as one may tell."""

KEPT = Path(__file__).parents[2] / ".hypothesis"
"""What is kept of failures: at length, failing inputs, which the next run begins with."""

INPUTS = KEPT / "fuzz"
"""Here lies the input of each test that runs, and stays if the process dies of it."""

T = TypeVar("T")


def fuzz(
    *strategies: st.SearchStrategy[Any], bounded: int = BOUNDED_EXAMPLES, share: float = 1.0
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function of generated inputs a test.

    Args:
        strategies: What generates its arguments.
        bounded: How many inputs the bounded run tries.
        share: Part of the inputs that are tried at length, where one takes a quarter of a second.
    """
    chosen = settings(
        max_examples=math.ceil(EXAMPLES * share) or bounded,
        derandomize=not EXAMPLES,
        database=DirectoryBasedExampleDatabase(KEPT / "examples") if EXAMPLES else None,
        deadline=None,
        print_blob=bool(EXAMPLES),
        suppress_health_check=list(HealthCheck),
    )
    return lambda test: chosen(given(*strategies)(_watched(test)))


_input: TextIO | None = None
"""The file for inputs, while a test is watched."""


@contextmanager
def watching(name: str, stderr: int) -> Iterator[None]:
    """Watch over the inputs of a test: none may take too long.

    It takes the kernel's timers, which cost nothing and reach native code too; so pytest-timeout
    must not take signals beside it.

    Args:
        name: The test's name.
        stderr: File descriptor for the stack of a process that has to end.
    """
    global _input  # noqa: PLW0603 - timers are the process's, too
    INPUTS.mkdir(parents=True, exist_ok=True)
    file = INPUTS / f"{name}-{os.getpid()}.txt"
    before = signal.signal(signal.SIGALRM, _give_up)
    faulthandler.register(signal.SIGPROF, stderr, chain=True)  # and the process ends
    try:
        with file.open("w", encoding="utf-8", errors="backslashreplace") as _input:
            yield
    finally:
        _input = None
        faulthandler.unregister(signal.SIGPROF)
        signal.signal(signal.SIGALRM, before)
    file.unlink()


def _give_up(*_: object) -> None:
    pytest.fail(f"no end after {LONGEST_SEC:g} s")


def _watched(test: Callable[..., None]) -> Callable[..., None]:
    """The test, which fails at an input that takes too long."""

    @functools.wraps(test)
    def watched(*args: Any, **kwargs: Any) -> None:
        if not _input:  # guided: the other fuzzer watches
            return test(*args, **kwargs)
        _input.seek(0)
        _input.truncate()
        _input.write(repr((args, kwargs)))
        _input.flush()
        # Again and again, as what raises in a callback may be lost.
        signal.setitimer(signal.ITIMER_REAL, LONGEST_SEC, LONGEST_SEC / 10)
        signal.setitimer(signal.ITIMER_PROF, 1.5 * LONGEST_SEC)
        try:
            return test(*args, **kwargs)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.setitimer(signal.ITIMER_PROF, 0)

    return watched


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for one input."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        yield Path(folder)


def often(usual: st.SearchStrategy[T], rare: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """The usual three times out of four."""
    return st.integers(0, 3).flatmap(lambda dice: rare if dice == 3 else usual)


JUNK_BYTES = [
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1b[2J", b"\r", b"\n", b"\t", b"\x0c"),
    *(b"\xed\xa0\x80", b"\xe2\x80\xae", b"\xc2\x85", b"{", b"[", b"]", b"}", b'"', b"'", b"\\"),
    *(b"9" * 400, b"1e999", b"-", b"&a ", b"*a", b"<<: *a", b"!!x ", b"? ", b"- ", b": ", b"#"),
]
"""What is put into a file's bytes."""


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A file of which up to three pieces are cut out, doubled, or replaced by junk."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        piece = content[start:end]
        new = draw(
            st.sampled_from([b"", piece * 2, content[:end], piece[::-1]])
            | st.sampled_from(JUNK_BYTES)
            | st.binary(max_size=8)
        )
        content = content[:start] + new + content[end:]
    return content


def damaged_lines(
    content: str, lines: st.SearchStrategy[str], words: st.SearchStrategy[str]
) -> st.SearchStrategy[str]:
    """A text of which some lines are gone, doubled, swapped, moved in or out, or others.

    Args:
        content: The text.
        lines: What may stand in the place of a line.
        words: What may stand in the place of the rest of a line, behind its first colon.
    """

    @st.composite
    def made(draw: st.DrawFn) -> str:
        found = content.split("\n")
        for _ in range(draw(st.integers(1, 4))):
            at, other = (draw(st.integers(0, len(found) - 1)) for _ in range(2))
            match draw(st.sampled_from(["word", "word", "line", "add", "drop", "swap", "indent"])):
                case "word":
                    head, colon, _ = found[at].partition(":")
                    found[at] = f"{head}{colon} {draw(words)}"
                case "line":
                    found[at] = draw(lines)
                case "add":
                    found.insert(at, draw(lines | st.just(found[other])))
                case "drop":
                    found[at : at + 1] = found[at : at + 1] * draw(st.integers(0, 2)) or [""]
                case "swap":
                    found[at], found[other] = found[other], found[at]
                case "indent":
                    margin = draw(st.sampled_from(["", " ", "    ", "\t", "  - ", "# "]))
                    found[at] = margin + found[at].lstrip(draw(st.sampled_from([" ", ""])))
        return "\n".join(found)

    return made()


def texts(**characters: Any) -> st.SearchStrategy[str]:
    """Short texts, without lone surrogates unless asked for."""
    return st.text(st.characters(**({"exclude_categories": ["Cs"]} | characters)), max_size=12)
