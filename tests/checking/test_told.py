from __future__ import annotations

from typing import Literal

import pytest

from pytest_autoexp.checking.readable import Text
from pytest_autoexp.checking.told import MANY_NUMBERS, told_experiments, told_numbers
from pytest_autoexp.model.task import Experiment, Metric


def experiment(
    value: float = 0.0, command: str = "python main.py", name: str = "main", hidden: bool = False
) -> Experiment:
    return Experiment(name, "", command, 10.0, {"loss": Metric(value)}, frozenset(), hidden)


def found(
    value: float, content: str, kind: Literal["prose", "code", "data"] = "prose"
) -> list[tuple[int, str]]:
    texts = [Text("paper.md", 1, content, kind)]
    return [(leak.line, leak.found) for leak in told_numbers([experiment(value)], texts)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.4316586, "the loss is 0.432"),
        (0.4316586, "the loss is .4317."),
        (0.4316586, "the loss is 0.4316586155"),
        (0.4316586, "a share of 43.2%"),
        (0.4316586, r"a share of $43.2\,\%$".replace(r"\,", " ")),
        (0.4316586, "43.17 per cent"),
        (-0.4316586, "loss=-0.432"),
        (-0.4316586, "loss=\u22120.432"),
        (0.0004316586, "4.32e-4"),
        (0.0004316586, "4.32E-04"),
        (0.0004316586, "4.32 \u00d7 10\u207b\u2074"),
        (0.0004316586, r"$4.32 \times 10^{-4}$"),
        (0.0004316586, r"$4.32\cdot 10^{-4}$"),
        (4316.586, "4317 steps"),
        (0.125, "0.125"),
        (0.431, "0.4310"),
    ],
)
def test_a_metric_with_three_digits_is_found(value: float, text: str) -> None:
    assert [line for line, _ in found(value, f"First.\n{text}\n")] == [2]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.4316586, "0.43"),
        (0.4316586, "0.4326"),
        (0.4316586, "0.43264"),
        (0.4316586, "4.32"),
        (0.4316586, "43.2"),
        (0.4316586, "1.0.432 and v0.432"),
        (0.4316586, "0.432.1"),
        (0.5, "0.500"),
        (0.50001, "0.500"),
        (100.0, "100"),
        (1.0, "1.00"),
        (0.25, "0.250"),
        (12.0, "12"),
        (0.99894, "0.999"),
        (0.0, "0.000"),
    ],
)
def test_no_evidence(value: float, text: str) -> None:
    assert found(value, text) == []


def test_among_the_many_numbers_of_a_data_file_five_digits_are_asked_for() -> None:
    many = "\n".join("7" for _ in range(10 * MANY_NUMBERS)).replace("7", "7.77")
    rows = f"{many}\n0.432\n0.43166\n"

    assert [text for _, text in found(0.4316586, rows, "data")] == ["0.43166"]
    assert [text for _, text in found(0.4316586, rows, "code")] == ["0.432", "0.43166"]
    assert [text for _, text in found(0.4316586, "0.432", "data")] == ["0.432"]


def test_a_leak_names_file_line_number_and_metric() -> None:
    (leak,) = told_numbers([experiment(0.4316)], [Text("code/a.py", 5, "x\nRATE = 0.432", "code")])

    assert str(leak).startswith("code/a.py:6: 0.432 gives away the metric main: loss; take it out")


VISIBLE = experiment(command="python main.py fit --seed 0 --depth 3", name="fit")
HIDDEN = experiment(
    command="python main.py fit --seed 7 --depth 3", name="fit-reseeded", hidden=True
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("also fit-reseeded is run", ["name 'fit-reseeded'"]),
        ("try `--seed 7`", ["option '--seed 7'"]),
        ("try `--seed=7`.", ["option '--seed=7'"]),
        (
            "python main.py fit --seed 7\n   --depth 3",
            ["command 'python main.py fit --seed 7 --depth 3'", "option '--seed 7'"],
        ),
        ("try `--seed 70` or --seed 7.5", []),
        ("my-fit-reseeded-twice", []),
        ("parser.add_argument('--seed', default=7)", []),
        ("run it with --depth 3 and --seed 0: fit", []),
    ],
)
def test_hidden_experiments(text: str, told: list[str]) -> None:
    leaks = told_experiments([VISIBLE, HIDDEN], [Text("README.md", 1, text, "prose")])

    assert [leak.found for leak in leaks] == told


def test_a_name_that_the_command_needs_is_no_leak_in_code() -> None:
    hidden = experiment(command="python main.py shifted", name="shifted", hidden=True)
    texts = [Text("code/main.py", 1, "if name == 'shifted':", "code")]

    assert list(told_experiments([VISIBLE, hidden], texts)) == []
    texts = [Text("paper.md", 1, "We also run it shifted.", "prose")]
    assert len(list(told_experiments([VISIBLE, hidden], texts))) == 1
