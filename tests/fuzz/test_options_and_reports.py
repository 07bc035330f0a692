"""Short texts: options of the command line, and what agents report and say that they spent."""

# ruff: noqa: PT017 - an error is as right as a result
from __future__ import annotations

import json
import re
from dataclasses import astuple
from pathlib import Path

from fuzz.harness import damaged, fuzz, often, scratch, texts
from hypothesis import strategies as st

from pytest_autoexp.agents.command import read_usage
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.errors import UsageError
from pytest_autoexp.reported import read_report
from pytest_autoexp.selection import Selection, Shard, read_case_names
from pytest_autoexp.verify import MetricsUnreadableError, check_metrics, reported_metrics

TOY = load_task(Path(__file__).parents[1] / "toy" / "task.yaml")

parts = st.sampled_from(["0", "1", "7", "12", "999", "9" * 18, "9" * 30, "all", "-", "1-5", "3-1"])
joints = st.sampled_from([",", ",", "-", " ", "", ",,", "/", "_", ";", "\n", "\0", "\uff11", "#"])
specs = often(
    st.lists(st.tuples(parts, joints).map("".join), max_size=6).map(
        lambda found: "".join(found)[:-1]
    ),
    texts() | st.text(st.sampled_from("0123456789,-/ al"), max_size=12),
)


@fuzz(specs)
def test_a_selection_is_the_numbers_that_are_written_or_is_refused(text: str) -> None:
    words = text.replace(" ", "").split(",")
    is_right = all(re.fullmatch("all|[0-9]{1,18}(-[0-9]{1,18})?", word) for word in words)
    bounds = [list(map(int, word.split("-"))) for word in words if is_right and word != "all"]
    is_right = is_right and all(pair[0] <= pair[-1] for pair in bounds)
    try:
        found = Selection.parse(text, "--seeds")
    except UsageError:
        assert not is_right
        return
    assert is_right
    below = [n for n in range(20) if any(pair[0] <= n <= pair[-1] for pair in bounds)]
    assert list(found.numbers_below(20)) == below
    assert found.all == ("all" in words)


@fuzz(specs, st.lists(texts(), max_size=20))
def test_a_shard_is_a_share_or_is_refused(text: str, names: list[str]) -> None:
    try:
        shard = Shard.parse(text, "ini autoexp_shard")
    except UsageError:
        return
    assert 1 <= shard.index <= shard.count
    assert shard.share(names) <= set(names)


case_names = st.tuples(st.sampled_from(["toy", "2205.00048", "a_b", "..", ""]), specs).map("_".join)


@fuzz(case_names | specs, st.lists(case_names | specs, max_size=4).map("\n".join))
def test_cases_are_names_or_are_refused(name: str, file: str) -> None:
    with scratch() as folder:
        (folder / "cases.txt").write_bytes(file.encode(errors="replace"))
        for spec in (name, "cases.txt"):
            try:
                found = read_case_names([spec], folder)
            except UsageError as error:
                assert str(error).startswith(("--cases", "cases.txt:"))
                continue
            assert found
            for case in found:
                assert case.task_id in (name if spec == name else file).replace(" ", "")
                assert all(re.fullmatch("[A-Za-z0-9-]+", id_, re.ASCII) for id_ in case.ids)


GOLD = {
    experiment.name: {
        name: [m.expected for m in tree] if isinstance(tree, tuple) else tree.expected
        for name, tree in experiment.metrics.items()
    }
    for experiment in TOY.experiments
}
WRONG = st.sampled_from(
    ["NaN", "1e999", "9" * 5000, "[" * 5000, "true", '"1"', '"\\ud800"', "{}", "[]"]
)


@fuzz(
    st.booleans(),
    st.sampled_from(["0.431658", "[0.234499", '"mean": ', '"moments"', "{", "}"]),
    WRONG,
    damaged(json.dumps(GOLD).encode()),
)
def test_a_report_is_an_object_or_nothing(
    by_bytes: bool, place: str, wrong: str, content: bytes
) -> None:
    if not by_bytes:
        content = json.dumps(GOLD).replace(place, wrong, 1).encode()
    with scratch() as left:
        (left / "report.json").write_bytes(content)
        reported = read_report(left, {})
    assert isinstance(reported.metrics, dict)
    for experiment in TOY.experiments:
        try:
            metrics = reported_metrics(reported.answer(experiment.name))
        except MetricsUnreadableError:
            continue
        for check in check_metrics(experiment, metrics, 0.05):
            assert not check.ok or abs(check.measured - check.expected) <= 0.05 * abs(
                check.expected
            )


@fuzz(
    damaged(b'{"steps": 3, "tokens_in": 1000, "tokens_out": 200, "cost_usd": 0.01}')
    | WRONG.map(str.encode)
)
def test_what_is_said_to_be_spent_is_an_amount_or_unknown(content: bytes) -> None:
    for amount in astuple(read_usage(content)):
        assert amount is None or 0 <= amount < 1e15
