"""Images of tasks: built once per content, from a Dockerfile, requirements or a conda file."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from docker import DockerClient
from docker.errors import APIError, ImageNotFound
from docker.utils import parse_repository_tag

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.task import Environment
from pytest_autoexp.model.trial import PREFIX_VARIABLE
from pytest_autoexp.sandbox.cache import BuildFailedError, Builds
from pytest_autoexp.sandbox.conda import CondaFile, read_conda
from pytest_autoexp.sandbox.docker.engine import connect, engine_errors, with_way_out
from pytest_autoexp.text import printable

IMAGE_LABEL = "pytest-autoexp.image"
"""Label of the images built here; its value is their tag."""

BASE_ARGUMENT = "BASE_IMAGE"
"""Build argument that tells a task's own Dockerfile the base image of the run."""

_PREFIX = "/opt/autoexp/agent"
_CONDA_FILE = "environment.yml"
_CONDA_PREFIX = "/opt/conda"
_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LOG_LINES = 20
_SAY_EVERY_SEC = 5.0
_NOISE = ("Removing intermediate container ", " ---> ", "--> ")


def ensure_image(
    environment: Environment, base_image: str, builds: Builds, install: Sequence[str] = ()
) -> str:
    """The image in which a task's commands run; built if the engine does not have it yet.

    With a Dockerfile of its own the task's image is what that builds, with nothing but
    the Dockerfile in the build's context; otherwise it is the base image with the task's
    requirements installed by pip, or its conda environment by micromamba.  An agent's
    programs are layers on top of it.  Processes that need the same image build it once, and
    do not try again in the same run if that failed.

    Args:
        environment: What the task's commands need.
        base_image: The image to start from.
        builds: What this run builds; is told when a build or a pull starts and ends, and
            now and then between.
        install: Shell commands that install an agent's programs, a layer each.

    Returns:
        A name or id of an image that the engine has.

    Raises:
        InfrastructureError: If no engine answers, the base image cannot be had, or the
            build fails (then with the last lines of its log).
    """
    client = connect()
    try:
        image = _ensure(client, environment, base_image, builds)
        return _with_programs(client, image, install, builds) if install else image
    finally:
        client.close()


def image_id(name: str) -> str:
    """Id of an image: another one if the name means another image.

    Args:
        name: Its name.

    Raises:
        InfrastructureError: If the engine does not have it.
    """
    client = connect()
    try:
        found = _find(client, name)
    finally:
        client.close()
    if found is None:
        raise InfrastructureError(f"image {name} is not there any more")
    return found


def _ensure(client: DockerClient, environment: Environment, base_image: str, builds: Builds) -> str:
    if environment == Environment():
        _base_id(client, base_image, builds)
        return _without_volumes(client, base_image)
    conda = read_conda(environment.conda) if environment.conda else None
    if conda:
        dockerfile, files = _conda_dockerfile(conda, base_image), {_CONDA_FILE: conda.text}
    else:
        dockerfile, files = _dockerfile(environment, base_image), {}
    takes_base = environment.dockerfile is None or BASE_ARGUMENT in dockerfile
    base_id = _base_id(client, base_image, builds) if takes_base else ""
    content = json.dumps([base_id, dockerfile, sorted(environment.requirements), *files.values()])
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    tag = f"autoexp:{digest}"
    arguments = {BASE_ARGUMENT: base_image} if takes_base else {}
    builds.once(
        f"docker-image-{digest}",
        f"build image {tag}",
        lambda: _find(client, tag) is not None,
        lambda: _build(client, tag, dockerfile, arguments, builds.say, files),
    )
    return _without_volumes(client, tag)


def _with_programs(client: DockerClient, image: str, install: Sequence[str], builds: Builds) -> str:
    """An image on top of another, with an agent's programs."""
    lines = [
        f"FROM {image}",
        "USER 0",
        f"ARG {PREFIX_VARIABLE}={_PREFIX}",
        f"ENV PATH=${{PATH:-{_USUAL_PATH}}}:{_PREFIX}/bin",  # last: its python is not the task's
        *(_shell(command) for command in (f"mkdir -p {_PREFIX}/bin", *install)),
        _shell(f"chmod -R a+rX {_PREFIX}"),
    ]
    content = json.dumps([_find(client, image), lines])
    tag = f"autoexp:agent-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    builds.once(
        f"docker-image-{tag.partition(':')[2]}",
        f"build image {tag}",
        lambda: _find(client, tag) is not None,
        lambda: _build(client, tag, "\n".join(lines) + "\n", {}, builds.say),
    )
    return tag


def _shell(command: str) -> str:
    return f"RUN {json.dumps(['/bin/sh', '-ec', command])}"


def _without_volumes(client: DockerClient, name: str) -> str:
    """The same name, if the image declares no volumes: those would be disk without a limit."""
    with engine_errors(f"image {name} cannot be looked up"):
        volumes = client.images.get(name).attrs["Config"].get("Volumes")
    if volumes:
        raise InfrastructureError(
            f"image {name} declares VOLUME {' '.join(volumes)}, which would lie on the host's disk"
            " without a limit: take the line out of the task's Dockerfile, or base it on another"
            " image"
        )
    return name


def _dockerfile(environment: Environment, base_image: str) -> str:
    if environment.dockerfile is not None:
        path = Path(environment.dockerfile)
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InfrastructureError(f"{path} cannot be read as a Dockerfile: {error}") from error
    install = ["python", "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check"]
    # As JSON: no shell looks at the requirements, which hold characters that mean much to it.
    command = json.dumps([*install, "--root-user-action=ignore", "--", *environment.requirements])
    return f"FROM {base_image}\nUSER 0\nRUN {command}\n"


def _conda_dockerfile(conda: CondaFile, base_image: str) -> str:
    """What installs a conda environment into an image that has micromamba.

    Commands find its programs on the PATH: it is not activated, as that asks for a shell that
    was set up for it.
    """
    lines = [
        f"FROM {base_image}",
        "USER 0",
        f"COPY {_CONDA_FILE} {_CONDA_PREFIX}-{_CONDA_FILE}",
        f"ENV MAMBA_ROOT_PREFIX={_CONDA_PREFIX}",
        f"ENV PATH={_CONDA_PREFIX}/bin:${{PATH:-{_USUAL_PATH}}}",
    ]
    if conda.cuda:  # for NVIDIA's runtime; which GPUs are seen is said for each container
        lines += ["ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility"]
    no_micromamba = f"{base_image} has no micromamba: name an image that has it, or none, with"
    commands = [
        f"command -v micromamba || {{ echo '{no_micromamba} -o autoexp_base_image'; exit 1; }}",
        "export PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore",
        # No GPU is seen while an image is built; packages that need one ask for this.
        *([f"export CONDA_OVERRIDE_CUDA={conda.cuda}"] if conda.cuda else []),
        f"mkdir -p {_CONDA_PREFIX}/conda-meta",  # makes it an environment, if it is none yet
        f"micromamba install -y -n base -f {_CONDA_PREFIX}-{_CONDA_FILE}",
        "micromamba clean --all --yes",
        f"test -x {_CONDA_PREFIX}/bin/python || {{ echo 'its dependencies lack python'; exit 1; }}",
        f"chmod -R a+rX {_CONDA_PREFIX}",
    ]
    lines += [_shell("\n".join(commands))]
    lines += [f'ENV {name}="{_escaped(value)}"' for name, value in conda.variables.items()]
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    """A text as it stands between double quotes in a Dockerfile."""
    return re.sub(r'[\\"$]', r"\\\g<0>", value)


def _base_id(client: DockerClient, base_image: str, builds: Builds) -> str:
    """Id of the base image, which the engine pulls if it does not have it."""
    builds.once(
        f"docker-pull-{hashlib.sha256(base_image.encode()).hexdigest()[:16]}",
        f"pull base image {base_image}",
        lambda: _find(client, base_image) is not None,
        lambda: _pull(client, base_image, builds.say),
    )
    found = _find(client, base_image)
    if found is None:
        raise InfrastructureError(f"image {base_image} was pulled, but the engine has it not")
    return found


def _find(client: DockerClient, name: str) -> str | None:
    """Id of an image that the engine has, or None."""
    with engine_errors(f"image {name} cannot be looked up"):
        try:
            return str(client.images.get(name).id)
        except ImageNotFound:
            return None


def _pull(client: DockerClient, base_image: str, say: Callable[[str], None]) -> None:
    repository, tag = parse_repository_tag(base_image)
    say(f"pulling base image {base_image}")
    try:
        with engine_errors(f"base image {base_image} is not there and cannot be pulled"):
            log = client.api.pull(repository, tag=tag or "latest", stream=True, decode=True)
            _follow(log, f"base image {base_image} cannot be pulled", say)
    except InfrastructureError as error:
        refused = isinstance(error, BuildFailedError) or isinstance(error.__cause__, APIError)
        raise (BuildFailedError if refused else InfrastructureError)(
            f"{error}\nName an image that the engine has, or can pull, with"
            " -o autoexp_base_image=NAME, or use --sandbox=local."
        ) from error
    say(f"pulled base image {base_image}")


def _build(
    client: DockerClient,
    tag: str,
    dockerfile: str,
    arguments: Mapping[str, str],
    say: Callable[[str], None],
    files: Mapping[str, str] = MappingProxyType({}),
) -> None:
    say(f"building image {tag} (once; later runs use it again)")
    started = time.monotonic()
    with engine_errors(f"image {tag} cannot be built"):
        log = client.api.build(
            fileobj=_context({"Dockerfile": dockerfile, **files}),
            custom_context=True,
            tag=tag,
            buildargs=dict(arguments),
            labels={IMAGE_LABEL: tag},
            rm=True,
            forcerm=True,
            timeout=None,  # between two lines of the log minutes may pass
            decode=True,
        )
        _follow(log, f"image {tag} cannot be built", say)
    say(f"built image {tag} in {time.monotonic() - started:.0f} s")


def _context(files: Mapping[str, str]) -> io.BytesIO:
    """A build context that holds these files and nothing else."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, text in files.items():
            content = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    context.seek(0)
    return context


def _follow(log: Iterable[Any], failed: str, say: Callable[[str], None]) -> None:
    """Read the engine's log of a long work to its end; show now and then where it is."""
    last: deque[str] = deque(maxlen=_LOG_LINES)
    said_at = time.monotonic()
    problem = ""
    for entry in log:  # to the end also after an error, or the connection stays open
        problem = problem or entry.get("error", "").strip()
        text = entry.get("stream") or " ".join(
            str(entry[key]) for key in ("status", "id", "progress") if entry.get(key)
        )
        lines = printable(text).splitlines()
        last.extend(line for line in lines if line.strip() and not line.startswith(_NOISE))
        if last and time.monotonic() - said_at > _SAY_EVERY_SEC:
            said_at = time.monotonic()
            say(f"... {last[-1]}")
    if problem:
        raise BuildFailedError(with_way_out("\n".join([f"{failed}: {problem}", *last])))
