"""Are wrong versions of a function caught at the task's tolerance?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_autoexp.checking.bench import Bench
from pytest_autoexp.checking.mistakes import Equivalent, Mistake
from pytest_autoexp.checking.order import dependent, time_limits_sec
from pytest_autoexp.masking.mutants import mutants, sample, unified_diff
from pytest_autoexp.masking.source import decode
from pytest_autoexp.model.result import ExperimentResult


@dataclass(frozen=True)
class Tried:
    """A wrong version of a function, and whether it was caught.

    Attributes:
        id: Its name: that of a mutant, or ``target: name`` of a mistake.
        what: What is wrong, in a few words.
        caught_by: The experiment that did not pass; None if all passed.
        reason: Why it did not: the first metric that is wrong, or how it ended.
        diff: The change as a unified diff.
    """

    id: str
    what: str
    caught_by: str | None
    reason: str
    diff: str


@dataclass(frozen=True)
class Sharp:
    """How well the experiments tell wrong versions of one function from the right one.

    Attributes:
        target: The function.
        mutants: The generated wrong versions that were tried.
        mistakes: The author's own.
        equivalent: The mutants that the author lists as equivalent: not tried, not counted.
        generated: How many mutants there are, the equivalent ones included.
    """

    target: str
    mutants: tuple[Tried, ...]
    mistakes: tuple[Tried, ...]
    equivalent: tuple[Equivalent, ...]
    generated: int

    @property
    def survivors(self) -> tuple[Tried, ...]:
        """The wrong versions that every experiment takes for right."""
        return tuple(t for t in (*self.mutants, *self.mistakes) if t.caught_by is None)


def check_sharp(
    bench: Bench,
    target: str,
    gold_sec: Mapping[str, float],
    mistakes: Iterable[Mistake],
    equivalent: Sequence[Equivalent],
    limit: int,
) -> Sharp:
    """Run wrong versions of one function, each up to the first experiment that catches it.

    Args:
        bench: The task.
        target: The function.
        gold_sec: How long each experiment takes on the task's own code, by name.
        mistakes: The author's wrong versions; those of other functions are passed over.
        equivalent: The mutants that are not tried; those of other functions are passed over.
        limit: How many mutants are tried at most.

    Raises:
        InfrastructureError: If something on our side breaks.
    """
    path = target.partition("::")[0]
    source = bench.source(path)
    generated = mutants(source, target)
    ids = {mutant.id for mutant in generated}
    listed = tuple(e for e in equivalent if e.mutant in ids)
    ids -= {e.mutant for e in listed}
    chosen = sample([mutant for mutant in generated if mutant.id in ids], limit)
    experiments = dependent(bench.task, target, gold_sec)
    limits_sec = time_limits_sec(gold_sec)

    def tried(name: str, what: str, version: bytes, diff: str) -> Tried:
        wrong = bench.first_wrong(experiments, {path: version}, limits_sec)
        if wrong is None:
            return Tried(name, what, None, "", diff)
        return Tried(name, what, wrong.name, _reason(wrong), diff)

    return Sharp(
        target,
        tuple(tried(m.id, f"{m.kind}: {m.description}", m.source, m.diff) for m in chosen),
        tuple(
            tried(f"{target}: {mistake.name}", mistake.name, version, _diff(source, version, path))
            for mistake in mistakes
            if mistake.target == target
            for version in (mistake.apply(source),)
        ),
        listed,
        len(generated),
    )


def _reason(result: ExperimentResult) -> str:
    if result.problem:
        return result.problem
    check = next(check for check in result.checks if not check.ok)
    given = check.reason if check.measured is None else f"is {check.measured:.6g}"
    return f"{check.name} {given}, expected {check.expected:.6g}"


def _diff(before: bytes, after: bytes, path: str) -> str:
    return unified_diff(decode(before).text, decode(after).text, path)
