"""results.jsonl: whatever stands between them, every whole line of a trial is read, and told."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzz.harness import damaged, fuzz, often, scratch, texts
from hypothesis import strategies as st
from report.html.made import result, trial

from pytest_autoexp.model.errors import UsageError
from pytest_autoexp.model.result import TrialResult
from pytest_autoexp.past import find_solutions, read_past
from pytest_autoexp.report.html.details import detail
from pytest_autoexp.report.html.page import write_report
from pytest_autoexp.report.records import read_records
from pytest_autoexp.report.results import (
    RESULTS_FILE,
    TORN_SUFFIX,
    append_line,
    read_result,
    trial_line,
)
from pytest_autoexp.report.terminal import summary_lines, table
from pytest_autoexp.selecting import read_judged

RUN = "20260101T000000Z-abcdef"
WHOLE = [
    trial_line(trial(), RUN, "passed", result=result(), artifacts="artifacts/x"),
    trial_line(
        trial(seed=1, n=2, agent_options={"model": "m"}), RUN, "failed", result=result(ok=False)
    ),
    trial_line(trial(task="t", seed=2), RUN, "error", reason="no engine"),
]
# fmt: off
ODD = [
    *("null", "true", "-1", "0", "1.5", "NaN", "Infinity", "-Infinity", "1e999", "9" * 400),
    "9" * 5000,
    *('""', '"x"', '"\\ud800"', '"\\u0000"', '"\\u001b[2J</script>"', '"\\u202e"', '"../.."'),
    '"/etc"',
    *('"passed"', '"failed"', '"error"', "[]", "[[]]", "{}", '{"a": 1}', "[" * 30 + "]" * 30),
    "[null]",
    *("1e18", "-0.0", '"a/\\u0000b"', '"' + "x" * 3000 + '"', "2", "[1, [2]]"),
    '[{"exit_code": 1}]',
]
# fmt: on


@dataclass(frozen=True)
class Raw:
    """JSON as it is to be written."""

    text: str


def dumped(value: Any) -> str:
    """JSON of a value that holds raw parts."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {dumped(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dumped, value)) + "]"
    return json.dumps(value)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else []
    items = enumerate(value) if isinstance(value, list) else items
    return [path, *(place for key, inner in items for place in places(inner, (*path, key)))]


@st.composite
def retyped(draw: st.DrawFn) -> bytes:
    """A line of which some values are others, are gone, or stand twice."""
    line = json.loads(json.dumps(draw(st.sampled_from(WHOLE))))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from([place for place in places(line) if place]))
        holder = line
        for key in way:
            holder = holder[key]
        if draw(st.integers(0, 4)) == 0:
            del holder[last]
        else:
            holder[last] = Raw(draw(st.sampled_from(ODD) | texts().map(json.dumps)))
            if way or draw(st.booleans()):
                continue
        if not isinstance(line, dict) or not line:
            break
    return dumped(line).encode()


broken = (
    retyped()
    | st.sampled_from(WHOLE).flatmap(lambda line: damaged(json.dumps(line).encode()))
    | st.sampled_from(ODD).map(str.encode)
    | st.sampled_from(
        [
            b"",
            b"\0" * 40,
            b"\xff\xfe{\0}\0",
            b"\xef\xbb\xbf{}",
            b'{"a":' * 5000,
            b"\r",
            RUN.encode(),
        ]
    )
)


def whole(number: int) -> dict[str, Any]:
    """A line that nothing else is like."""
    line = json.loads(json.dumps(WHOLE[number % len(WHOLE)]))
    line["digest"] = f"whole-{number}"
    return dict(line)


def write(folder: Path, found: list[bytes | int]) -> list[str]:
    """Write lines, those given by numbers being whole; gives these ones' digests."""
    lines = [json.dumps(whole(item)).encode() if isinstance(item, int) else item for item in found]
    folder.joinpath(RESULTS_FILE).write_bytes(b"".join(line + b"\n" for line in lines))
    return [f"whole-{item}" for item in found if isinstance(item, int)]


files = st.lists(often(broken, st.integers(0, 99)), max_size=6)


@fuzz(files)
def test_every_whole_line_is_read_and_no_other_harms_it(found: list[bytes | int]) -> None:
    with scratch() as folder:
        wanted = write(folder, found)
        records = read_records([folder])
        assert [r.digest for r in records.all if r.digest.startswith("whole-")] == wanted
        for problem in records.problems:
            assert "\n" not in problem
        for record in records.all:
            with contextlib.suppress(LookupError, TypeError, ValueError):
                assert isinstance(read_result(record.line(), record.artifacts), TrialResult)
        judged = [record for record in records.all if record.judged and record.run == RUN]
        attempts = [a for case in read_judged(folder, RUN).values() for a in case]
        assert len(attempts) <= len(judged)
        assert read_past(folder).records == records
        with contextlib.suppress(UsageError):
            find_solutions(str(folder), folder, folder)
        latest = records.latest()
        if latest:
            table(latest)
            list(summary_lines(latest))
        for gold in (False, True):
            for record in records.all:
                json.dumps(detail(record, 2_000, gold=gold))


@fuzz(files, st.binary(max_size=30) | st.integers(0, 10_000), st.booleans())
def test_what_is_appended_behind_a_torn_line_is_read_and_the_torn_one_is_kept(
    found: list[bytes | int], torn: bytes | int, ended: bool
) -> None:
    with scratch() as folder:
        wanted = write(folder, found)
        file = folder / RESULTS_FILE
        tail = torn if isinstance(torn, bytes) else json.dumps(whole(torn)).encode()[: torn or None]
        before = file.read_bytes() + tail + b"\n" * ended
        file.write_bytes(before)
        append_line(folder, whole(100))
        digests = [record.digest for record in read_records([folder]).all]
        assert [d for d in digests if d.startswith("whole-")][: len(wanted)] == wanted
        assert digests[-1] == "whole-100"
        aside = folder / (RESULTS_FILE + TORN_SUFFIX)
        kept = file.read_bytes() + (aside.read_bytes() if aside.exists() else b"")
        assert all(line in kept for line in before.split(b"\n"))


@fuzz(files, st.booleans(), bounded=4, share=0.02)
def test_a_report_is_written_of_whatever_is_there(found: list[bytes | int], gold: bool) -> None:
    with scratch() as folder:
        write(folder, [0, 1, *found])
        records = write_report([folder], folder / "report.html", [folder] if gold else None)
        assert len(records.all) >= 2
        page = folder.joinpath("report.html").read_text(encoding="utf-8")
        assert page.endswith("</html>\n")
        assert "\x1b" not in page
