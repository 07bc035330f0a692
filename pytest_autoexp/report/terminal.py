"""The table at the end of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest


@dataclass
class _Cell:
    """Outcomes of one agent and n.  ``cases`` holds passes and tries by (task, seed)."""

    errors: int = 0
    cases: dict[tuple[str, int], list[bool]] = field(default_factory=lambda: defaultdict(list))

    @property
    def pass_at_1(self) -> float | None:
        """Mean over the cases of the share of attempts that passed; errors do not count."""
        shares = [sum(tries) / len(tries) for tries in self.cases.values()]
        return sum(shares) / len(shares) if shares else None


def summary_lines(reports: Iterable[pytest.TestReport]) -> Iterator[str]:
    """The table: pass@1 and counts per agent and n, errors apart.

    Args:
        reports: All final reports of the run's tests; others are passed over.
    """
    cells: dict[tuple[str, int], _Cell] = defaultdict(_Cell)
    for report in reports:
        known = dict(report.user_properties)
        if "autoexp.task" not in known:
            continue
        cell = cells[str(known["autoexp.agent"]), int(str(known["autoexp.n"]))]
        if report.when == "call":
            key = (str(known["autoexp.task"]), int(str(known["autoexp.seed"])))
            cell.cases[key].append(report.passed)
        else:
            cell.errors += 1
    if not cells:
        return
    rows = [("agent", "n", "pass@1", "passed", "failed", "errors")]
    for (agent, n), cell in sorted(cells.items()):
        tries = [ok for case in cell.cases.values() for ok in case]
        share = "-" if cell.pass_at_1 is None else f"{cell.pass_at_1:.1%}"
        failed = len(tries) - sum(tries)
        rows.append((agent, str(n), share, str(sum(tries)), str(failed), str(cell.errors)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells_text = [row[0].ljust(widths[0])]
        cells_text += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  ".join(cells_text)
