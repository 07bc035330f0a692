"""One locked-down container: started, entered by commands, emptied and removed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from docker.errors import APIError, NotFound
from docker.types import DeviceRequest, Ulimit

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.task import Resources
from pytest_autoexp.sandbox.docker.engine import connect, engine_errors
from pytest_autoexp.sandbox.docker.exec import USER, Exec
from pytest_autoexp.sandbox.docker.leftovers import OWNER_LABEL, RUN_LABEL, TRIAL_LABEL, Owner
from pytest_autoexp.sandbox.environ import BASE_ENVIRONMENT
from pytest_autoexp.sandbox.protocol import MAX_TREE_FILES
from pytest_autoexp.sandbox.tree import SANDBOX_UID

WORKSPACE = "/workspace"
"""The workspace inside a container."""

KILLED = 128 + 9
"""Exit status of what was killed."""

_HOME = "/home/agent"
_TMP = "/tmp"
_OWN_PROCESSES = 2  # the init process and the sleeping one below it
_KILL_TRIES = 6
_KILL_WAIT_SEC = 5.0
_REMOVE_WAIT_SEC = 20.0
_LATE_CREATION_SEC = 2.0
_OOM_WAIT_SEC = 0.3


@dataclass(frozen=True)
class DockerSettings:
    """What a container is made of.

    Attributes:
        image: Name or id of an image that the engine has.
        resources: What it may use.  Files are kept in memory: of the memory limit the
            workspace takes at most half, ``/tmp`` and the home folder an eighth each.
        run_id: The run that it belongs to.
        trial_id: The trial that it belongs to.
    """

    image: str
    resources: Resources
    run_id: str
    trial_id: str

    @property
    def workspace_bytes(self) -> int:
        """Size of the workspace: half of the memory is left to processes, whatever is written."""
        return min(self.resources.disk_bytes, self.resources.memory_bytes // 2)


class Container:
    """A container in which commands run as an ordinary user; itself it does nothing.

    Its root file system is read-only, it has no network and no capabilities, and its first
    process belongs to root so that no command can end it.  The workspace, ``/tmp`` and the
    home folder are file systems in memory, which go with the container.
    """

    def __init__(self, settings: DockerSettings) -> None:
        self._settings = settings
        self._client = connect()
        self._api = self._client.api
        # Known before the container is made, so that it can be removed whatever happens.
        self._name = f"autoexp-{uuid.uuid4().hex[:16]}"
        self._creating = False
        self._clock_ahead_sec = 0.0

    def start(self) -> None:
        """Create and start it.

        Raises:
            InfrastructureError: If the engine cannot.
        """
        with self.engine("a container cannot be started"):
            asked = time.time()
            info = self._client.info()
            now = datetime.fromisoformat(info["SystemTime"]).timestamp()
            self._clock_ahead_sec = now - (asked + time.time()) / 2
            self._creating = True
            try:
                container = self._client.containers.create(**self._options(info["NCPU"]))
            except APIError:
                self._creating = False
                raise
            self._creating = False
            try:
                container.start()
            except APIError as error:
                if "could not select device driver" not in str(error):
                    raise
                raise InfrastructureError(
                    f"{self._settings.trial_id} asks for {self._settings.resources.gpus} GPU(s),"
                    " and the Docker engine offers none: install the NVIDIA container toolkit, or"
                    " run the task where there is one"
                ) from error

    @contextmanager
    def engine(self, doing: str) -> Iterator[None]:
        """Turn the engine's errors into ours, with the container's state as a note.

        Args:
            doing: What was tried, for the message.
        """
        try:
            with engine_errors(doing):
                yield
        except InfrastructureError as error:
            error.add_note(self._state())
            raise

    def emptied(self, wait_sec: float) -> bool:
        """True once the container has only its own processes."""
        deadline = time.monotonic() + wait_sec
        while len(self._api.top(self._name)["Processes"] or ()) > _OWN_PROCESSES:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def kill_all(self) -> bool:
        """Kill every process of the commands; True if only a restart helped.

        Whatever they did to hide (new sessions, double forks), they are in the container's
        process namespace, and theirs is the only user to which anything there belongs.
        """
        for _ in range(_KILL_TRIES):
            with suppress(APIError):  # a container that is full may refuse to start it
                killer = self._api.exec_create(
                    self._name, ["sh", "-c", "kill -9 -1"], user=USER, stdout=False, stderr=False
                )
                self._api.exec_start(killer["Id"], detach=True)
            if self.emptied(_KILL_WAIT_SEC):
                return False
        self._api.restart(self._name, timeout=0)
        return True

    def check_alive(self) -> None:
        """Make sure that it still runs: its state may tell so for a while after its end.

        Raises:
            InfrastructureError: If no command can be started in it any more.
        """
        with self.exec(["true"]) as process:
            process.drain(lambda _, __: None)
            if process.exit_code() != 0:
                raise InfrastructureError(
                    f"container {self._name} was killed, or the engine was stopped"
                )

    def ran_out_of_memory(self, started_here: float, code: int) -> bool:
        """True if the engine saw the kernel kill a process for memory since then."""
        # The container's own state tells this of its first process only.
        wait_sec = _OOM_WAIT_SEC if code == KILLED else 0.0
        events = self._api.events(  # type: ignore[call-overload]  # the engine takes fractions
            since=_timestamp(started_here + self._clock_ahead_sec),
            until=_timestamp(time.time() + self._clock_ahead_sec + wait_sec),
            filters={"container": self._name, "event": "oom"},
            decode=True,
        )
        found = next(iter(events), None) is not None
        events.close()
        return found

    @contextmanager
    def exec(
        self, argv: list[str], env: Mapping[str, str] | None = None, *, stdin: bool = False
    ) -> Iterator[Exec]:
        """Start a command; afterwards it has ended, and its stream was read to the end.

        An exec whose stream is closed early blocks later ones and the container's removal.

        Args:
            argv: Program and arguments.
            env: Environment variables beside the container's own.
            stdin: Can something be sent to it?
        """
        process = Exec(self._api, self._name, argv, environment=env, stdin=stdin)
        try:
            yield process
        finally:
            if not process.ended:
                self.kill_all()
                process.drain(lambda _, __: None)
            process.close()

    def remove(self) -> None:
        """Stop every process and remove it; does nothing if it is not there.

        Raises:
            InfrastructureError: If the engine does not remove it.
        """
        deadline = time.monotonic() + _REMOVE_WAIT_SEC
        # A creation that was interrupted may still come about.
        look_until = time.monotonic() + (_LATE_CREATION_SEC if self._creating else 0.0)
        with engine_errors(f"container {self._name} cannot be removed"):
            while True:
                try:
                    self._api.remove_container(self._name, force=True, v=True)
                except NotFound:
                    if time.monotonic() >= look_until:
                        return
                except APIError as error:
                    busy = error.status_code == 409  # another process removes it already
                    if not busy or time.monotonic() > deadline:
                        raise
                else:
                    return
                time.sleep(0.1)

    def disconnect(self) -> None:
        """Close the connection to the engine."""
        self._client.close()

    def _options(self, engine_cpus: int) -> dict[str, Any]:
        settings, limits = self._settings, self._settings.resources
        eighth = min(limits.disk_bytes, limits.memory_bytes // 8)
        owned = f"uid={SANDBOX_UID},gid={SANDBOX_UID},mode=755,exec,nr_inodes={MAX_TREE_FILES}"
        gpus = [DeviceRequest(count=limits.gpus, capabilities=[["gpu"]])] if limits.gpus else None
        return {
            "image": settings.image,
            "name": self._name,
            "labels": {
                RUN_LABEL: settings.run_id,
                TRIAL_LABEL: settings.trial_id,
                OWNER_LABEL: str(Owner.this_process()),
            },
            # Root without capabilities: commands cannot end it, and it can do nothing.
            "entrypoint": ["sleep", "2147483647"],
            "user": "0:0",
            "init": True,
            "healthcheck": {"test": ["NONE"]},
            "hostname": "sandbox",
            "working_dir": "/",
            "environment": {**BASE_ENVIRONMENT, "HOME": _HOME, "TMPDIR": _TMP},
            "use_config_proxy": False,
            "network_mode": "none",
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "read_only": True,
            "tmpfs": {
                WORKSPACE: f"size={settings.workspace_bytes},{owned}",
                _HOME: f"size={eighth},{owned}",
                _TMP: f"size={eighth},mode=1777,exec,nr_inodes={MAX_TREE_FILES}",
            },
            "mem_limit": limits.memory_bytes,
            "memswap_limit": limits.memory_bytes,
            "nano_cpus": int(min(limits.cpus, engine_cpus) * 1e9),
            "pids_limit": limits.pids,
            "ulimits": [
                Ulimit(name="fsize", soft=limits.disk_bytes, hard=limits.disk_bytes),
                Ulimit(name="core", soft=0, hard=0),
            ],
            "device_requests": gpus,
        }

    def _state(self) -> str:
        try:
            with engine_errors("its state cannot be told"):
                state = self._api.inspect_container(self._name)["State"]
                log = self._api.logs(self._name, tail=10).decode("utf-8", "replace").strip()
        except InfrastructureError as error:
            return f"container {self._name}: {error}"
        facts = ", ".join(f"{key}={state[key]}" for key in ("Status", "ExitCode", "OOMKilled"))
        return f"container {self._name}: {facts} {state['Error']}\n{log}".rstrip()


def _timestamp(seconds: float) -> str:
    """As the engine's API takes a moment, with fractions."""
    return f"{seconds:.6f}"
