"""Recording: the one test of a task whose metrics are measured and written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_autoexp.checking.record import Recorded


def test_record(recorded: Recorded) -> None:
    """The task's own code is measured; what came out stands in its task.yaml."""
    assert not recorded.problems, "\n".join(recorded.problems)
