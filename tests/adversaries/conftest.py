from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from adversaries.cheating import Arena

from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.task import Resources
from pytest_autoexp.model.trial import GatewayAddress
from pytest_autoexp.sandbox.host.local import LocalSandbox, bubblewrap_problem
from pytest_autoexp.sandbox.host.requirements import running_python
from pytest_autoexp.sandbox.protocol import Sandbox

SMALL = Resources(memory_bytes=256 * 1024**2, disk_bytes=32 * 1024**2, pids=40)

MakeSandbox = Callable[..., Sandbox]


def make_local(
    hidden: tuple[Path, ...] = (),
    gateway: GatewayAddress | None = None,
    network: tuple[str, ...] = (),
) -> Sandbox:
    """Without the network, of which there is none in ``local``."""
    return LocalSandbox(running_python(), SMALL, hidden=hidden, gateway=gateway)


@pytest.fixture(scope="session")
def local() -> MakeSandbox:
    """Makes sandboxes with bubblewrap."""
    if problem := bubblewrap_problem():
        pytest.skip(problem)
    return make_local


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker)], scope="session")
def isolated(request: pytest.FixtureRequest) -> MakeSandbox:
    """Makes sandboxes of each kind that isolates."""
    if request.param == "local":
        made: MakeSandbox = request.getfixturevalue("local")
        return made
    from pytest_autoexp.sandbox.docker.options import DockerSettings
    from pytest_autoexp.sandbox.docker.sandbox import DockerSandbox

    image, run_id = request.getfixturevalue("base_image"), uuid.uuid4().hex

    def make_docker(
        hidden: tuple[Path, ...] = (),
        gateway: GatewayAddress | None = None,
        network: tuple[str, ...] = (),
    ) -> Sandbox:
        """Whatever is hidden: nothing of the host is there."""
        port = gateway.port if gateway else None
        settings = DockerSettings(image, SMALL, run_id, "x", network=network, gateway_port=port)
        return DockerSandbox.start(settings)

    return make_docker


@pytest.fixture
def arena(local: MakeSandbox, toy: Path, tmp_path: Path) -> Arena:
    """The toy task in the sandbox ``local``."""
    return Arena(load_task(toy / "task.yaml"), local, tmp_path)


@pytest.fixture
def each_arena(isolated: MakeSandbox, toy: Path, tmp_path: Path) -> Arena:
    """The toy task in each kind of sandbox that isolates."""
    return Arena(load_task(toy / "task.yaml"), isolated, tmp_path)
