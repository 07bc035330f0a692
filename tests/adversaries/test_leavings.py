"""Agents that leave more behind than anybody needs: what counts of it comes out all the same."""

from __future__ import annotations

import pytest
from adversaries.cheating import FORGED, WORKING, Arena, verdicts, writes

from pytest_autoexp import solution
from pytest_autoexp.model.result import AgentResult
from pytest_autoexp.sandbox.host import tree as host_tree
from pytest_autoexp.sandbox.protocol import Sandbox
from pytest_autoexp.solution import MAX_DIFF_FILE_BYTES, MAX_SOURCE_BYTES

LEFT = {
    "checkpoint": f"head -c {MAX_DIFF_FILE_BYTES + 1} /dev/zero > a.ckpt",
    "hole": "truncate -s 30M a.hole",
    "long module": f"truncate -s {MAX_SOURCE_BYTES + 1} a.py",
}
"""By name of what is left, in the folder of the code."""

HELPER = {"zz_helper.py": "def add(values):\n    return sum(values)\n"}
HELPED = "from zz_helper import add\nreturn add(values) / len(values)"


def test_what_counts_for_nothing_stays_behind(each_arena: Arena) -> None:
    result = each_arena.cheat(WORKING, command="\n".join(LEFT.values()))
    assert verdicts(result) == [True, True]
    assert {line.removeprefix("'./").removeprefix("'") for line in result.dropped} == {
        f"code/a.ckpt': new file, larger than {MAX_DIFF_FILE_BYTES} bytes",
        f"code/a.hole': new file, larger than {MAX_DIFF_FILE_BYTES} bytes",
        f"code/a.py': new file, larger than {MAX_SOURCE_BYTES} bytes",
    }


@pytest.mark.parametrize(
    "fill",
    [
        f"for i in $(seq 400); do truncate -s {MAX_DIFF_FILE_BYTES} a$i; done",
        f"truncate -s {MAX_DIFF_FILE_BYTES} a; for i in $(seq 400); do ln a a$i; done",
        "for i in $(seq 20); do truncate -s 30M ../report.json.$i a$i.ckpt; done",
    ],
    ids=["holes", "hard-links", "many large"],
)
def test_tree_that_is_too_large_costs_nobody_what_counts(each_arena: Arena, fill: str) -> None:
    result = each_arena.cheat(HELPED, files=HELPER, command=fill)
    assert verdicts(result) == [True, True]
    assert result.dropped


def test_more_files_than_may_come_out_cost_nobody_what_counts(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solution, "MAX_OTHER_FILES", 20)
    monkeypatch.setattr(host_tree, "MAX_TREE_FILES", 60)
    fill = "mkdir a_out && cd a_out && touch $(seq 100) && mkdir $(seq 101 200)"
    report = f"echo '{{\"moments\": {FORGED}}}' > ../report.json"
    result = arena.cheat(HELPED, files=HELPER, command=f"{report}; {fill}")
    assert verdicts(result) == [True, True]
    assert result.reported_matches
    assert "more than 20 files that are no Python modules" in "\n".join(result.dropped)
    assert not [line for line in result.dropped if "deleted" in line]


def test_record_that_an_agent_names_comes_out_however_long(arena: Arena) -> None:
    def agent(sandbox: Sandbox) -> AgentResult:
        writes({})(sandbox)
        sandbox.run("head -c 1000000 /dev/zero | tee log.txt > other.txt", time_limit_sec=30)
        return AgentResult(transcript="./log.txt")

    result, artifacts = arena.run(agent)
    assert artifacts.transcript == bytes(1_000_000)
    assert result.dropped == (f"'other.txt': new file, larger than {MAX_DIFF_FILE_BYTES} bytes",)
