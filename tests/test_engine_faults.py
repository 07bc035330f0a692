"""The Docker engine goes away, or its machine runs short of something, in each phase of a trial.

It is an error, no verdict, and nothing is left.

`test_engine_restart.py` beside this has whole runs, with the agent or an experiment at work: both
stop the same engine of the tests' own, which takes long to make.
"""

from __future__ import annotations

import gc
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from adversaries.cheating import MEAN, MOMENTS, WORKING, Arena, writes
from adversaries.conftest import SMALL

from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.result import TrialResult
from pytest_autoexp.model.task import Environment
from pytest_autoexp.model.trial import Trial
from pytest_autoexp.progress import Progress
from pytest_autoexp.run_trial import run_trial
from pytest_autoexp.sandbox.cache import BuildFailedError, Builds
from pytest_autoexp.sandbox.make import Site, make_sandbox
from pytest_autoexp.sandbox.protocol import Sandbox
from pytest_autoexp.workspace import build_workspace

if TYPE_CHECKING:
    from engines import OwnEngine

pytestmark = [
    pytest.mark.docker,
    # The engine's library leaves the sockets of connections that broke to be collected.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@dataclass
class Bench:
    """What makes sandboxes on an engine that may be stopped.

    Attributes:
        engine: The engine.
        base_image: The image that it has.
        environment: What they are made with.
        said: What was said of images.
        tell: Called with each of these.
        run_id: The run that the sandboxes belong to.
    """

    engine: OwnEngine
    base_image: str
    environment: Environment = field(default_factory=Environment)
    said: list[str] = field(default_factory=list)
    tell: Callable[[str], object] = print
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def make(self) -> Sandbox:
        site = Site(Builds(self.run_id, self._say), self.base_image, ())
        trial = Trial("x", "", 1, 0, 0, (), "x", environment=self.environment, resources=SMALL)
        made = make_sandbox("docker", trial, site)
        assert made is not None
        return made

    def left(self) -> list[str]:
        """Containers of ours that are there although a run has cleaned up at its end."""
        from pytest_autoexp.sandbox.docker.leftovers import OWNER_LABEL, remove_leftovers

        remove_leftovers(self.run_id)
        with closing(self.engine.client()) as client:
            found = client.api.containers(all=True, filters={"label": OWNER_LABEL})
            return [container["Id"] for container in found]

    def _say(self, text: str) -> None:
        self.said.append(text)
        self.tell(text)


@pytest.fixture
def bench(
    own_engine: OwnEngine, base_image: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    monkeypatch.setenv("DOCKER_HOST", own_engine.host)
    yield Bench(own_engine, base_image)
    own_engine.limit_memory(None)
    own_engine.free_disk()
    own_engine.start()
    with closing(own_engine.client()) as client:  # what the engine itself leaves of a killed build
        for container in client.api.containers(all=True):
            client.api.remove_container(container["Id"], force=True)
    gc.collect()  # the sockets, while that is no error


class Trips(Progress):
    """Does something when a trial comes to a phase."""

    def __init__(self, at: str, then: Callable[[], object]) -> None:
        self._at, self._then = at, then
        super().__init__()

    def phase(self, what: str, limit_sec: float | None = None, detail: str = "") -> None:
        if what == self._at:
            self._then()
        super().phase(what, limit_sec, detail)


def trial_of(
    bench: Bench, toy: Path, folder: Path, progress: Progress, body: str = WORKING
) -> TrialResult:
    """A trial of an agent that writes working code."""
    task = load_task(toy / "task.yaml")
    text = Arena(task, bench.make, folder).moments(body)
    trial = Trial(task.id, "0" * 64, 1, 0, 0, (MEAN,), "right")
    build_workspace(task, trial, folder / "workspace")
    with bench.make() as sandbox:
        sandbox.put(folder / "workspace")
        agent = writes({MOMENTS: text})
        return run_trial(trial, task, sandbox, agent, bench.make, progress=progress)[0]


def environment(bench: Bench, folder: Path, command: str) -> Environment:
    """One that no image is there for yet; building it runs the command."""
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(f"FROM {bench.base_image}\nUSER 0\nRUN {command} # {bench.run_id}\n")
    return Environment(dockerfile=str(dockerfile))


def restart(engine: OwnEngine) -> None:
    engine.kill()
    engine.start()


@pytest.mark.parametrize("phase", ["agent", "grafting", "experiment"])
def test_restart_while_a_sandbox_is_in_use(
    bench: Bench, toy: Path, tmp_path: Path, phase: str
) -> None:
    with pytest.raises(InfrastructureError, match="container"):
        trial_of(bench, toy, tmp_path, Trips(phase, lambda: restart(bench.engine)))
    assert bench.left() == []


def test_restart_between_the_two_sandboxes_is_no_matter(
    bench: Bench, toy: Path, tmp_path: Path
) -> None:
    progress = Trips("making the sandbox", lambda: restart(bench.engine))
    assert trial_of(bench, toy, tmp_path, progress).passed
    assert bench.left() == []


def test_engine_that_stays_away_when_the_work_is_to_be_verified(
    bench: Bench, toy: Path, tmp_path: Path
) -> None:
    with pytest.raises(InfrastructureError, match="no Docker engine answers"):
        trial_of(bench, toy, tmp_path, Trips("making the sandbox", bench.engine.kill))
    bench.engine.start()
    assert bench.left() == []


@pytest.mark.parametrize("after_sec", [0.05, 0.2])
def test_engine_that_dies_while_a_sandbox_is_made(bench: Bench, after_sec: float) -> None:
    bench.make().close()
    end = threading.Timer(after_sec, bench.engine.kill)
    end.start()

    def make_many() -> None:
        for _ in range(100):
            bench.make().close()

    with pytest.raises(InfrastructureError):
        make_many()
    end.join()
    bench.engine.start()
    assert bench.left() == []


def test_build_that_is_broken_off_is_no_failed_build_and_a_lost_image_is_built_again(
    bench: Bench, tmp_path: Path
) -> None:
    bench.environment = environment(bench, tmp_path, "sleep 1")
    end = threading.Timer(0.5, bench.engine.kill)
    bench.tell = lambda text: end.start()
    with pytest.raises(InfrastructureError, match="cannot be built") as broken:
        bench.make()
    assert not isinstance(broken.value, BuildFailedError)
    end.join()
    bench.engine.start()
    bench.tell = print
    bench.make().close()
    tag = bench.said[-1].split(" ")[2]
    with closing(bench.engine.client()) as client:
        client.images.remove(tag, force=True)
    bench.make().close()
    assert [text.split(" ")[0] for text in bench.said] == ["building"] + 2 * ["building", "built"]
    assert bench.left() == []


def test_base_image_that_is_removed_between_trials(bench: Bench) -> None:
    name = f"faults:{bench.run_id}"
    with closing(bench.engine.client()) as client:
        client.images.get(bench.base_image).tag(name)
        bench.base_image = name
        bench.make().close()
        client.images.remove(name)
    with pytest.raises(InfrastructureError, match=f"base image {name} .*cannot be pulled"):
        bench.make()
    assert bench.left() == []


def test_memory_that_the_machine_lacks_is_no_failure_of_the_code(
    bench: Bench, toy: Path, tmp_path: Path
) -> None:
    half = SMALL.memory_bytes // 2
    progress = Trips("experiment", lambda: bench.engine.limit_memory(half // 2))
    with pytest.raises(InfrastructureError, match=r"machine ran out of memory.*\(-n\)"):
        trial_of(bench, toy, tmp_path, progress, f"len(b'x' * {half})\n{WORKING}")
    bench.engine.limit_memory(None)
    assert trial_of(
        bench, toy, tmp_path / "more", Progress(), f"len(b'x' * {half})\n{WORKING}"
    ).passed


def test_no_memory_on_the_machine_for_part_of_a_command_or_a_program_of_ours(
    bench: Bench, tmp_path: Path
) -> None:
    with bench.make() as sandbox:
        sandbox.run("echo 12 > metrics", time_limit_sec=30)
        bench.engine.limit_memory(SMALL.memory_bytes // 4)
        with pytest.raises(InfrastructureError, match="machine ran out of memory"):
            sandbox.run(f"python -c \"b'x' * {SMALL.memory_bytes // 2}\" | cat", time_limit_sec=30)
        bench.engine.limit_memory(2 * 1024**2)
        with pytest.raises(InfrastructureError, match=r"put .* machine ran out of memory"):
            sandbox.put(tmp_path)
        with pytest.raises(InfrastructureError, match=r"read .* machine ran out of memory"):
            sandbox.read("metrics", 3)
        bench.engine.limit_memory(None)
        assert sandbox.read("metrics", 3) == b"12\n"


def test_command_that_the_engine_cannot_start(bench: Bench, tmp_path: Path) -> None:
    bench.environment = environment(bench, tmp_path, "rm $(command -v sh)")
    with (
        bench.make() as sandbox,
        pytest.raises(InfrastructureError, match=r'did not start it: .*"sh"'),
    ):
        sandbox.run("true", time_limit_sec=30)


def test_full_disk_of_the_engine(bench: Bench, toy: Path, tmp_path: Path) -> None:
    progress = Trips("making the sandbox", bench.engine.fill_disk)
    with pytest.raises(InfrastructureError, match="disk of the engine's machine is full"):
        trial_of(bench, toy, tmp_path, progress)
    with pytest.raises(InfrastructureError, match="disk of the engine's machine is full"):
        replace(bench, environment=environment(bench, tmp_path, "true")).make()
    bench.engine.free_disk()
    progress = Trips("experiment", bench.engine.fill_disk)
    assert trial_of(bench, toy, tmp_path / "more", progress).passed
    assert bench.left() == []
