"""Commands that use up the container itself: whose fault what follows is."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_autoexp.model.errors import InfrastructureError, SandboxExhaustedError
from pytest_autoexp.model.task import Resources

if TYPE_CHECKING:
    from docker import DockerClient

    from pytest_autoexp.sandbox.docker.sandbox import DockerSandbox

pytestmark = pytest.mark.docker

MIB = 1024**2
FILL = "for d in . ~ /tmp /dev/shm; do dd if=/dev/zero of=$d/fill bs=64k 2>/dev/null; done; true"

# Segments of shared memory, which stay when the process that made them ends.
SEGMENTS = r"""
import ctypes
c = ctypes.CDLL(None)
c.shmat.restype = ctypes.c_void_p
print(c.shmget(0, 1 << 20, 0o1600) >= 0)
"""

Start = Callable[[int], "DockerSandbox"]


@pytest.fixture
def start(base_image: str) -> Iterator[Start]:
    """Starts a sandbox with so much memory."""
    from pytest_autoexp.sandbox.docker.options import DockerSettings
    from pytest_autoexp.sandbox.docker.sandbox import DockerSandbox

    made: list[DockerSandbox] = []

    def start(memory_bytes: int) -> DockerSandbox:
        resources = Resources(memory_bytes=memory_bytes)
        run_id = f"test-{uuid.uuid4().hex}"
        made.append(DockerSandbox.start(DockerSettings(base_image, resources, run_id, "t")))
        return made[-1]

    yield start
    for sandbox in made:
        sandbox.close()


def sh(sandbox: DockerSandbox, command: str) -> str:
    return sandbox.run(command, time_limit_sec=60).stdout


def test_shared_memory_goes_with_its_process(start: Start) -> None:
    box = start(256 * MIB)
    assert sh(box, f"python3 -c '{SEGMENTS}'") == "True\n"
    assert sh(box, "wc -l < /proc/sysvipc/shm") == "1\n"  # the header


def test_a_new_workspace_comes_with_empty_folders(start: Start, tmp_path: Path) -> None:
    box = start(256 * MIB)
    sh(box, "mkdir -p ~/a/b /tmp/a /dev/shm/a && touch ~/a/b/c /tmp/.hidden && chmod -R 0 ~/a")
    (tmp_path / "tree").mkdir()
    box.put(tmp_path / "tree", "part")
    assert sh(box, "ls -A ~ /tmp /dev/shm | grep -c '^a$'") == "3\n"
    box.put(tmp_path / "tree")
    assert sh(box, "find . ~ /tmp /dev/shm -mindepth 1") == ""


@pytest.mark.parametrize("what", ["put", "get", "read"])
def test_no_memory_left_for_us_is_the_commands_doing(
    what: str, start: Start, tmp_path: Path
) -> None:
    box = start(12 * MIB)
    sh(box, FILL)
    (tmp_path / "tree").mkdir()
    use: dict[str, Callable[[], Any]] = {
        "put": lambda: box.put(tmp_path / "tree", "part"),
        "get": lambda: box.get(tmp_path / "dest"),
        "read": lambda: box.read("fill", 10),
    }
    with pytest.raises(SandboxExhaustedError, match="out of memory"):
        use[what]()


@pytest.mark.parametrize("what", ["get", "read"])
def test_a_container_that_is_killed_under_us_is_our_error(
    what: str, start: Start, tmp_path: Path, engine: DockerClient
) -> None:
    box = start(1024 * MIB)
    sh(box, "head -c 400M /dev/zero > large")
    kill = threading.Timer(0.3, engine.api.kill, (box._container._name,))

    def use_for_long() -> None:
        for _ in range(50):
            box.get(tmp_path) if what == "get" else box.read("large", 400 * MIB)

    kill.start()
    with pytest.raises(InfrastructureError):
        use_for_long()
    kill.join()


def test_an_agent_that_uses_up_its_sandbox_has_failed(
    project: Path,
    pytester: pytest.Pytester,
    base_image: str,
    results: Callable[[], list[dict[str, Any]]],
) -> None:
    task = project / "tasks" / "toy" / "task.yaml"
    text = task.read_text()
    assert "resources:" not in text
    task.write_text(f"{text}\nresources: {{memory: 12m}}\n")
    (project / "agent.yaml").write_text(f"command: '{FILL}'\n")
    args = ("--sandbox=docker", f"-oautoexp_base_image={base_image}", "-m", "autoexp(n=1)")
    done = pytester.runpytest_subprocess("--agent=agent.yaml", *args)
    done.assert_outcomes(failed=1)
    [line] = results()
    assert any("out of memory" in dropped for dropped in line["dropped"])
