"""Run one command and leave no process of it behind.

A program of its own, not a module of the package: it is started as ``python -I -S
supervise.py name=value ... -- argv ...`` (by :mod:`pytest_autoexp.sandbox.host.process`), and
imports little because its start is part of the time of every command.

It makes itself *child subreaper*: whatever detaches itself (``setsid``, double fork) becomes
its child, so that "no child left" means "no process left".  It ends the command when its
standard input is closed, which is what happens when the process that started it closes the
other end or dies, even by ``kill -9``.  Then, or when the command ended by itself, it kills
every descendant and writes ``exit STATUS`` (or ``error TEXT``) to the status descriptor.
Only :func:`descendants` is imported from it.

Options: ``status`` descriptor of the status pipe; ``cwd``; ``report=1`` gives the command the
status pipe as descriptor 3; ``join`` cgroup.procs files to enter, separated by colons;
``nnp=1`` no setuid programs; ``data``, ``fsize``, ``cpu``, ``nproc`` resource limits.

Outside Linux there is no subreaper: there the command's process group is killed.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time

LINUX = sys.platform == "linux"
GIVE_UP_SEC = 20.0
REPORT_FD = 3
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
JOIN_SESSION_KEYRING = 1
KEYCTL = {
    "x86_64": 250,
    "aarch64": 219,
    "riscv64": 219,
    "loongarch64": 219,
    "ppc64le": 271,
    "s390x": 280,
}
LIMITS = {
    "data": resource.RLIMIT_DATA,
    "fsize": resource.RLIMIT_FSIZE,
    "cpu": resource.RLIMIT_CPU,
    "nproc": resource.RLIMIT_NPROC,
}


def main(arguments: list[str]) -> None:
    """Run the command that the arguments describe."""
    split = arguments.index("--")
    options = dict(argument.split("=", 1) for argument in arguments[:split])
    status = int(options["status"])
    os.set_inheritable(status, False)
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(wake_write)
    if LINUX:
        libc = ctypes.CDLL(None)
        prctl = libc.prctl
        # A keyring of its own for each command: that of the login would lead from one to the
        # next.  Where the kernel refuses (seccomp), it refuses commands their keys too.
        if sys.maxsize > 2**32 and os.uname().machine in KEYCTL:
            libc.syscall(KEYCTL[os.uname().machine], JOIN_SESSION_KEYRING, None)
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        # Beside standard input: a process forked off our parent may hold that open.
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if options.get("nnp"):
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    try:
        child = os.fork()
    except OSError as error:
        os.write(status, f"error no process can be started: {error.strerror}\n".encode())
        return
    if child == 0:
        become(arguments[split + 1 :], options, status)
    ended = wait(child, wake)
    ended, remaining = kill_all(child, ended)
    if remaining:
        os.write(status, f"error processes {remaining} cannot be killed\n".encode())
    code = os.waitstatus_to_exitcode(ended) if ended is not None else -signal.SIGKILL
    os.write(status, f"exit {code if code >= 0 else 128 - code}\n".encode())


def become(argv: list[str], options: dict[str, str], status: int) -> None:
    """Turn this (child) process into the command; never returns."""
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for procs in filter(None, options.get("join", "").split(":")):
            write(procs, "0")
        if LINUX:
            write("/proc/self/oom_score_adj", "500")  # the kernel takes it before pytest
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for name in LIMITS.keys() & options.keys():
            hard = resource.getrlimit(LIMITS[name])[1]
            value = int(options[name])
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(LIMITS[name], (value, value))
        os.chdir(options["cwd"])
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, programs must not
            signal.signal(number, signal.SIG_DFL)
        if options.get("report") and status == REPORT_FD:
            os.set_inheritable(status, True)
        elif options.get("report"):
            os.dup2(status, REPORT_FD)
        os.execv(argv[0], argv)
    except (OSError, ValueError) as error:
        os.write(status, f"error {argv[0]} cannot be started: {error}\n".encode())
    finally:
        os._exit(127)


def write(path: str, text: str) -> None:
    """Write a file of /proc or of a cgroup."""
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def wait(child: int, wake: int) -> int | None:
    """Wait until the command ends (its wait status) or its end is asked for (None)."""
    while True:
        ready, _, _ = select.select([0, wake], [], [])
        if wake in ready:
            numbers = os.read(wake, 4096)
            _, ended = reap(child, None)
            if ended is not None:
                return ended
            if any(number != signal.SIGCHLD for number in numbers):
                return None
        if 0 in ready and not os.read(0, 1):
            return None


def reap(child: int, ended: int | None) -> tuple[bool, int | None]:
    """Collect the dead.  Returns whether children are left, and the command's wait status."""
    try:
        while True:
            pid, wait_status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return True, ended
            if pid == child:
                ended = wait_status
    except ChildProcessError:
        return False, ended


def kill_all(child: int, ended: int | None) -> tuple[int | None, list[int]]:
    """Kill every descendant.  Returns the command's wait status and who cannot be killed."""
    if not LINUX:
        kill(-child, signal.SIGKILL)
    deadline = time.monotonic() + GIVE_UP_SEC
    stopped: set[int] = set()
    while True:
        any_left, ended = reap(child, ended)
        if not any_left:
            return ended, []
        found = descendants(os.getpid()) if LINUX else {child}
        if time.monotonic() > deadline:
            return ended, sorted(found)
        # Stop all of them first: what is stopped starts no other, and still counts against
        # the limit on processes, so that a fork bomb runs dry.
        fresh = found - stopped
        for pid in fresh or found:
            kill(pid, signal.SIGSTOP if fresh else signal.SIGKILL)
        stopped |= fresh
        if not fresh:
            time.sleep(0.001)


def kill(pid: int, number: int) -> None:
    """Send a signal to what may be gone, or (a setuid program) not ours to kill."""
    try:  # noqa: SIM105 - importing contextlib takes longer than all of this
        os.kill(pid, number)
    except OSError:
        pass


def descendants(ancestor: int) -> set[int]:
    """Every process that descends from this one (Linux)."""
    children: dict[int, list[int]] = {}
    with os.scandir("/proc") as entries:
        pids = [entry.name for entry in entries if entry.name.isdigit()]
    for pid in pids:
        try:
            descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
        except OSError:  # gone
            continue
        try:
            fields = os.read(descriptor, 4096).rpartition(b")")[2].split()
        except OSError:
            continue
        finally:
            os.close(descriptor)
        children.setdefault(int(fields[1]), []).append(int(pid))
    found: set[int] = set()
    todo = [ancestor]
    while todo:
        new = children.get(todo.pop(), [])
        found.update(new)
        todo += new
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
