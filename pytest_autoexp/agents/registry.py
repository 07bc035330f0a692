"""From what ``--agent`` names to the agent."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

from pytest_autoexp.agents.protocol import Agent
from pytest_autoexp.model.errors import InfrastructureError, UsageError
from pytest_autoexp.model.result import AgentResult
from pytest_autoexp.model.task import Task
from pytest_autoexp.model.trial import Trial
from pytest_autoexp.sandbox.protocol import Sandbox

ENTRY_POINT_GROUP = "pytest_autoexp.agents"

BUILT_IN = ("noop", "oracle")
"""Agents that run no code of their own making: they need no isolation."""

AgentFactory = Callable[[Task], Agent]


@dataclass(frozen=True)
class FunctionAgent:
    """An agent that is one Python function of (trial, sandbox)."""

    function: Callable[[Trial, Sandbox], AgentResult | None]

    def run(self, trial: Trial, sandbox: Sandbox) -> AgentResult | None:
        """Call the function."""
        return self.function(trial, sandbox)


@dataclass(frozen=True)
class NamedAgent:
    """An agent that only a ``pytest_autoexp_run_agent`` hook of the user's own knows."""

    name: str

    def run(self, trial: Trial, sandbox: Sandbox) -> AgentResult:
        """Nobody took it.

        Raises:
            InfrastructureError: Always.
        """
        raise InfrastructureError(
            unknown_agent(self.name) + "; no pytest_autoexp_run_agent hook ran it either"
        )


def find_agent(
    spec: str, options: Mapping[str, str], folder: Path, *, has_hook: bool = False
) -> AgentFactory:
    """What makes the agent that ``spec`` names.

    Args:
        spec: A built-in name, an entry point of group ``pytest_autoexp.agents``,
            ``module:attribute``, or the path of an agent .yaml.
        options: Its options; keyword arguments of an agent that is a class.
        folder: Where relative paths and modules are looked up.
        has_hook: True if a hook of the user's own may run agents by any name.

    Raises:
        UsageError: If there is no such agent, or it cannot be made.
    """
    if spec in BUILT_IN:
        if options:
            raise UsageError(f"--agent-option: agent {spec} has no options")
        return _built_in(spec)
    if spec.endswith((".yaml", ".yml")):
        from pytest_autoexp.agents.command import load_command_agent

        command_agent = load_command_agent(folder / spec, options)
        return lambda task: command_agent
    for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=spec):
        return _factory(_load(entry_point, spec, folder), spec, options)
    if ":" in spec:
        entry_point = EntryPoint("agent", spec, ENTRY_POINT_GROUP)
        return _factory(_load(entry_point, spec, folder), spec, options)
    if has_hook:
        return lambda task: NamedAgent(spec)
    raise UsageError(unknown_agent(spec))


def unknown_agent(spec: str) -> str:
    """The message for a name that nobody knows: lists the known ones, suggests the nearest."""
    known = sorted({*BUILT_IN, *(e.name for e in entry_points(group=ENTRY_POINT_GROUP))})
    near = difflib.get_close_matches(spec, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return (
        f"--agent={spec}: unknown agent{hint} (known: {', '.join(known)}; or module:attribute, "
        "or the path of an agent .yaml)"
    )


def _built_in(name: str) -> AgentFactory:
    from pytest_autoexp.agents.builtin import Noop, Oracle

    return Oracle if name == "oracle" else lambda task: Noop()


def _load(entry_point: EntryPoint, spec: str, folder: Path) -> Any:
    try:
        with _importable(folder):
            return entry_point.load()
    except Exception as exc:  # importing runs the user's code: any error may come
        raise UsageError(
            f"--agent={spec}: cannot be imported: {type(exc).__name__}: {exc}"
        ) from exc


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Modules beside the user's tasks are found, whatever pytest's import mode."""
    importlib.invalidate_caches()
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _factory(found: Any, spec: str, options: Mapping[str, str]) -> AgentFactory:
    """A class is called with the options for each trial; anything else finds them in the trial."""
    if inspect.isclass(found) and hasattr(found, "run"):
        make = cast("Callable[..., Agent]", found)
        try:
            inspect.signature(found).bind(**options)
        except TypeError as exc:
            raise UsageError(
                f"--agent={spec}: cannot be made with the options {dict(options)}: {exc}"
            ) from exc
        return lambda task: make(**options)
    if isinstance(found, Agent):
        return lambda task: found
    if callable(found):
        return lambda task: FunctionAgent(found)
    raise UsageError(
        f"--agent={spec}: found {found!r}; allowed: a class or object with "
        "run(trial, sandbox), or a function of (trial, sandbox)"
    )
