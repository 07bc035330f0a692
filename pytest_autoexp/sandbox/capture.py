"""Keep the first and the last half of a stream, and no more of it in memory."""

from __future__ import annotations


class Capture:
    """Collects output up to a cap: its beginning and its end.

    Attributes:
        total_bytes: How much was fed.
    """

    def __init__(self, cap_bytes: int) -> None:
        self.total_bytes = 0
        self._head_cap = cap_bytes // 2
        self._tail_cap = cap_bytes - self._head_cap
        self._head = bytearray()
        self._tail = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Add the next bytes of the stream."""
        self.total_bytes += len(chunk)
        missing = self._head_cap - len(self._head)
        self._head += chunk[:missing]
        self._tail += chunk[missing:]
        del self._tail[: max(0, len(self._tail) - self._tail_cap)]

    @property
    def truncated(self) -> bool:
        """True if the middle was cut out."""
        return self.total_bytes > self._head_cap + self._tail_cap

    def text(self) -> str:
        """What was kept, decoded as UTF-8 with replacement; a line stands for what was cut."""
        if not self.truncated:
            return (self._head + self._tail).decode("utf-8", "replace")
        cut = self.total_bytes - len(self._head) - len(self._tail)
        head, tail = (part.decode("utf-8", "replace") for part in (self._head, self._tail))
        return f"{head}\n[... {cut} bytes cut out ...]\n{tail}"
