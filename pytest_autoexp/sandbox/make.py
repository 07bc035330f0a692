"""The sandboxes that come with the plugin: made for a trial, and cleaned up after dead runs."""

from __future__ import annotations

from collections.abc import Callable

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.trial import Trial
from pytest_autoexp.sandbox.protocol import Sandbox


def make_sandbox(
    kind: str, trial: Trial, base_image: str, run_id: str, say: Callable[[str], None]
) -> Sandbox | None:
    """Make a fresh sandbox.

    Args:
        kind: ``docker``, ``local`` or ``none``.
        trial: Its environment and resources say what the sandbox must offer.
        base_image: Image on which those of the tasks are built.
        run_id: The run that the sandbox belongs to.
        say: Shows a line to the user: building an environment or an image takes a while.

    Returns:
        The sandbox with an empty workspace; None for a kind that is not ours.

    Raises:
        InfrastructureError: If it cannot be made.
    """
    if kind == "docker":
        from pytest_autoexp.sandbox.docker import DockerSandbox
        from pytest_autoexp.sandbox.docker_container import DockerSettings
        from pytest_autoexp.sandbox.docker_images import ensure_image

        image = ensure_image(trial.environment, base_image, say)
        return DockerSandbox.start(DockerSettings(image, trial.resources, run_id, trial.id))
    if kind not in ("local", "none"):
        return None
    if trial.resources.gpus:
        raise InfrastructureError(
            f"{trial.task_id} asks for {trial.resources.gpus} GPUs, which the {kind} sandbox does "
            "not lease; use --sandbox=docker"
        )
    from pytest_autoexp.sandbox.local import LocalSandbox
    from pytest_autoexp.sandbox.none import NoneSandbox
    from pytest_autoexp.sandbox.requirements import python_for

    python = python_for(trial.environment.requirements, say)
    return (LocalSandbox if kind == "local" else NoneSandbox)(python, trial.resources)


def remove_leftovers(kind: str) -> None:
    """Remove what processes left that were killed, and never what a living one owns.

    Args:
        kind: The sandbox of this run; the engine is asked only if that is ``docker``.

    Raises:
        InfrastructureError: If something cannot be removed.
    """
    from pytest_autoexp.sandbox import none

    none.remove_leftovers()
    if kind == "docker":
        from pytest_autoexp.sandbox import docker_leftovers

        docker_leftovers.remove_leftovers()
