"""Values of metrics and hidden experiments in texts that an agent may read."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pytest_autoexp.checking.readable import Leak, Text
from pytest_autoexp.model.task import Experiment
from pytest_autoexp.verify import metric_leaves

MIN_DIGITS = 3
"""Significant digits that a number must have, and share with a metric, to be evidence."""

MANY_NUMBERS = 200
"""In a data file with more numbers than this, :data:`MIN_DIGITS_AMONG_MANY` are asked for."""

MIN_DIGITS_AMONG_MANY = 5
"""Three digits of some among thousands of numbers are those of a metric by chance."""

_MAX_DIGITS = 17  # those of a float
_SHOWN_METRICS = 3
_NUMBER = re.compile(
    r"(?<![\w.])(?P<mantissa>\d+\.?\d*|\.\d+)(?:[eE](?P<exponent>[-+]?\d{1,3}))?(?!\w|\.\d)"
    r"(?:\s*(?:\\times|\\cdot|[x\u00d7\u00b7*])\s*10\s*(?:\^|\*\*)\s*\{?\s*"
    r"(?P<power>[-+]?\d{1,3})(?!\d))?"
    r"(?P<percent>\s*(?:\\?%|per ?cent))?"
)
_RAISED = re.compile("[⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_LOWERED = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹\u2212", "+-0123456789-")
_BOUND = r"(?![\w-]|\.\w)"


@dataclass
class _Values:
    """The metrics of some experiments, by their values at 3 and more significant digits."""

    rounded: dict[tuple[int, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    whole: dict[tuple[int, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, value: float) -> None:
        """Add a metric, unless it is too round to be evidence."""
        digits = len(_digits(repr(abs(value)).partition("e")[0]).rstrip("0"))
        for n in range(MIN_DIGITS, digits + 1):
            self.rounded[_key(value, n)].append(name)
        if digits >= MIN_DIGITS:
            self.whole[_key(value, digits)].append(name)

    def named(self, value: float, digits: int) -> list[str]:
        """The metrics that a number with so many digits tells."""
        found = list(self.rounded.get(_key(value, digits), ()))
        for n in range(MIN_DIGITS, digits):  # the text gives more digits than task.yaml
            found += self.whole.get(_key(value, n), ())
        return found


def told_numbers(experiments: Iterable[Experiment], texts: Iterable[Text]) -> Iterator[Leak]:
    """Numbers that are the value of a metric to 3 or more significant digits.

    A number is compared to as many digits as it has, and not to more than the expected value
    has; as it stands, and as a percentage where it is one.  Expected values with fewer than 3
    significant digits are passed over, and so are round numbers, such as 0.500, 100 and 0.999.

    Args:
        experiments: The experiments with their expected values.
        texts: Where to look.
    """
    values = _Values()
    for experiment in experiments:
        for name, metric in metric_leaves(experiment):
            values.add(f"{experiment.name}: {name}", metric.expected)
    for text in texts:
        numbers = list(_numbers(text.content))
        is_many = text.kind == "data" and len(numbers) > MANY_NUMBERS
        least = MIN_DIGITS_AMONG_MANY if is_many else MIN_DIGITS
        for line, shown, value, digits in numbers:
            found = values.named(value, digits) if digits >= least else []
            if found:
                yield _number_leak(text, text.first_line + line, shown, found)


def told_experiments(experiments: Iterable[Experiment], texts: Iterable[Text]) -> Iterator[Leak]:
    """Names, commands and distinguishing options of hidden experiments.

    An option distinguishes if no visible command has it with that value.  What the code must
    name to run a command (an argument's word, an option without its value) is no leak.

    Args:
        experiments: The experiments, visible ones too.
        texts: Where to look.
    """
    experiments = tuple(experiments)
    visible = [experiment for experiment in experiments if not experiment.hidden]
    known = {word for e in visible for word in (e.name, *_words(e.command))}
    pairs = {pair for e in visible for pair in _options(e.command)}
    wanted: list[tuple[Experiment, str, re.Pattern[str], bool]] = []
    for experiment in experiments:
        if not experiment.hidden:
            continue
        words = _words(experiment.command)
        if experiment.name not in known:
            pattern = rf"(?<![\w-]){re.escape(experiment.name)}{_BOUND}"
            wanted.append((experiment, "name", re.compile(pattern), experiment.name in words))
        if experiment.command not in (e.command for e in visible):
            pattern = r"\s+".join(map(re.escape, experiment.command.split())) + _BOUND
            wanted.append((experiment, "command", re.compile(pattern), False))
        for option, value in set(_options(experiment.command)) - pairs:
            pattern = rf"(?<![\w-]){re.escape(option)}[=\s]+[\"']?{re.escape(value)}{_BOUND}"
            wanted.append((experiment, "option", re.compile(pattern), False))
    for text in texts:
        for experiment, what, expression, is_argument in wanted:
            if is_argument and text.kind == "code":
                continue
            for match in expression.finditer(text.content):
                line = text.first_line + text.content.count("\n", 0, match.start())
                shown = f"{what} {' '.join(match.group().split())!r}"
                gives = f"the hidden experiment {experiment.name}"
                yield Leak("hidden", text.file, line, shown, gives, None, "take it out")


def _numbers(content: str) -> Iterator[tuple[int, str, float, int]]:
    """Line counted from 0, text, value and significant digits of the numbers of a text."""
    for line, row in enumerate(content.split("\n")):
        plain = _RAISED.sub(lambda raised: "^" + raised.group(), row).translate(_LOWERED)
        for match in _NUMBER.finditer(plain):
            mantissa = match["mantissa"]
            digits = _digits(mantissa)
            digits = digits if "." in mantissa else digits.rstrip("0")
            power = int(match["exponent"] or 0) + int(match["power"] or 0)
            if len(digits) < MIN_DIGITS or abs(power) > 300 or _is_round(mantissa):
                continue
            value = float(mantissa) * 10.0**power / (100 if match["percent"] else 1)
            yield line, match.group().strip(), value, min(len(digits), _MAX_DIGITS)


def _is_round(mantissa: str) -> bool:
    """True for 0.500 and 100, and for 0.999, which is as far from 1 as a round number is."""
    digits = _digits(mantissa).rstrip("0")
    return len(digits) < 2 or (float(mantissa) < 1 and set(digits[:-1]) == {"9"})


def _digits(mantissa: str) -> str:
    """The significant digits of a decimal, zeros at its end too."""
    return mantissa.replace(".", "").lstrip("0")


def _key(value: float, digits: int) -> tuple[int, str]:
    return digits, f"{abs(value):.{digits - 1}e}"


def _number_leak(text: Text, line: int, shown: str, found: list[str]) -> Leak:
    names = sorted(set(found))
    gives = ", ".join(names[:_SHOWN_METRICS])
    if len(names) > _SHOWN_METRICS:
        gives += f" and {len(names) - _SHOWN_METRICS} more"
    advice = "take it out, or round it to two digits"
    if text.kind != "prose":
        advice = "take it out; a setting that has this value by chance may be given another"
    return Leak("number", text.file, line, shown, f"the metric {gives}", None, advice)


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # quotes that only a shell understands
        return command.split()


def _options(command: str) -> Mapping[tuple[str, str], None]:
    """The options of a command with their values, in their order."""
    words = _words(command)
    found: dict[tuple[str, str], None] = {}
    for word, behind in zip(words, [*words[1:], "-"], strict=True):
        option, equals, value = word.partition("=")
        if not option.startswith("-") or option in ("-m", "-c"):
            continue
        if equals:
            found[option, value] = None
        elif not behind.startswith("-"):
            found[option, behind] = None
    return found
