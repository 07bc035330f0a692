"""The connection to the Docker engine, and its errors in our words."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache

import docker
from docker import DockerClient
from docker.errors import APIError, DockerException
from urllib3.exceptions import HTTPError

from pytest_autoexp.model.errors import InfrastructureError

_DEFAULT_HOST = "unix:///var/run/docker.sock"
_CALL_SEC = 120
"""How long one call may take; a loaded engine answers slowly."""


def connect() -> DockerClient:
    """A client of the engine that ``DOCKER_HOST`` names, or of the one of this machine.

    Raises:
        InfrastructureError: If no engine answers.
    """
    host = os.environ.get("DOCKER_HOST")
    try:
        _probe(host or _DEFAULT_HOST)
        return docker.from_env(version=_api_version(host), timeout=_CALL_SEC)
    except (DockerException, HTTPError, OSError, ValueError) as error:
        where = f"DOCKER_HOST={host}" if host else f"{_DEFAULT_HOST} (DOCKER_HOST is not set)"
        raise InfrastructureError(
            f"no Docker engine answers at {where}: {error}\n"
            "Start one, set DOCKER_HOST to the one that runs (`docker context inspect` shows"
            " it), or use --sandbox=local."
        ) from error


@cache
def _api_version(host: str | None) -> str:
    """Version that the engine and the library speak, asked once: it costs 10 ms each time."""
    with closing(docker.from_env(timeout=_CALL_SEC)) as client:
        return str(client.api.api_version)


def _probe(host: str) -> None:
    """Knock at a local socket: where nobody answers, the library leaves its own one open."""
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as knock:
            knock.settimeout(_CALL_SEC)
            knock.connect(host.removeprefix("unix://"))


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turn whatever the engine, or the way to it, fails at into our error.

    Args:
        doing: What was tried, for the message: ``"the container cannot be started"``.

    Raises:
        InfrastructureError: In place of any error of the engine or the connection.
    """
    try:
        yield
    except APIError as error:
        text = with_way_out(f"{doing}: {error.explanation or error}")
        raise InfrastructureError(text) from error
    except (DockerException, HTTPError, OSError) as error:
        raise InfrastructureError(f"{doing}: {error}") from error


def with_way_out(text: str) -> str:
    """What an engine said, and what to do about it where that is known.

    Args:
        text: What it said.
    """
    if "no space left on device" not in text.lower():
        return text
    return (
        f"{text}\nThe disk of the engine's machine is full, as it seems: `docker system df` shows"
        " what images and containers take, `docker system prune` removes what nothing uses."
    )
