"""The sandboxes that come with the plugin: made for a trial, and cleaned up after dead runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.trial import Trial
from pytest_autoexp.sandbox.protocol import Sandbox


@dataclass(frozen=True)
class Site:
    """What a run's sandboxes have in common.

    Attributes:
        run_id: The run that they belong to.
        base_image: Image on which those of the tasks are built.
        private: Folders of the host that no command may see: tasks, results, the project.
        say: Shows a line to the user: building an environment or an image takes a while.
    """

    run_id: str
    base_image: str
    private: tuple[Path, ...]
    say: Callable[[str], None]


def make_sandbox(kind: str, trial: Trial, site: Site) -> Sandbox | None:
    """Make a fresh sandbox.

    Args:
        kind: ``docker``, ``local`` or ``none``.
        trial: Its environment and resources say what the sandbox must offer.
        site: What the sandboxes of the run have in common.

    Returns:
        The sandbox with an empty workspace; None for a kind that is not ours.

    Raises:
        InfrastructureError: If it cannot be made.
    """
    if kind == "docker":
        from pytest_autoexp.sandbox.docker.container import DockerSettings
        from pytest_autoexp.sandbox.docker.images import ensure_image
        from pytest_autoexp.sandbox.docker.sandbox import DockerSandbox

        image = ensure_image(trial.environment, site.base_image, site.say)
        return DockerSandbox.start(DockerSettings(image, trial.resources, site.run_id, trial.id))
    if kind not in ("local", "none"):
        return None
    if trial.resources.gpus:
        raise InfrastructureError(
            f"{trial.task_id} asks for {trial.resources.gpus} GPUs, which the {kind} sandbox does "
            "not lease; use --sandbox=docker"
        )
    from pytest_autoexp.sandbox.host.local import LocalSandbox
    from pytest_autoexp.sandbox.host.none import NoneSandbox
    from pytest_autoexp.sandbox.host.requirements import python_for

    python = python_for(trial.environment.requirements, site.say)
    if kind == "none":
        return NoneSandbox(python, trial.resources)
    return LocalSandbox(python, trial.resources, hidden=site.private)


def remove_leftovers(kind: str) -> None:
    """Remove what processes left that were killed, and never what a living one owns.

    Args:
        kind: The sandbox of this run; the engine is asked only if that is ``docker``.

    Raises:
        InfrastructureError: If something cannot be removed.
    """
    from pytest_autoexp.sandbox.host import none

    none.remove_leftovers()
    if kind == "docker":
        from pytest_autoexp.sandbox.docker import leftovers

        leftovers.remove_leftovers()
