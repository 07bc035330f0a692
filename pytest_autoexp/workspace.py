"""The workspace: what the agent may see, and nothing that gives the answer away."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_autoexp.loading.code import code_folder, copy_code
from pytest_autoexp.masking.mask import mask
from pytest_autoexp.masking.untrusted import MAX_CHARS, MAX_TOKENS
from pytest_autoexp.model.task import Experiment, Function, MetricTree, Task
from pytest_autoexp.model.trial import (
    CODE_DIR,
    EXPERIMENTS_FILE,
    INSTRUCTIONS_FILE,
    METRICS_VARIABLE,
    PAPER_FILE,
    REPORT_FILE,
    Trial,
)
from pytest_autoexp.paper import oracle_text
from pytest_autoexp.text import plural


def build_workspace(task: Task, trial: Trial, dest: Path) -> None:
    """Write what the agent gets: masked code, instructions and, unless withheld, the paper.

    Args:
        task: The task.
        trial: Says which functions are masked and how much of the paper is given.
        dest: Folder to write to; must not exist.
    """
    dest.mkdir(parents=True)
    write_masked_code(task, trial.masked, dest / CODE_DIR)
    dest.joinpath(INSTRUCTIONS_FILE).write_text(instructions(task, trial), encoding="utf-8")
    dest.joinpath(EXPERIMENTS_FILE).write_text(_listed(task, trial), encoding="utf-8")
    if trial.context == "full":
        dest.joinpath(PAPER_FILE).write_bytes(task.paper.path.read_bytes())
    elif trial.context == "oracle":
        dest.joinpath(PAPER_FILE).write_text(oracle_text(task, trial.masked), encoding="utf-8")


def write_masked_code(task: Task, masked: tuple[str, ...], dest: Path) -> None:
    """Copy the task's code and empty the masked functions.

    Args:
        task: The task.
        masked: Targets of the functions to empty.
        dest: Folder to write to; must not exist.
    """
    copy_code(code_folder(task), dest)
    for path, functions in functions_by_file(task, masked).items():
        file = dest / path
        descriptions = {function.name: function.description for function in functions}
        file.write_bytes(mask(file.read_bytes(), descriptions))


def functions_by_file(task: Task, masked: tuple[str, ...]) -> Mapping[str, list[Function]]:
    """The masked functions, by the path of their file."""
    files: dict[str, list[Function]] = defaultdict(list)
    for target in masked:
        function = task.function(target)
        files[function.path].append(function)
    return files


def instructions(task: Task, trial: Trial) -> str:
    """The text of ``instructions.md``.

    It names visible experiments only, and metrics without their values.
    """
    visible = _visible(task, trial)
    lines = [f"# {task.title}", ""]
    if trial.context != "none":
        given = "is a paper" if trial.context == "full" else "is what a paper says of this work"
        lines += [
            f"`{PAPER_FILE}` {given}, without its numeric results. "
            f"`{CODE_DIR}/` is the code of its experiments.",
            "",
        ]
    else:
        lines += [f"`{CODE_DIR}/` is the code of a paper's experiments.", ""]
    lines += list(_work(task, trial))
    lines += ["## Experiments", ""]
    lines += [
        f"Run each from the folder `{CODE_DIR}/`. {_where_metrics_go(visible)}"
        f"`{EXPERIMENTS_FILE}` lists the same for programs.",
        "",
    ]
    for experiment in visible:
        lines += list(_experiment(experiment))
    if not visible:
        lines += ["No experiment is given for these functions: work from their contracts.", ""]
    else:
        lines += [
            "## Report",
            "",
            f"Write the metrics that you measured to `{REPORT_FILE}` beside this file: one JSON "
            "object with the experiments' names as keys and an object of metrics as each value.",
            "",
        ]
    lines += [
        *_network(trial),
        "## Limits",
        "",
        f"You have {trial.limits.time_sec:g} seconds, {plural(trial.limits.steps, 'step')} and "
        f"{trial.limits.cost_usd:g} USD. What the files hold when a limit is reached is judged.",
    ]
    return "\n".join(lines) + "\n"


def _visible(task: Task, trial: Trial) -> list[Experiment]:
    """The experiments that the agent is told of."""
    return [e for e in task.relevant_experiments(trial.masked) if not e.hidden]


def _listed(task: Task, trial: Trial) -> str:
    """The text of ``experiments.json``: no more than the instructions say."""
    listed = [
        {
            "name": experiment.name,
            "command": experiment.command.strip(),
            "timeout_sec": experiment.timeout_sec,
            "verify": experiment.verify,
            "metrics": {name: _empty(tree) for name, tree in experiment.metrics.items()},
        }
        for experiment in _visible(task, trial)
    ]
    return json.dumps(listed, indent=2) + "\n"


def _empty(tree: MetricTree) -> Any:
    """A metric's form, with nothing in the place of each number."""
    if isinstance(tree, Mapping):
        return {name: _empty(inner) for name, inner in tree.items()}
    return [_empty(inner) for inner in tree] if isinstance(tree, tuple) else None


def _network(trial: Trial) -> Iterator[str]:
    """Which hosts can be reached, if any."""
    if trial.network:
        hosts = ", ".join(f"`{host}`" for host in trial.network)
        yield from (
            "## Network",
            "",
            f"Only these hosts can be reached, through the proxy that `HTTP_PROXY` names: {hosts}.",
            "",
        )


def _work(task: Task, trial: Trial) -> Iterator[str]:
    """What is missing, and which changes count."""
    if not trial.masked:
        asked = " Run the experiments and report their metrics." if _visible(task, trial) else ""
        yield from ("## What to do", "", f"The code is complete.{asked}", "")
        return
    yield from (
        "## What to do",
        "",
        "The bodies of the functions below are missing: each raises NotImplementedError, and its "
        "docstring says what it must do. Write them so that the experiments give the paper's "
        "results.",
        "",
    )
    for path, functions in functions_by_file(task, trial.masked).items():
        yield f"- `{CODE_DIR}/{path}`: " + ", ".join(f"`{f.name}`" for f in functions)
    yield from (
        "",
        "Your code is judged in a fresh copy of the code base: each of these experiments, and "
        "others that you do not see, must give every metric within tolerance. What is taken "
        "over from your copy:",
        "",
        "- the bodies of the functions above (signatures and decorators stay as they are);",
        "- imports, new functions, new classes and new constants (`NAME = value`) at the top "
        "level of the same files, if their names are not used there already; imports may stand "
        "under `if TYPE_CHECKING:`, imports and constants in a `try:` with `except ImportError:`;",
        "- new Python modules whose names no other module has.",
        "",
        "Everything else is dropped, new methods in existing classes too, and whole files that "
        f"grow by more than {MAX_CHARS:,} characters or {MAX_TOKENS:,} words and signs.",
        "",
    )


def _where_metrics_go(experiments: list[Experiment]) -> str:
    """A sentence about the file of metrics; empty where no experiment writes one."""
    writing = [e for e in experiments if e.verify == "measured" and not e.capture]
    if not writing:
        return ""
    unless = "" if len(writing) == len(experiments) else ", unless something else is said of it"
    return (
        f"Where the environment variable `{METRICS_VARIABLE}` names a file, an experiment writes "
        f"its metrics there as JSON{unless}. "
    )


def _experiment(experiment: Experiment) -> Iterator[str]:
    yield f"### {experiment.name}"
    yield ""
    if experiment.description:
        yield experiment.description.strip()
        yield ""
    yield from ("```sh", experiment.command.strip(), "```", "")
    shapes = ", ".join(_shape(name, tree) for name, tree in experiment.metrics.items())
    yield f"Metrics: {shapes}. It may take up to {experiment.timeout_sec:g} seconds."
    if experiment.capture:
        yield "The metrics are read from what the command prints."
    if experiment.verify == "reported":
        yield (
            f"What you report of it in `{REPORT_FILE}` is what is judged, once the command has run "
            "without error on your code: without a report it counts as failed."
        )
    yield ""


def _shape(name: str, tree: MetricTree) -> str:
    """A metric's name, and how it is nested."""
    if isinstance(tree, Mapping):
        return f"`{name}` (an object of {', '.join(_shape(k, t) for k, t in tree.items())})"
    if isinstance(tree, tuple):
        return f"`{name}` (a list of {len(tree)})"
    return f"`{name}`"
