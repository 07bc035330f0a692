"""GPUs: which there are, and whole ones leased to one trial at a time.

NVML (package nvidia-ml-py) is asked only when the first trial that needs a GPU runs.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from pytest_autoexp.model.errors import InfrastructureError, UsageError

COMMON_FILES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
"""Files in ``/dev`` that every user of a GPU opens beside the GPU's own."""

_ALLOWED = "auto, none, or indices and GPU-... UUIDs as nvidia-smi -L lists them, such as 0,1"
_NAME = re.compile(r"0|[1-9][0-9]{0,3}|GPU-[0-9A-Za-z-]{1,60}")
_POLL_SEC = 0.2
_SAY_AFTER_SEC = 1.0
_LONG_SEC = 5.0

_Got = TypeVar("_Got")


@dataclass(frozen=True)
class Card:
    """A GPU as NVML knows it.

    Attributes:
        uuid: Its name, the same for every process, run and machine.
        minor: The number in the name of its file, ``/dev/nvidia<minor>``.
    """

    uuid: str
    minor: int


def check_gpus(spec: str) -> str:
    """Make sure that an ini value can be read; asks no driver.

    Args:
        spec: Value of ini ``autoexp_gpus``.

    Returns:
        The same.

    Raises:
        UsageError: If it is none of what is allowed.
    """
    _names(spec)
    return spec


def find_gpus(spec: str) -> tuple[str, ...]:
    """The GPUs that trials may lease.

    Args:
        spec: Value of ini ``autoexp_gpus``.

    Returns:
        UUIDs where NVML answers, so that runs which name a GPU differently still exclude each
        other; else (the GPUs of a remote engine) the names as they stand.

    Raises:
        UsageError: If it cannot be read, or names a GPU that is not there.
        InfrastructureError: If there is a driver that does not work.
    """
    names = _names(spec)
    if names == ():
        return ()
    cards = _cards()
    if cards is None:
        return names or ()
    uuids = [card.uuid for card in cards]
    if names is None:
        return visible(uuids, os.environ.get("CUDA_VISIBLE_DEVICES"))
    return resolve(names, uuids)


def visible(uuids: Sequence[str], asked: str | None) -> tuple[str, ...]:
    """The GPUs that a caller may use, as CUDA reads it; a batch system says it so.

    Args:
        uuids: All GPUs, in the order of their indices.
        asked: Value of ``CUDA_VISIBLE_DEVICES``: indices, or how UUIDs begin.  As for CUDA,
            what follows a name that is none does not count.  None if it is not set.
    """
    if asked is None:
        return tuple(uuids)
    found: list[str] = []
    for name in asked.split(","):
        matches = _matches(name.strip(), uuids)
        if len(matches) != 1:
            break
        found += matches
    return tuple(dict.fromkeys(found))


def resolve(names: Sequence[str], uuids: Sequence[str]) -> tuple[str, ...]:
    """The UUIDs of the GPUs that ini ``autoexp_gpus`` names.

    Args:
        names: Indices and UUIDs.
        uuids: All GPUs, in the order of their indices.

    Raises:
        UsageError: If one is not there, or two are the same.
    """
    shown = f"ini autoexp_gpus = {','.join(names)}"
    found: list[str] = []
    for name in names:
        uuid = name if name in uuids else _by_index(name, uuids)
        if uuid is None:
            there = ", ".join(f"{i} ({u})" for i, u in enumerate(uuids)) or "none"
            raise UsageError(f"{shown}: no GPU {name} here; there is {there}")
        if uuid in found:
            raise UsageError(f"{shown}: GPU {uuid} is named twice; name each once")
        found.append(uuid)
    return tuple(found)


@contextmanager
def lease(
    count: int, devices: Sequence[str], say: Callable[[str], None]
) -> Iterator[tuple[str, ...]]:
    """Hold some GPUs that no other process of this machine holds; wait until there are enough.

    A GPU is held by a Unix socket with its name in Linux's abstract namespace, which only one
    process can bind, whoever its user is, and which the kernel frees the moment that process
    ends, however it ends.  Programs that it starts do not inherit it.  Processes in another network
    namespace (a container) and on another machine that uses the same remote engine have other
    sockets: give such runs different GPUs.

    All are taken at once or none, so that two who wait cannot block each other.  Of those
    who choose from the same list one after another is served: who needs many is not overtaken.

    Args:
        count: How many; at least 1.
        devices: From which of them.
        say: Takes a line when it has to wait, and one when a long wait is over.

    Yields:
        Which are held, in the order of ``devices``.

    Raises:
        InfrastructureError: At once, if there are fewer than that.
    """
    shown = ", ".join(devices)
    if count > len(devices):
        raise InfrastructureError(
            f"{count} GPU(s) asked for, and there are only {len(devices)}: {shown}; run the task"
            " where there are as many, or let ini autoexp_gpus name more"
        )
    wait = _Wait(f"waiting for {count} GPU(s): too few of {shown} are free", say)
    everyone = hashlib.sha256(",".join(sorted(devices)).encode()).hexdigest()[:16]
    with ExitStack() as held:
        with wait.until(lambda: _bind(f"queue-{everyone}")):
            leased = wait.until(lambda: _take(count, devices, held))
        if wait.elapsed_sec > _LONG_SEC:
            say(f"GPU(s) {', '.join(leased)} leased after {wait.elapsed_sec:.0f} s")
        yield leased


def device_files(devices: Sequence[str]) -> tuple[Path, ...]:
    """The files in ``/dev`` by which these GPUs, and no others, are used.  Some may be missing.

    Args:
        devices: UUIDs; indices where NVML does not answer.

    Raises:
        InfrastructureError: If it cannot be told which file is that of one of them.
    """
    if not devices:
        return ()
    minors = {card.uuid: card.minor for card in _cards() or ()}
    minors = {name: int(name) for name in devices if name.isdecimal()} | minors
    if unknown := [name for name in devices if name not in minors]:
        raise InfrastructureError(
            f"no driver of this machine knows GPU {', '.join(unknown)}, which --sandbox=local needs"
            " to show to its commands: correct ini autoexp_gpus, or use --sandbox=docker"
        )
    names = [*(f"nvidia{minors[name]}" for name in devices), *COMMON_FILES]
    return tuple(Path("/dev", name) for name in names)


def cuda_environment(devices: Sequence[str]) -> dict[str, str]:
    """Environment variables that show these GPUs, and no others, to CUDA on the host."""
    if not devices:
        return {}
    # The order in which NVML and nvidia-smi count.
    return {"CUDA_VISIBLE_DEVICES": ",".join(devices), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def _names(spec: str) -> tuple[str, ...] | None:
    """What an ini value names; None for what NVML finds."""
    if spec.strip() in ("auto", "none"):
        return None if spec.strip() == "auto" else ()
    names = tuple(name.strip() for name in spec.split(","))
    if not all(_NAME.fullmatch(name) for name in names):
        raise UsageError(f"ini autoexp_gpus = {spec}: allowed: {_ALLOWED}")
    if len(set(names)) < len(names):
        raise UsageError(f"ini autoexp_gpus = {spec}: a GPU is named twice; name each once")
    return names


@cache
def _cards() -> tuple[Card, ...] | None:
    """The GPUs of this machine in the order of their indices; None without a driver."""
    import pynvml  # type: ignore[import-untyped]

    try:
        pynvml.nvmlInit()
    except (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded):
        return None
    except pynvml.NVMLError as error:
        raise _broken(error) from error
    try:
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return tuple(
            Card(pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetMinorNumber(handle))
            for handle in handles
        )
    except pynvml.NVMLError as error:
        raise _broken(error) from error
    finally:
        pynvml.nvmlShutdown()


def _broken(error: Exception) -> InfrastructureError:
    return InfrastructureError(
        f"the GPUs of this machine cannot be listed: NVML says {error}; see what nvidia-smi says,"
        " or run without them: -o autoexp_gpus=none"
    )


def _matches(name: str, uuids: Sequence[str]) -> list[str]:
    """The GPUs that CUDA may mean by a name."""
    by_index = _by_index(name, uuids)
    if by_index is not None:
        return [by_index]
    return [uuid for uuid in uuids if name.startswith("GPU-") and uuid.startswith(name)]


def _by_index(name: str, uuids: Sequence[str]) -> str | None:
    is_index = name.isascii() and name.isdigit() and int(name) < len(uuids)
    return uuids[int(name)] if is_index else None


class _Wait:
    """Tries something until it succeeds, and tells the user if that takes long."""

    def __init__(self, reason: str, say: Callable[[str], None]) -> None:
        self._reason = reason
        self._say = say
        self._said = False
        self._started = time.monotonic()

    @property
    def elapsed_sec(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._started

    def until(self, attempt: Callable[[], _Got | None]) -> _Got:
        """What the attempt gives, once that is something."""
        while (got := attempt()) is None:
            if not self._said and self.elapsed_sec > _SAY_AFTER_SEC:
                self._say(self._reason)
                self._said = True
            time.sleep(_POLL_SEC)
        return got


def _take(count: int, devices: Sequence[str], held: ExitStack) -> tuple[str, ...] | None:
    """Bind ``count`` GPUs and leave them to ``held``; None, and none bound, if too few are free."""
    leased: list[str] = []
    with ExitStack() as taken:
        for device in devices:
            if (own := _bind(device)) is not None:
                taken.enter_context(own)
                leased.append(device)
            if len(leased) == count:
                held.enter_context(taken.pop_all())
                return tuple(leased)
    return None


def _bind(name: str) -> socket.socket | None:
    """A socket with a name that nobody else can have until it is closed; None if one has it."""
    with ExitStack() as unbound:
        own = unbound.enter_context(socket.socket(socket.AF_UNIX))
        try:
            own.bind(f"\0pytest-autoexp-gpu-{name}")
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return None
            raise InfrastructureError(
                f"GPUs cannot be leased on this system, only on Linux: {error}; override the"
                " fixture gpus"
            ) from error
        unbound.pop_all()
    return own
