"""The one test: collected once for each case of a task.yaml."""

from __future__ import annotations

import pytest

from pytest_autoexp.model.result import TrialResult
from pytest_autoexp.model.trial import Trial
from pytest_autoexp.report.explain import explain


def test_reproduces(trial: Trial, result: TrialResult) -> None:
    """The agent's code gives every metric of the paper's experiments again.

    All that can break on our side happens in the fixtures before, as an error; what fails
    here is the agent's.
    """
    if not result.passed:
        pytest.fail(explain(trial, result), pytrace=False)
