"""What is kept of a trial beside its line: diff, logs, trajectory, the files that counted."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from pytest_autoexp.model.result import Artifacts, TrialResult
from pytest_autoexp.model.trial import Trial

ARTIFACTS_DIR = "artifacts"
TRAJECTORY_FILE = "trajectory.jsonl"


def write_trajectory(results: Path, run_id: str, trial: Trial, trajectory: bytes) -> None:
    """Write what an agent asked of models, also of a trial that is not judged.

    Args:
        results: The results folder.
        run_id: The run that the trial belongs to.
        trial: What was asked.
        trajectory: JSON lines.

    Raises:
        OSError: If it cannot be written.
    """
    folder = results / ARTIFACTS_DIR / run_id / trial.id
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath(TRAJECTORY_FILE).write_bytes(trajectory)


def write_artifacts(
    results: Path, run_id: str, trial: Trial, result: TrialResult, artifacts: Artifacts
) -> str:
    """Write one trial's artifacts.

    Args:
        results: The results folder.
        run_id: The run that the trial belongs to.
        trial: What was asked.
        result: What came out.
        artifacts: What else is to be kept.

    Returns:
        The folder written to, relative to ``results``.

    Raises:
        OSError: If it cannot be written.
    """
    relative = f"{ARTIFACTS_DIR}/{run_id}/{trial.id}"
    folder = results / relative
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "trial.json": json.dumps(trial.to_json(), indent=2) + "\n",
        "agent.diff": result.diff,
        "agent.stdout.log": result.agent.stdout,
        "agent.stderr.log": result.agent.stderr,
    }
    if artifacts.refused:
        lines = [json.dumps(asdict(refused)) + "\n" for refused in artifacts.refused]
        texts["network.jsonl"] = "".join(lines)
    for experiment in result.experiments:
        texts[f"experiments/{experiment.name}.stdout.log"] = experiment.stdout
        texts[f"experiments/{experiment.name}.stderr.log"] = experiment.stderr
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
    if artifacts.transcript is not None:
        suffix = Path(result.agent.transcript or "").suffix[:20]
        folder.joinpath(f"transcript{suffix}").write_bytes(artifacts.transcript)
    for path, source in artifacts.files.items():
        file = folder / "solution" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(source)
    return relative
