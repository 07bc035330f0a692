"""Python source files as bytes and as text, without changing a byte on the way."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_autoexp.model.errors import AutoexpError

NEWLINE = re.compile(r"\r\n|\r|\n")
"""What ends a line of Python; a form feed does not."""


class MaskingError(AutoexpError):
    """A source file or the name of a function that cannot be used; the message says why."""


@dataclass(frozen=True)
class Source:
    """A decoded source file.

    Attributes:
        text: Its text, without a byte order mark, with the newlines that it has.
        encoding: Name of the codec; ``utf-8-sig`` where the file starts with a mark.
    """

    text: str
    encoding: str


@dataclass(frozen=True)
class Edit:
    """Replacement of ``text[start:end]`` by ``new``; an insertion where both are equal."""

    start: int
    end: int
    new: str


def decode(source: bytes) -> Source:
    """Decode a file by the rules of Python: byte order mark, declared encoding, UTF-8.

    Args:
        source: The file's content.

    Returns:
        The text and the encoding; :func:`encode` gives the same bytes again.

    Raises:
        MaskingError: The encoding is unknown, or the bytes do not decode and encode with it.
    """
    # Python translates newlines before it looks for the declaration in the first two lines.
    universal = source.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(universal).readline)
        text = source.decode(encoding)
        restored = text.encode(encoding)
    except (SyntaxError, LookupError, UnicodeError) as error:
        raise MaskingError(f"cannot be decoded: {error}") from error
    if restored != source:
        raise MaskingError(f"does not survive decoding and encoding as {encoding}")
    return Source(text, encoding)


def encodable(text: str, encoding: str) -> bool:
    """True if the text survives being written in this encoding and read again.

    Some codecs write a character as another one (Shift JIS writes the yen sign as a
    backslash), so that encoding without an error is not enough.
    """
    try:
        return text.encode(encoding).decode(encoding) == text
    except UnicodeError:
        return False


def encode(text: str, encoding: str) -> bytes:
    """The bytes of a file that :func:`decode` read as this text and encoding."""
    return text.encode(encoding)


def splice(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits that do not overlap; insertions at one place keep their order."""
    parts: list[str] = []
    done = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        parts += text[done : edit.start], edit.new
        done = edit.end
    return "".join([*parts, text[done:]])
