"""The way to the engine, without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.docker.engine import connect, engine_errors


@pytest.mark.parametrize("host", ["unix://{}/none.sock", "tcp://127.0.0.1:1", "nonsense"])
def test_no_engine_is_named_with_the_way_out(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = host.format(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(InfrastructureError, match="no Docker engine answers") as caught:
        connect()
    assert f"DOCKER_HOST={host}" in str(caught.value)
    assert "--sandbox=local" in str(caught.value)


def test_connection_that_breaks_is_our_error() -> None:
    with pytest.raises(InfrastructureError, match="it failed: reset"), engine_errors("it failed"):
        raise ConnectionResetError("reset")


def test_errors_of_ours_pass_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError), engine_errors("it failed"):
        raise ZeroDivisionError
