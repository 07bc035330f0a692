"""Bounded output."""

from __future__ import annotations

import pytest

from pytest_autoexp.sandbox.capture import Capture


@pytest.mark.parametrize(
    ("cap", "chunks", "text", "truncated"),
    [
        (4, [], "", False),
        (4, [b"abcd"], "abcd", False),
        (4, [b"a", b"b", b"cd"], "abcd", False),
        (4, [b"abcde"], "ab\n[... 1 bytes cut out ...]\nde", True),
        (5, [b"abcdefgh"], "ab\n[... 3 bytes cut out ...]\nfgh", True),
        (4, [b"abc", b"defghij", b"k"], "ab\n[... 7 bytes cut out ...]\njk", True),
        (0, [b"abc"], "\n[... 3 bytes cut out ...]\n", True),
        (1, [b"abc"], "\n[... 2 bytes cut out ...]\nc", True),
        (9, [b"a\xffb"], "a\ufffdb", False),
        (9, ["é".encode()[:1], "é".encode()[1:]], "é", False),
    ],
)
def test_keeps_the_first_and_the_last_half(
    cap: int, chunks: list[bytes], text: str, truncated: bool
) -> None:
    capture = Capture(cap)
    for chunk in chunks:
        capture.feed(chunk)
    assert capture.text() == text
    assert capture.truncated is truncated
    assert capture.total_bytes == sum(map(len, chunks))
