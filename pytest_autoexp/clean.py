"""``--autoexp-clean``: remove what killed runs left."""

from __future__ import annotations

import sys

import pytest

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.choose import docker_problem
from pytest_autoexp.sandbox.make import remove_leftovers


def clean() -> pytest.ExitCode:
    """Remove what killed runs left on this machine, and say what was removed and what kept.

    Returns:
        ``OK``, or ``INTERNAL_ERROR`` if something could not be removed.
    """
    problem = docker_problem()
    try:
        lines = remove_leftovers(docker=problem is None)
    except InfrastructureError as error:
        print(f"ERROR: {error}", file=sys.stderr)  # noqa: T201 - no terminal reporter yet
        return pytest.ExitCode.INTERNAL_ERROR
    if problem is not None:
        lines += (f"containers were not looked for: {problem}",)
    print("\n".join(lines or ("nothing was left",)))  # noqa: T201
    return pytest.ExitCode.OK
