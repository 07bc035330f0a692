"""What the cheats share: a trial of the toy task in a real sandbox, and what agents do there."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_autoexp.model.result import AgentResult, Artifacts, TrialResult
from pytest_autoexp.model.task import Task
from pytest_autoexp.model.trial import Trial
from pytest_autoexp.run_trial import run_trial
from pytest_autoexp.sandbox.protocol import Sandbox
from pytest_autoexp.workspace import build_workspace, write_masked_code

MEAN = "toystats/moments.py::mean"
MOMENTS = "toystats/moments.py"
WORKING = "return sum(values) / len(values)"
GOLD = {"mean": 0.43165861554868384, "variance": 0.08622437878249578}
"""What the visible experiment must give, as the agent's own runs of other code could tell it."""

FORGED = json.dumps(GOLD)
FORGE = f"""\
import os, pathlib
pathlib.Path(os.environ["AUTOEXP_METRICS"]).write_text('{FORGED}')
"""
"""Python that writes the visible experiment's numbers into the metrics file."""

CallAgent = Callable[[Sandbox], AgentResult | None]


@dataclass(frozen=True)
class Arena:
    """Where a cheat is tried.

    Attributes:
        task: The toy, of which ``mean`` is masked.
        make_sandbox: Makes a sandbox of one kind, for the agent and for verification.
        folder: An empty folder.
    """

    task: Task
    make_sandbox: Callable[[], Sandbox]
    folder: Path

    def run(self, agent: CallAgent) -> tuple[TrialResult, Artifacts]:
        """A whole trial of an agent."""
        trial = Trial(self.task.id, "0" * 64, 1, 0, 0, (MEAN,), "cheat")
        build_workspace(self.task, trial, self.folder / "workspace")
        with self.make_sandbox() as sandbox:
            sandbox.put(self.folder / "workspace")
            return run_trial(trial, self.task, sandbox, agent, self.make_sandbox)

    def cheat(
        self,
        body: str = "raise NotImplementedError",
        *,
        top: str = "",
        end: str = "",
        files: Mapping[str, str] | None = None,
        command: str = "true",
        seen: bool = True,
    ) -> TrialResult:
        """A trial of an agent that writes files and runs a command.

        Args:
            body: Becomes the body of the masked function.
            top: What it writes above the function in the same file.
            end: What it writes below all that stands in the file.
            files: What else it writes, by path in the code.
            command: What it runs at last, in the folder of the code.
            seen: As for :meth:`write`.
        """
        written = {MOMENTS: self.moments(body, top, end), **(files or {})}
        return self.write(written, command, seen=seen)

    def write(
        self, files: Mapping[str, str], command: str = "true", *, seen: bool = True
    ) -> TrialResult:
        """A trial of an agent that writes files, by path in the code, and runs a command.

        Args:
            files: What it writes.
            command: What it runs then.
            seen: Must the result show every line of that?  Not where the command takes it away
                again, or it is no part of the code.
        """
        result, _ = self.run(writes(files, command))
        unseen = self.unseen(result, files) if seen else []
        assert not unseen, unseen
        return result

    def unseen(self, result: TrialResult, files: Mapping[str, str]) -> list[str]:
        """The lines of an agent's files that its diff does not show as added."""
        shown = {line[1:] for line in result.diff.splitlines() if line.startswith("+")}
        lines = []
        for path, text in files.items():
            before = self.masked / path
            known = {*before.read_text().splitlines()} if before.is_file() else set()
            new = [line for line in text.splitlines() if line.strip() and line not in known]
            lines += [f"{path}: {line}" for line in new if line not in shown]
        return lines

    @property
    def masked(self) -> Path:
        """The code as the agent gets it, on the host."""
        folder = self.folder / "masked"
        if not folder.exists():
            write_masked_code(self.task, (MEAN,), folder)
        return folder

    def moments(self, body: str, top: str = "", end: str = "") -> str:
        """The masked file with another body of ``mean``, and more above and below."""
        text = (self.masked / MOMENTS).read_text()
        indented = textwrap.indent(textwrap.dedent(body), "    ").strip()
        text = text.replace("raise NotImplementedError", indented)
        return text.replace("def mean", f"{top}\n\ndef mean", 1) + end


def writes(files: Mapping[str, str], command: str = "true") -> CallAgent:
    """An agent that writes files of the code, then runs a command there."""
    lines = []
    for path, text in files.items():
        lines += [f"mkdir -p \"$(dirname '{path}')\"", f"cat > '{path}' <<'End of file'", text]
        lines.append("End of file")

    def agent(sandbox: Sandbox) -> None:
        sandbox.run("\n".join([*lines, command]), time_limit_sec=60, cwd="code")

    return agent


def verdicts(result: TrialResult) -> list[bool]:
    """Was the visible experiment reproduced, and was the hidden one?"""
    assert [e.hidden for e in result.experiments] == [False, True]
    return [e.ok for e in result.experiments]


def problems(result: TrialResult) -> list[str]:
    """What is wrong with each experiment as a whole."""
    return [e.problem for e in result.experiments]
