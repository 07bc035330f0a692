"""Which sandbox a run uses, and what it isolates."""

from __future__ import annotations

import http.client
import os
import socket
from pathlib import Path

from pytest_autoexp.model.errors import UsageError

DEFAULT_DOCKER_HOST = "unix:///var/run/docker.sock"

ISOLATES = {
    "docker": "a container per phase: no network, non-root, own file system, limits",
    "local": "bubblewrap: no network, read-only system, private home, limits",
    "none": "plain processes: private folder, scrubbed environment and limits, no isolation",
}
"""What each kind of sandbox keeps apart, in one line."""

_PING_SEC = 2.0


def choose_sandbox(kind: str | None, *, trusted_agent: bool) -> str:
    """The kind of sandbox of a run.

    Args:
        kind: What ``--sandbox`` named; None for the best that there is.
        trusted_agent: True if the agent runs no code of its own making.

    Returns:
        ``kind`` itself; or docker where a daemon answers, else local where bubblewrap
        works, else none.

    Raises:
        UsageError: If what was asked for is not there, or nothing isolates an agent that
            runs code of its own and ``none`` was not asked for by name.
    """
    if kind == "docker" and (problem := docker_problem()):
        raise UsageError(
            f"--sandbox=docker: {problem}; start the engine, set DOCKER_HOST, or use "
            "--sandbox=local"
        )
    if kind == "local" and (problem := _local_problem()):
        raise UsageError(f"--sandbox=local: {problem}; use --sandbox=docker or --sandbox=none")
    if kind is not None:
        return kind
    docker = docker_problem()
    if docker is None:
        return "docker"
    local = _local_problem()
    if local is None:
        return "local"
    if trusted_agent:
        return "none"
    raise UsageError(
        f"no sandbox isolates here: docker: {docker}; local: {local}; start a Docker engine, "
        "install bubblewrap, or give --sandbox=none to run the agent's code unisolated"
    )


def docker_problem() -> str | None:
    """Why no Docker daemon answers, in words; None if one does."""
    host = os.environ.get("DOCKER_HOST") or DEFAULT_DOCKER_HOST
    if not host.startswith("unix://"):
        return _engine_problem()
    path = host.removeprefix("unix://")
    if not Path(path).exists():
        return f"no Docker daemon answers at {host}"
    connection = http.client.HTTPConnection("localhost", timeout=_PING_SEC)
    try:
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(_PING_SEC)
        connection.sock.connect(path)
        connection.request("GET", "/_ping")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as exc:
        return f"no Docker daemon answers at {host}: {exc}"
    finally:
        connection.close()
    return None if status == http.HTTPStatus.OK else f"the Docker daemon at {host} says {status}"


def _local_problem() -> str | None:
    from pytest_autoexp.sandbox.host.local import bubblewrap_problem

    return bubblewrap_problem()


def _engine_problem() -> str | None:
    """Ask through Docker's own library: the host is remote."""
    from pytest_autoexp.model.errors import InfrastructureError
    from pytest_autoexp.sandbox.docker.engine import connect

    try:
        connect()
    except InfrastructureError as exc:
        return str(exc)
    return None
