"""Agents, and bodies of masked functions, that break what they can reach.

One trial in each sandbox runs all of them one after another, first as the agent's commands, then
as what it wrote, in the very sandbox in which the next has to run: each fails, and harms no other.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from adversaries.cheating import MEAN, MOMENTS, Arena
from adversaries.conftest import MakeSandbox

from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.result import Artifacts, CommandResult, TrialResult
from pytest_autoexp.model.task import Experiment
from pytest_autoexp.model.trial import Trial
from pytest_autoexp.report.artifacts import write_artifacts
from pytest_autoexp.report.results import RESULTS_FILE, append_line, trial_line
from pytest_autoexp.sandbox.host import cgroup
from pytest_autoexp.sandbox.protocol import DEFAULT_OUTPUT_CAP_BYTES, Sandbox

if TYPE_CHECKING:
    from docker import DockerClient

TOY = Path(__file__).parents[1] / "toy" / "task.yaml"
SHORT_SEC = 2.0  # for what never ends
LONG_SEC = 60.0  # for what ends

# They go without asking only where the machine's own processes and files are out of sight.
SAFE = """
import os, signal, sys, time
if open("/proc/1/comm").read() not in ("bwrap\\n", "docker-init\\n") or os.getcwd() == "/":
    sys.exit("this is no sandbox")
os.write(2, b"begun\\n")
"""

NEVER_END = {
    "fork-bomb": """
while True:
    try:
        os.fork()
    except OSError:
        pass
""",
    "endless-output": """
while True:
    os.write(1, bytes(65536))
""",
    "ignores-signals": """
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
while True:
    pass
""",
    "stops-itself": "os.kill(os.getpid(), signal.SIGSTOP); time.sleep(1000)",
    "closes-its-output": "os.close(1); os.close(2); time.sleep(1000)",
}
"""Code that only a time limit ends."""

END = {
    "memory-hog": ("x = bytearray(2**30); x[::4096] = bytes(2**18); sys.exit(3)", "out of memory"),
    "many-hogs": (
        """
for _ in range(24):
    if os.fork() == 0:
        x = bytearray(2**24)
        x[::4096] = bytes(2**12)
        time.sleep(30)
        os._exit(0)
os.wait()
sys.exit(3)
""",
        "out of memory",
    ),
    "disk-filler": (
        """
for folder in (".", os.environ["HOME"], "/tmp"):
    try:
        for number in range(2000):
            with open(f"{folder}/{number}", "wb") as file:
                file.write(bytes(2**20))
    except OSError:
        pass
sys.exit(3)
""",
        "exit status (3|137)",
    ),
    "a-million-files": (
        """
try:
    for number in range(10**6):
        with open(f"file{number}", "wb") as file:
            file.write(bytes(10_000))
except OSError:
    sys.exit(3)
""",
        "exit status (3|137)",
    ),
    "a-million-empty-files": (
        """
try:
    for number in range(10**6):
        open(f"empty{number}", "wb").close()
except OSError as error:
    sys.exit(f"{error.strerror}")
""",
        "exit status (1|137)",
    ),
    "deep-folders": (
        """
for _ in range(1000):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
open("deep", "w").close()
sys.exit(3)
""",
        "exit status (3|137)",
    ),
    "odd-names": (
        """
for number in range(1, 256):
    if bytes([number]) not in b"/.":
        os.mkdir(bytes([number]))
        open(bytes([number, 47, number]) + b"\\xff\\n.py", "w").close()
open("..py", "w").close()
sys.exit(3)
""",
        "exit status 3",
    ),
    "deletes-everything": (
        """
for top in ("/workspace", "/home/agent"):
    for folder, folders, files in os.walk(top, topdown=False):
        for name in files:
            os.remove(f"{folder}/{name}")
        for name in folders:
            os.rmdir(f"{folder}/{name}")
sys.exit(3)
""",
        "exit status 3",
    ),
    "shuts-its-folders": (
        "for top in ('/workspace', '/home/agent', '/tmp'):\n"
        "    os.path.isdir(top) and os.stat(top).st_uid == os.getuid() and os.chmod(top, 0)\n"
        "sys.exit(3)",
        "exit status 3",
    ),
    "ends-at-once": ("os._exit(0)", "wrote no metrics .*"),
    "kills-its-parent": (
        "os.kill(os.getppid(), 9); time.sleep(0.1); sys.exit(3)",
        "exit status (3|137)",
    ),
    "signals-the-first-process": (
        """
for number in signal.Signals:
    try:
        os.kill(1, number)
    except PermissionError:
        pass
sys.exit(3)
""",
        "exit status 3",
    ),
    "closes-all": ("os.closerange(0, 1000); os._exit(3)", "exit status 3"),
    "kills-all": ("os.kill(-1, 9); sys.exit(3)", "exit status (3|137)"),
    "kills-its-group": ("os.killpg(0, 9)", "exit status 137"),
    "changes-the-clock": (
        """
try:
    time.clock_settime(time.CLOCK_REALTIME, time.time())
except PermissionError:
    sys.exit(3)
""",
        "exit status 3",
    ),
}
"""Code that ends by itself, or by a limit other than time, and what is said of it."""

HARMLESS = {
    "lets-go-of-its-output": """
null = os.open("/dev/null", os.O_WRONLY)
os.dup2(null, 1)
os.dup2(null, 2)
time.sleep(0.5)
""",
    "": "",
}
"""Code after which the numbers are right."""

CODE = NEVER_END | {name: code for name, (code, _) in END.items()} | HARMLESS
ORDER = [*NEVER_END, *END, *HARMLESS]
"""In which experiments run them; the plain one is the last."""


@dataclass(frozen=True)
class Aftermath:
    """What is known after the trial.

    Attributes:
        result: Of the trial.
        artifacts: What is kept beside it.
        seen: What the agent's own commands did.
        left: Processes, folders, control groups and containers that are still there.
    """

    result: TrialResult
    artifacts: Artifacts
    seen: Mapping[str, CommandResult]
    left: tuple[str, ...]


@pytest.fixture(scope="module")
def aftermath(
    isolated: MakeSandbox, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Aftermath:
    word, temporary = f"breaker-{uuid.uuid4().hex}", tmp_path_factory.mktemp("temporary")
    task = load_task(TOY)
    [plain] = [e for e in task.experiments if e.name == "moments"]
    experiments = tuple(_experiment(plain, name, word) for name in ORDER)
    task = replace(task, experiments=experiments)
    arena = Arena(task, isolated, tmp_path_factory.mktemp("arena"))
    work = _work(arena)
    seen: dict[str, CommandResult] = {}
    kinds = set()

    def agent(sandbox: Sandbox) -> None:
        def run(command: str, limit_sec: float, **codes: str) -> CommandResult:
            env = {name: SAFE + code for name, code in codes.items()}
            return sandbox.run(command, time_limit_sec=limit_sec, env=env)

        kinds.add(sandbox.kind)
        # All that never ends at once; the fork bomb last, which leaves no process to others.
        codes = {f"C{i}": code for i, code in enumerate(reversed(NEVER_END.values()))}
        at_once = "".join(f'python -c "${name}" {word} & ' for name in codes)
        seen["at once"] = run(f"{at_once} wait", 2 * SHORT_SEC, **codes)
        for name in END:
            seen[name] = run(f'python -c "$CODE" {word}', LONG_SEC, CODE=CODE[name])
        sandbox.put(work)
        for code in (CODE["odd-names"], CODE["deep-folders"].replace("1000", "300")):
            run('cd code && python -c "$CODE"', LONG_SEC, CODE=code)  # there when it is taken out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(temporary))
        result, artifacts = arena.run(agent)
    left = [*_processes(word), *temporary.iterdir()]
    for parent in cgroup._parents():
        left += parent.glob(f"autoexp-{os.getpid()}-*")
    names = [*map(str, left)]
    if kinds == {"docker"}:
        names += _containers(request.getfixturevalue("engine"))
    return Aftermath(result, artifacts, seen, tuple(names))


def _experiment(plain: Experiment, name: str, word: str) -> Experiment:
    limit_sec = SHORT_SEC if name in NEVER_END else LONG_SEC
    command = f"{plain.command} {word} {name}"
    return replace(plain, name=name or "plain", command=command, timeout_sec=limit_sec)


def _work(arena: Arena) -> Path:
    """A workspace in which the masked function does what the command line names."""
    moments = arena.moments(
        "from toystats.breaking import go\ngo()\nreturn sum(values) / len(values)"
    )
    folder = arena.folder / "work"
    shutil.copytree(arena.folder / "masked", folder / "code")
    (folder / "code" / MOMENTS).write_text(moments)
    go = "def go():\n    import sys\n    exec(SAFE + CODE[''.join(sys.argv[4:])], {})\n"
    module = f"SAFE = {SAFE!r}\nCODE = {CODE!r}\n{go}"
    (folder / "code" / "toystats" / "breaking.py").write_text(module)
    return folder


def _processes(word: str) -> Iterator[Path]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if word.encode() in file.read_bytes():
                yield file


def _containers(engine: DockerClient) -> list[str]:
    from pytest_autoexp.sandbox.docker.leftovers import OWNER_LABEL, Owner

    label = f"{OWNER_LABEL}={Owner.this_process()}"
    return [found["Id"] for found in engine.api.containers(all=True, filters={"label": label})]


@pytest.mark.parametrize("name", [*NEVER_END, *END])
def test_breaker_has_failed(aftermath: Aftermath, name: str) -> None:
    [experiment] = [e for e in aftermath.result.experiments if e.name == name]
    problem = END[name][1] if name in END else f"stopped at its time limit of {SHORT_SEC:g} s"
    assert re.fullmatch(problem, experiment.problem)
    assert {check.reason for check in experiment.checks} == {"not measured"}
    assert not experiment.ok
    assert "begun" in experiment.stderr
    assert len(experiment.stdout) <= DEFAULT_OUTPUT_CAP_BYTES + 100


def test_files_without_content_end_at_a_limit_too(aftermath: Aftermath) -> None:
    [experiment] = [e for e in aftermath.result.experiments if e.name == "a-million-empty-files"]
    number_or_size = "No space left on device|take more than the task's disk limit"
    for errors in (experiment.stderr, aftermath.seen["a-million-empty-files"].stderr):
        assert re.search(number_or_size, errors)


def test_none_of_them_ended_its_agent(aftermath: Aftermath) -> None:
    at_once = aftermath.seen["at once"]
    assert at_once.killed_by == "time"
    assert at_once.stderr.count("begun") == len(NEVER_END)
    assert len(at_once.stdout) <= DEFAULT_OUTPUT_CAP_BYTES + 100
    assert {n for n in END if aftermath.seen[n].ok} == {"ends-at-once"}
    assert aftermath.seen["memory-hog"].killed_by == "memory"
    assert aftermath.result.agent.exit_status == "completed"


def test_sandbox_serves_on_and_the_agents_work_counts(aftermath: Aftermath) -> None:
    right = [e.name for e in aftermath.result.experiments if e.ok]
    assert right == ["lets-go-of-its-output", "plain"]
    assert not aftermath.result.passed
    assert set(aftermath.artifacts.files) == {MOMENTS, "toystats/breaking.py"}


def test_odd_names_can_be_told(aftermath: Aftermath, tmp_path: Path) -> None:
    trial = Trial("toy", "0" * 64, 1, 0, 0, (MEAN,), "breaker")
    dropped = aftermath.result.dropped
    assert len([line for line in dropped if "no importable module name" in line]) > 100
    assert not [line for line in dropped if "\n" in line or "\x1b" in line]
    kept = write_artifacts(tmp_path, "run", trial, aftermath.result, aftermath.artifacts)
    line = trial_line(trial, "run", "failed", result=aftermath.result, artifacts=kept)
    append_line(tmp_path, line)
    [read] = (tmp_path / RESULTS_FILE).read_text(encoding="utf-8").splitlines()
    assert tuple(json.loads(read)["dropped"]) == dropped


def test_nothing_is_left(aftermath: Aftermath) -> None:
    assert aftermath.left == ()


BESIDE = """
import json
import os
import time
from pathlib import Path

from pytest_autoexp import AgentResult

def breaks_or_works(trial, sandbox):
    # The first attempt breaks what it can; the second one works as long as that goes on.
    Path(f"worker{trial.attempt}").write_text(str(os.getpid()))
    done = []
    if trial.attempt == 0:
        while not Path("worker1").exists():
            time.sleep(0.02)
        for code in json.loads(Path("codes.json").read_text()):
            env = {"CODE": code}
            done.append(sandbox.run('python -c "$CODE" WORD', time_limit_sec=1, env=env))
        Path("has_broken").touch()
    else:
        while not Path("has_broken").exists():
            done.append(sandbox.run("cat code/main.py > ~/copy && cat ~/copy"))
        right = Path("right.py").read_text()
        done.append(sandbox.run(f"cat > code/toystats/moments.py <<'E'\\n{right}E\\n"))
    return AgentResult(stdout=" ".join("good" if result.ok else "bad" for result in done))
"""
AT_HAND = ("fork-bomb", "endless-output", "ignores-signals", "memory-hog", "disk-filler")
AT_HAND += ("deletes-everything", "kills-all")


@pytest.mark.parametrize("kind", ["local", pytest.param("docker", marks=pytest.mark.docker)])
def test_honest_trial_passes_while_another_worker_breaks_all_it_can(
    project: Path,
    pytester: pytest.Pytester,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    args = ["--agent=my_agents:breaks_or_works", "--attempts=2", f"--sandbox={kind}", "-n2"]
    if kind == "docker":
        args.append(f"-oautoexp_base_image={request.getfixturevalue('base_image')}")
    else:
        request.getfixturevalue("local")
    word = f"beside-{uuid.uuid4().hex}"
    (project / "my_agents.py").write_text(BESIDE.replace("WORD", word))
    (project / "codes.json").write_text(json.dumps([SAFE + CODE[name] for name in AT_HAND]))
    shutil.copy(TOY.parent / "code" / MOMENTS, project / "right.py")
    with (project / "tasks" / "toy" / "task.yaml").open("a") as task:
        task.write("resources: {memory: 256m, disk: 32m, pids: 40}\n")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = pytester.runpytest_subprocess(*args, "-oautoexp_qualify=false", timeout=120)
    done.assert_outcomes(passed=1, failed=1)
    results = project / "autoexp-results"
    told = [json.loads(line) for line in (results / RESULTS_FILE).read_text().splitlines()]
    breaking, honest = sorted(told, key=lambda line: int(line["trial"]["attempt"]))
    assert (breaking["outcome"], honest["outcome"]) == ("failed", "passed")
    assert (project / "worker0").read_text() != (project / "worker1").read_text()
    broken, worked = [
        (results / line["artifacts"] / "agent.stdout.log").read_text().split()
        for line in (breaking, honest)
    ]
    assert broken == ["bad"] * len(AT_HAND)
    assert len(worked) > 2
    assert set(worked) == {"good"}
    assert [*tmp_path.glob("*autoexp-*")] == []
    assert [*_processes(word)] == []
    if kind == "docker":
        label = f"pytest-autoexp.run={told[0]['run']}"
        engine: DockerClient = request.getfixturevalue("engine")
        assert engine.api.containers(all=True, filters={"label": label}) == []
