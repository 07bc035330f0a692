from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from fuzz.harness import watching


@pytest.fixture(autouse=True)
def _no_input_takes_too_long(request: pytest.FixtureRequest) -> Iterator[None]:
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        stderr = os.dup(2)
    try:
        with watching(request.node.name, stderr):
            yield
    finally:
        os.close(stderr)
