"""A run with ``--agent``: what is set up once, and what pytest is told about it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_autoexp import fixtures
from pytest_autoexp.agents.registry import BUILT_IN, find_agent
from pytest_autoexp.cases import cases_of
from pytest_autoexp.collection import TaskCollection, find_task_files, shown_path, trial_of
from pytest_autoexp.fixtures import RUN, TRIAL, Run, describe_trial, record_error
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.errors import AutoexpError, InfrastructureError, TaskError, UsageError
from pytest_autoexp.report.properties import trial_properties
from pytest_autoexp.report.results import RESULTS_FILE
from pytest_autoexp.report.terminal import summary_lines
from pytest_autoexp.sandbox.choose import ISOLATES, choose_sandbox
from pytest_autoexp.settings import Settings, read_settings
from pytest_autoexp.text import printable

if TYPE_CHECKING:
    from pytest_autoexp.agents.protocol import Agent
    from pytest_autoexp.model.result import AgentResult
    from pytest_autoexp.model.trial import Trial
    from pytest_autoexp.sandbox.protocol import Sandbox

_WORKER_KEY = "autoexp"


def start(config: pytest.Config) -> None:
    """Read the settings, look for the agent and the sandbox, and register what runs trials.

    Args:
        config: pytest's configuration, with ``--agent`` given.

    Raises:
        pytest.UsageError: If something that was asked for cannot be had.
    """
    config.addinivalue_line(
        "markers", "autoexp(task, n, seed, attempt): a trial; select with -m 'autoexp(n=2)'"
    )
    from_controller: Mapping[str, Any] = getattr(config, "workerinput", {}).get(_WORKER_KEY, {})
    try:
        settings = read_settings(config, from_controller)
        run = _prepare(config, settings, is_worker=bool(from_controller))
    except UsageError as exc:
        raise pytest.UsageError(str(exc)) from None
    _run_task_folder(config, settings)
    # One broken task.yaml must not keep the other tasks from running.
    config.option.continue_on_collection_errors = True
    if getattr(config.option, "maxschedchunk", 0) is None:
        config.option.maxschedchunk = 1  # trials are few and long
    config.stash[RUN] = run
    _clean_up_on_sigterm(config)
    config.pluginmanager.register(TaskCollection(settings), "autoexp-collection")
    config.pluginmanager.register(fixtures, "autoexp-fixtures")
    config.pluginmanager.register(TrialDefaults(config, run), "autoexp-defaults")
    config.pluginmanager.register(RunReport(config, run), "autoexp-report")


def _prepare(config: pytest.Config, settings: Settings, *, is_worker: bool) -> Run:
    """Find agent and sandbox before anything is collected."""
    implementations = config.hook.pytest_autoexp_run_agent.get_hookimpls()
    make_agent = find_agent(
        settings.agent,
        settings.agent_options,
        settings.folder,
        has_hook=bool(implementations),
    )
    sandbox = settings.sandbox
    if not is_worker and not config.option.collectonly:
        trusted = settings.agent in BUILT_IN
        sandbox = choose_sandbox(settings.sandbox, trusted_agent=trusted)
        _check_network(settings, sandbox)
        _check_writable(settings.results)
    return Run(settings, sandbox or "", make_agent, _say(config))


def _check_network(settings: Settings, sandbox: str) -> None:
    """Only a sandbox that has a proxy, or a user's own one, can keep what the list promises."""
    why = {
        "local": "this sandbox has no network",
        "none": "this sandbox has the host's whole network and restricts nothing",
    }
    if settings.network and sandbox in why:
        raise UsageError(
            f"ini autoexp_network = {','.join(settings.network)} with --sandbox={sandbox}:"
            f" {why[sandbox]}; use --sandbox=docker"
        )


def _check_writable(results: Path) -> None:
    """Better to learn before the first trial than after it that nothing can be kept."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        with (results / RESULTS_FILE).open("ab"):
            pass
    except OSError as exc:
        raise UsageError(
            f"--results={results}: cannot be written: {exc.strerror}; give another folder"
        ) from exc


def _run_task_folder(config: pytest.Config, settings: Settings) -> None:
    """Where no path was given, run the tasks instead of the project's own tests."""
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return
    if not settings.tasks.is_dir():
        raise pytest.UsageError(
            f"no folder of tasks at {settings.tasks}; give the path of a task, or set ini "
            "autoexp_tasks"
        )
    config.args = [str(settings.tasks)]


def _clean_up_on_sigterm(config: pytest.Config) -> None:
    """A cancelled CI job ends like Ctrl-C, with its clean-up, unless somebody else handles it."""
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupt)
        config.add_cleanup(_restore_sigterm)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _restore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _say(config: pytest.Config) -> Callable[[str], None]:
    """What shows a line to the user at once, past output capture, in xdist workers too."""

    def say(text: str) -> None:
        capture = config.pluginmanager.getplugin("capturemanager")
        line = f"\nautoexp: {printable(text)}\n"
        if capture is None:
            _write_stderr(line)
        else:
            with capture.global_and_fixture_disabled():
                _write_stderr(line)

    return say


def _write_stderr(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()


class TrialDefaults:
    """The plugin's own implementations of its hooks, asked last."""

    def __init__(self, config: pytest.Config, run: Run) -> None:
        self._run = run
        start = config.invocation_params.dir
        arguments = (start / argument.split("::", 1)[0] for argument in config.args)
        self._folders = (config.rootpath, start, *arguments)

    @pytest.hookimpl(trylast=True)
    def pytest_autoexp_run_agent(
        self, agent: Agent, trial: Trial, sandbox: Sandbox
    ) -> AgentResult | None:
        """Call the agent."""
        return agent.run(trial, sandbox)

    @pytest.hookimpl(trylast=True)
    def pytest_autoexp_make_sandbox(self, kind: str, trial: Trial) -> Sandbox | None:
        """Make one of the sandboxes that come with the plugin."""
        from pytest_autoexp.sandbox.cache import Builds
        from pytest_autoexp.sandbox.make import Site, make_sandbox

        settings = self._run.settings
        private = (*self._folders, settings.results)
        site = Site(Builds(settings.run_id, self._run.say), settings.base_image, private)
        return make_sandbox(kind, trial, site)


class RunReport:
    """What pytest is told: header, errors in plain words, the table at the end."""

    def __init__(self, config: pytest.Config, run: Run) -> None:
        self._config = config
        self._run = run
        self._is_worker = hasattr(config, "workerinput")
        self._judged: set[str] = set()

    def pytest_report_header(self) -> list[str]:
        """Agent, sandbox and what it isolates, and what is asked for but does not exist."""
        settings = self._run.settings
        lines = [
            f"autoexp: agent {settings.agent}, sandbox {self._where()}",
            f"autoexp: masks {settings.masks.text}, seeds {settings.seeds.text}, attempts "
            f"{settings.attempts}, results in {shown_path(settings.results)}",
        ]
        if settings.network:
            hosts = ", ".join(settings.network)
            lines.append(f"autoexp: network of agents: {hosts} (all else is refused)")
        for path in find_task_files(self._config.args, self._config.invocation_params.dir):
            try:
                task = load_task(shown_path(path))
                notes = cases_of(task, settings.masks, settings.seeds).notes
            except (TaskError, UsageError):
                continue  # collection tells
            lines += [f"autoexp: {task.id}: {note}" for note in notes]
        return lines

    def _where(self) -> str:
        """The sandbox and what it isolates."""
        kind = self._run.sandbox
        if self._config.option.collectonly:
            return f"{kind or 'not chosen'}: nothing is run"
        return f"{kind} ({ISOLATES.get(kind, 'made by a hook')})"

    def pytest_sessionstart(self) -> None:
        """Remove what dead runs left."""
        self._remove_leftovers()

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Remove what this run left where its own clean-up was interrupted, or failed."""
        self._remove_leftovers(self._run.settings.run_id)

    def _remove_leftovers(self, ended_run: str | None = None) -> None:
        from pytest_autoexp.sandbox.make import remove_leftovers

        if self._is_worker or self._config.option.collectonly:
            return
        try:
            remove_leftovers(docker=self._run.sandbox == "docker", ended_run=ended_run)
        except InfrastructureError as exc:
            which = "this run" if ended_run else "an earlier run"
            self._run.say(f"what {which} left cannot be removed: {exc}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker what was found out once."""
        node.workerinput[_WORKER_KEY] = {
            "run_id": self._run.settings.run_id,
            "sandbox": self._run.sandbox,
        }

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember which tests have their verdict."""
        if report.when == "call":
            self._judged.add(report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """A worker that died is no verdict: its test is an error, and recorded as one."""
        if crashitem in self._judged:  # its verdict stands
            report.when = "teardown"
            return
        report.when = "setup"
        try:
            found = trial_of(crashitem, self._config.rootpath)
        except (TaskError, UsageError):  # edited meanwhile
            return
        if found is not None:
            trial = describe_trial(self._run, *found)
            report.user_properties = list(trial_properties(trial))
            self._record_error(report, trial, "the worker that ran it died")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Show an error of ours as its message, and keep a line of every error."""
        report = yield
        if report.when == "call" or not report.failed or call.excinfo is None:
            return report
        error = call.excinfo.value
        if isinstance(error, AutoexpError):
            report.longrepr = error_text(error)
        trial = item.stash.get(TRIAL, None)
        if report.when == "setup" and trial is not None:
            self._record_error(report, trial, f"{type(error).__name__}: {error}")
        return report

    def _record_error(self, report: pytest.TestReport, trial: Trial, reason: str) -> None:
        try:
            record_error(self._run, trial, reason)
        except OSError as exc:
            text = f"cannot be written to {self._run.settings.results}: {exc.strerror}"
            report.sections.append(("autoexp: results.jsonl", text))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table: pass@1 per agent and n, counts, errors apart."""
        reports = [
            report
            for outcome in ("passed", "failed", "error")
            for report in terminalreporter.stats.get(outcome, [])
            if isinstance(report, pytest.TestReport)
        ]
        lines = list(summary_lines(reports))
        if not lines:
            return
        terminalreporter.section(f"autoexp: sandbox {self._run.sandbox}")
        for line in lines:
            terminalreporter.line(line)
        terminalreporter.line(f"results: {shown_path(self._run.settings.results / RESULTS_FILE)}")


def error_text(error: AutoexpError) -> str:
    """An error's message and what was noted with it, safe to print."""
    kind = "infrastructure error: " if isinstance(error, InfrastructureError) else ""
    notes = getattr(error, "__notes__", [])
    return kind + printable("\n".join([str(error), *notes]))
