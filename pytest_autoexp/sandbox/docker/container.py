"""One locked-down container: started, entered by commands, emptied and removed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from docker.errors import APIError, NotFound

from pytest_autoexp.model.errors import InfrastructureError, SandboxExhaustedError
from pytest_autoexp.sandbox.docker import memory, podman
from pytest_autoexp.sandbox.docker.engine import connect, engine_errors
from pytest_autoexp.sandbox.docker.exec import USER, Exec, Output
from pytest_autoexp.sandbox.docker.options import OWN_USER, DockerSettings, container_options

KILLED = 128 + 9
"""Exit status of what was killed."""

_OWN_PROCESSES = 2  # the init process and the sleeping one below it
_KILL_SEC = 30.0
_KILL_WAIT_SEC = 5.0
_FULL_WAIT_SEC = 0.05
_REMOVE_WAIT_SEC = 20.0
_LATE_CREATION_SEC = 2.0
_OOM_WAIT_SEC = 0.3
_COUNTERS_BYTES = 4096  # more than they have


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
        self._podman = False
        self._kills = 0  # for memory, as far as commands looked at tell

    def start(self) -> None:
        """Create and start it.

        Raises:
            InfrastructureError: If the engine cannot.
        """
        with self.engine("a container cannot be started"):
            info = self._client.info()
            podman.check_limits(info)
            self._podman = podman.is_podman(info)
            self._check_gpus()
            self._creating = True
            options = container_options(
                self._settings, self._name, info["NCPU"], is_podman=self._podman
            )
            try:
                container = self._client.containers.create(**options)
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
                    f"{self._settings.trial_id} asks for {len(self._settings.devices)} GPU(s),"
                    " and the Docker engine offers none: install the NVIDIA container toolkit, or"
                    " run the task where there is one"
                ) from error

    @contextmanager
    def engine(self, doing: str) -> Iterator[None]:
        """Turn the engine's errors into ours, with the container's state as a note.

        Args:
            doing: What was tried, for the message.

        Raises:
            InfrastructureError: If it went wrong.
            SandboxExhaustedError: If it did because commands left no memory for it.
        """
        started_at = time.monotonic()
        try:
            with engine_errors(doing):
                yield
        except InfrastructureError as error:
            kill = self._kill_since(started_at)
            if kill is not None and not kill.lacked_by_machine:
                raise SandboxExhaustedError(str(kill)) from error
            if kill is not None:
                error = InfrastructureError(f"{doing}: {kill}")
            error.add_note(self._state())
            raise error

    def _kill_since(self, started_at: float) -> memory.Kill | None:
        """Whether the kernel ended the container, or something since then, for memory.

        No program in it is needed for this, which might find no memory.
        """
        try:
            with engine_errors("its state cannot be told"):
                state = self._api.inspect_container(self._name)["State"]
                if not state["Running"]:
                    killed = state["OOMKilled"]
                elif self._podman:
                    killed = podman.is_full(self._api.stats(self._name, stream=False))
                else:
                    killed = self._was_told_of_kill(started_at, KILLED)
                return self._kill() if killed else None
        except InfrastructureError:
            return None

    def emptied(self, wait_sec: float, pause: Callable[[float], None] = time.sleep) -> bool:
        """True once the container has only its own processes.

        Args:
            wait_sec: How long to wait for it.
            pause: Waits so many seconds.
        """
        deadline = time.monotonic() + wait_sec
        while self._has_others():
            if time.monotonic() > deadline:
                return False
            pause(0.02)
        return True

    def _has_others(self) -> bool:
        """True if there are processes of another user than its own ones', or more than those."""
        columns = podman.TOP_COLUMNS if self._podman else None
        try:
            processes = self._api.top(self._name, columns)["Processes"] or ()
        except ValueError:  # Podman answers nothing where a process ended meanwhile, or all did
            if not self._api.inspect_container(self._name)["State"]["Running"]:
                raise self._killed() from None
            return True
        users = {user for user, *_ in processes}
        own = _OWN_PROCESSES + self._settings.relayed
        return len(users) > 1 or len(processes) > own

    def kill_all(self, pause: Callable[[float], None] = time.sleep) -> bool:
        """Kill every process of the commands; True if only a restart helped.

        Whatever they did to hide (new sessions, double forks), they are in the container's
        process namespace, and theirs is the only user to which anything there belongs.

        Args:
            pause: Waits so many seconds.  It should take the output of a command meanwhile,
                or that may not be seen to end.
        """
        deadline = time.monotonic() + _KILL_SEC
        while time.monotonic() < deadline:
            wait_sec = _KILL_WAIT_SEC
            try:
                killer = self._api.exec_create(
                    self._name, ["sh", "-c", "kill -9 -1"], user=USER, stdout=False, stderr=False
                )
                self._api.exec_start(killer["Id"], detach=True)
            except APIError:  # a container that is full may refuse to start it, many times
                wait_sec = _FULL_WAIT_SEC
            if self.emptied(wait_sec, pause):
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
                raise self._killed()

    def _killed(self) -> InfrastructureError:
        return InfrastructureError(f"container {self._name} was killed, or the engine was stopped")

    def memory_kill(self, started: float, code: int) -> memory.Kill | None:
        """Whether the kernel killed a process for memory.

        Args:
            started: Since when, on the clock of :func:`time.monotonic`.  On Podman, and where the
                machine lacked it, it is: since a command last failed.
            code: Exit status of the command that may have used it up.  One that ended well is
                looked at only for memory that the machine lacked, as far as the engine tells.

        Returns:
            What is known of it, or None if there was none.
        """
        told = not self._podman and self._was_told_of_kill(started, code)
        if code == 0 and not told:
            return None
        counters = self._counters()
        before, self._kills = self._kills, max(self._kills, counters.kills or 0)
        counted = self._kills > before
        # The engine may tell of a kill elsewhere, and not of one because the machine lacked memory.
        if not counted and not (told and counters.kills is None):
            return None
        kill = self._kill(counters.peak_bytes)
        its_own = code != 0 and (told or self._podman)
        return kill if its_own or kill.lacked_by_machine else None

    def _counters(self) -> memory.Counters:
        """What its control group tells; nothing if it is so full that no program starts."""
        try:
            with self.exec(["cat", *memory.COUNTERS]) as process:
                text = Output(process).read(_COUNTERS_BYTES).decode()
                process.exit_code()  # of no interest, but it was started
        except (APIError, ChildProcessError):
            return memory.Counters(None, None)
        return memory.read_counters(text)

    def _was_told_of_kill(self, started: float, code: int) -> bool:
        """True if the engine has told of a kill since then."""
        # The container's own state tells this of its first process only.  The engine's clock is
        # looked at anew: if it, or ours, was set meanwhile, the engine would wait for the end.
        asked = time.monotonic()
        now = datetime.fromisoformat(self._client.info()["SystemTime"]).timestamp()
        ago_sec = (asked + time.monotonic()) / 2 - started
        wait_sec = _OOM_WAIT_SEC if code == KILLED else 0.0
        events = self._api.events(  # type: ignore[call-overload]  # the engine takes fractions
            since=_timestamp(now - ago_sec),
            until=_timestamp(now + wait_sec),
            filters={"container": self._name, "event": "oom"},
            decode=True,
        )
        found = next(iter(events), None) is not None
        events.close()
        return found

    def _kill(self, peak_bytes: int | None = None) -> memory.Kill:
        """A kill, with the most that was taken; Podman does not measure that."""
        if peak_bytes is None and not self._podman:
            peak_bytes = memory.peak_bytes(self._api.stats(self._name, stream=False))
        return memory.Kill(self._settings.resources.memory_bytes, peak_bytes)

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
        process = Exec(
            self._api, self._name, argv, environment=env, stdin=stdin, is_podman=self._podman
        )
        try:
            yield process
        finally:
            try:
                if not process.ended:
                    self.kill_all(lambda sec: process.pause(lambda _, __: None, sec))
                    process.drain(lambda _, __: None)
            finally:
                process.close()

    def start_own(self, argv: list[str]) -> Exec:
        """Start a program of ours that runs beside the commands, which cannot end it.

        Like the first process it belongs to root without capabilities.  It counts against the
        container's limits, and ends with the container.

        Args:
            argv: Program and arguments; something can be sent to it.
        """
        return Exec(self._api, self._name, argv, stdin=True, user=OWN_USER)

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

    def _check_gpus(self) -> None:
        """Podman starts a container without the GPUs that it was asked for, and says nothing."""
        if self._settings.devices and self._podman:
            raise InfrastructureError(
                f"{self._settings.trial_id} asks for {len(self._settings.devices)} GPU(s), which"
                " Podman does not give through its Docker-compatible socket: set DOCKER_HOST to a"
                " Docker engine, or use --sandbox=local"
            )

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
