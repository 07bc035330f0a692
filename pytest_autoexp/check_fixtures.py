"""The fixtures of a check: each measures one thing of a task, and keeps what it found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from pytest_autoexp.checking.summary import Found, keep
from pytest_autoexp.loading.code import TASK_FILE
from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.task import Task
from pytest_autoexp.model.trial import Case, Trial
from pytest_autoexp.run import CHECKS_DIR, RUN, describe_trial, make_bench, qualify_task

if TYPE_CHECKING:
    from pytest_autoexp.checking.bench import Bench
    from pytest_autoexp.checking.fair import Alternative
    from pytest_autoexp.checking.record import Recorded

REPEATS = 3
"""How often a task's own code is measured."""

THREADS = (1, 2)
"""With how many threads it is measured before its metrics are recorded."""

_CALLS = pytest.StashKey[dict[str, dict[str, frozenset[str]]]]()


@pytest.fixture
def checked_function(request: pytest.FixtureRequest) -> str:
    """Target of the function that a check is about."""
    parameter: str = request.param
    return parameter


@pytest.fixture
def alternative(request: pytest.FixtureRequest) -> Alternative:
    """The right-but-different version that a check is about."""
    parameter: Alternative = request.param
    return parameter


@pytest.fixture
def _gold_trial(request: pytest.FixtureRequest, task: Task, gpus: tuple[str, ...]) -> Trial:
    """What the sandboxes of a check must offer."""
    run = request.config.stash[RUN]
    trial = describe_trial(run, task, Case(task.id, 0, 0, ()), 0)
    return replace(trial, devices=gpus, network=())


@pytest.fixture
def bench(request: pytest.FixtureRequest, task: Task, _gold_trial: Trial) -> Iterator[Bench]:
    """Where versions of the task's code are run."""
    with make_bench(request.node, task, _gold_trial) as made:
        yield made


@pytest.fixture
def gold_sec(request: pytest.FixtureRequest, task: Task, _gold_trial: Trial) -> Mapping[str, float]:
    """Seconds that each experiment takes; an error if the task misses its own numbers."""
    return qualify_task(request.node, task, _gold_trial)


@pytest.fixture
def calls(
    request: pytest.FixtureRequest, task: Task, gold_sec: Mapping[str, float], bench: Bench
) -> Mapping[str, frozenset[str]]:
    """Targets of the functions that each experiment calls; traced once by each process."""
    from pytest_autoexp.checking.depends import trace

    known = request.config.stash.setdefault(_CALLS, {})
    if task.id not in known:
        known[task.id] = {name: own.called for name, own in trace(bench, gold_sec).items()}
    return known[task.id]


@pytest.fixture
def recorded(request: pytest.FixtureRequest, task: Task, bench: Bench) -> Recorded:
    """The task's metrics, measured and written down; says what changed."""
    from pytest_autoexp.checking.depends import find_depends
    from pytest_autoexp.checking.gold import run_gold, suggest
    from pytest_autoexp.checking.record import record
    from pytest_autoexp.loading.auto import find_placeholders

    run = request.config.stash[RUN]
    file = task.folder / TASK_FILE
    measured = run_gold(bench, REPEATS, THREADS)
    if measured.failures:
        raise InfrastructureError("\n".join([f"{task.id} cannot be recorded:", *measured.failures]))
    wanted = {name: measured.durations_sec[name] for name in find_placeholders(file).depends}
    written = record(file, measured.reported, find_depends(bench, wanted) if wanted else {})
    changes = [f"{c.experiment}: {c.key}: {c.old} -> {c.new}" for c in written.changes]
    notes = [*changes, *written.notes, *map(str, suggest(measured))]
    for note in notes or ["nothing has changed"]:
        run.site.builds.say(f"{task.id}: {note}")
    return written


@pytest.fixture
def gold(request: pytest.FixtureRequest, task: Task, bench: Bench) -> Found:
    """The task's own code, measured again and again."""
    from pytest_autoexp.checking.gold import run_gold

    measured = run_gold(bench, REPEATS)
    return _kept(request, Found(task.id, "gold", "", measured.problems, asdict(measured)))


@pytest.fixture
def needed(
    request: pytest.FixtureRequest,
    task: Task,
    checked_function: str,
    gold_sec: Mapping[str, float],
    calls: Mapping[str, frozenset[str]],
    bench: Bench,
) -> Found:
    """What happens without the function."""
    from pytest_autoexp.checking.needed import check_needed

    called = frozenset(name for name, targets in calls.items() if checked_function in targets)
    result = check_needed(bench, checked_function, gold_sec, called)
    return _kept(
        request, Found(task.id, "needed", checked_function, result.problems, asdict(result))
    )


@pytest.fixture
def sharp(
    request: pytest.FixtureRequest,
    task: Task,
    checked_function: str,
    gold_sec: Mapping[str, float],
    bench: Bench,
) -> Found:
    """Which wrong versions of the function are caught."""
    from pytest_autoexp.checking.mistakes import read_equivalent, read_mistakes
    from pytest_autoexp.checking.sharp import check_sharp

    result = check_sharp(
        bench,
        checked_function,
        gold_sec,
        read_mistakes(task),
        read_equivalent(task),
        request.config.stash[RUN].settings.mutants,
    )
    return _kept(request, Found(task.id, "sharp", checked_function, (), asdict(result)))


@pytest.fixture
def fair(
    request: pytest.FixtureRequest,
    task: Task,
    alternative: Alternative,
    gold_sec: Mapping[str, float],
    bench: Bench,
) -> Found:
    """Whether a right-but-different version passes."""
    from pytest_autoexp.checking.fair import check_fair
    from pytest_autoexp.checking.order import dependent

    experiments = dependent(task, alternative.target, gold_sec)
    result = check_fair(bench, alternative, experiments, gold_sec)
    problems = tuple(str(off) for off in result.off)
    return _kept(request, Found(task.id, "fair", alternative.name, problems, asdict(result)))


@pytest.fixture
def sealed(request: pytest.FixtureRequest, task: Task, bench: Bench) -> Found:
    """What gives the answer away."""
    from pytest_autoexp.checking.sealed import check_sealed

    result = check_sealed(task, bench.sandbox, bench.folder)
    problems = tuple(str(leak) for leak in result.leaks)
    return _kept(request, Found(task.id, "sealed", "", problems, asdict(result)))


@pytest.fixture
def solvable(request: pytest.FixtureRequest, task: Task) -> Found:
    """The report for the author."""
    from pytest_autoexp.checking.solvable import write_solvable

    settings = request.config.stash[RUN].settings
    file = settings.results / CHECKS_DIR / settings.run_id / f"{task.id}.solvable.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    missing = write_solvable(task, file)
    details = {"report": str(file), "nothing_found": list(missing)}
    return _kept(request, Found(task.id, "solvable", "", (), details))


def _kept(request: pytest.FixtureRequest, found: Found) -> Found:
    """What was found, kept for the process that sums up."""
    settings = request.config.stash[RUN].settings
    try:
        keep(settings.results / CHECKS_DIR / settings.run_id, found)
    except OSError as exc:
        raise InfrastructureError(
            f"what was found cannot be written to {settings.results}: {exc.strerror}"
        ) from exc
    return found
