"""The filter of system calls that closes the kernel's key store to isolated commands.

Keys belong to users and not to namespaces: what one command puts into its user's keyring is
listed to the next one in ``/proc/keys``, whatever mounts and users either of them sees.
"""

from __future__ import annotations

import errno
import os
import struct
import sys

# AUDIT_ARCH_* of linux/audit.h, and the number of add_key; request_key and keyctl follow it
# (asm/unistd_64.h of x86, asm-generic/unistd.h of the others).
_MACHINES = {
    "x86_64": (0xC000003E, 248),
    "aarch64": (0xC00000B7, 217),
    "riscv64": (0xC00000F3, 217),
}
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h
_NUMBER_OFFSET, _MACHINE_OFFSET = 0, 4  # of struct seccomp_data
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000  # SECCOMP_RET_* of linux/seccomp.h
_X32_BIT = 0x40000000  # x86_64 has all system calls a second time, with this bit


def key_filter() -> bytes:
    """A program for ``bwrap --seccomp``: the calls on keys fail with ENOSYS, others pass.

    So do all calls of another machine's conventions (32-bit programs), whose numbers differ.

    Returns:
        The program; nothing for a machine whose numbers are not known here.
    """
    if os.uname().machine not in _MACHINES or sys.maxsize < 2**32:
        return b""
    machine, first = _MACHINES[os.uname().machine]
    program = (  # code, steps to skip if true, if false, operand
        (_LOAD, 0, 0, _MACHINE_OFFSET),
        (_EQUAL, 0, 5, machine),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
        (_AT_LEAST, 3, 0, _X32_BIT),
        (_AT_LEAST, 0, 1, first),
        (_AT_LEAST, 0, 1, first + 3),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    )
    return b"".join(struct.pack("=HBBI", *step) for step in program)
