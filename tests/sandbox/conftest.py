from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pytest_autoexp.model.errors import InfrastructureError

if TYPE_CHECKING:
    from docker import DockerClient

REQUIRED = os.environ.get("AUTOEXP_TEST_REQUIRE_DOCKER") == "1"
"""Set in CI, so that no Docker test is skipped there."""


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerClient]:
    """The Docker engine; its tests are skipped where none answers, unless one is required."""
    from pytest_autoexp.sandbox.docker_engine import connect

    try:
        client = connect()
    except InfrastructureError as error:
        if REQUIRED:
            pytest.fail(f"AUTOEXP_TEST_REQUIRE_DOCKER=1, but {error}")
        pytest.skip(str(error))
    with closing(client):
        yield client


@pytest.fixture(scope="session")
def base_image(engine: DockerClient) -> str:
    """An image with Python and pip, which `.ci/base-image.sh` makes."""
    from docker.errors import ImageNotFound

    name = os.environ.get("AUTOEXP_TEST_BASE_IMAGE", "autoexp-base:local")
    try:
        engine.images.get(name)
    except ImageNotFound:
        problem = f"no image {name}: run .ci/base-image.sh, or set AUTOEXP_TEST_BASE_IMAGE"
        if REQUIRED:
            pytest.fail(problem)
        pytest.skip(problem)
    return name
