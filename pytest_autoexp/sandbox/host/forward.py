"""A program for inside ``local``: what connects to a port of the loopback reaches a Unix socket.

Run as ``python forward.py PORT SOCKET PROGRAM [ARGUMENT ...]``: it listens, leaves the
forwarding to a child and becomes the program, which finds the port open from its first moment.
It uses the standard library alone, in what Python 3.8 knows.
"""

import os
import socket
import sys
import threading
import time
from contextlib import suppress

_CHUNK_BYTES = 64 * 1024
_PAUSE_SEC = 0.1


def main() -> None:
    """Listen, fork, and run the program."""
    port, path, *program = sys.argv[1:]
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(port)))
    listener.listen(128)
    if os.fork():
        listener.close()
        os.execv(program[0], program)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):  # or the program's output would not end before this does
        os.dup2(nothing, stream)
    while True:
        try:
            near, _ = listener.accept()
            threading.Thread(target=_serve, args=(near, path), daemon=True).start()
        except (OSError, RuntimeError):  # no descriptors, no threads: others will end
            time.sleep(_PAUSE_SEC)


def _serve(near: socket.socket, path: str) -> None:
    """Forward one connection."""
    with near, socket.socket(socket.AF_UNIX) as far, suppress(OSError):
        far.connect(path)
        back = threading.Thread(target=_copy, args=(far, near), daemon=True)
        back.start()
        _copy(near, far)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes, then the end."""
    with suppress(OSError):
        while data := source.recv(_CHUNK_BYTES):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()
