"""Which hosts an agent may reach: reading the list, and asking it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from pytest_autoexp.model.errors import UsageError

WEB_PORTS = (80, 443)
"""The ports of a host that is listed without one."""

ALLOWED = "NAME, *.NAME (its subdomains), an IPv4 address or [IPv6], each also with :PORT"
"""What may stand in the list, in words."""

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_ADDRESS_LIKE = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_ENTRY = re.compile(r"(?P<star>\*\.)?(?P<host>\[[^\[\]]+\]|[^:\[\]*]+)(:(?P<port>[0-9]{1,5}))?")
_MAX_NAME = 253


@dataclass(frozen=True)
class Host:
    """An entry of the list.

    Attributes:
        name: A name, or an address, in its canonical form.
        subdomains: True if the name's subdomains are meant, and not itself.
        port: The one port; None for those of the web.
    """

    name: str
    subdomains: bool = False
    port: int | None = None

    def __str__(self) -> str:
        """As it may stand in the list."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return ("*." if self.subdomains else "") + name + (f":{self.port}" if self.port else "")

    def allows(self, name: str, port: int) -> bool:
        """True if it stands for this host.

        Args:
            name: In its canonical form.
            port: The port.
        """
        if port not in (WEB_PORTS if self.port is None else (self.port,)):
            return False
        return name.endswith(f".{self.name}") if self.subdomains else name == self.name


def read_hosts(text: str, where: str) -> tuple[str, ...]:
    """Read and check the list.

    Args:
        text: Entries, separated by commas.
        where: Where it was given, for the message.

    Returns:
        Each entry once, in its canonical form, which reads as itself.

    Raises:
        UsageError: If an entry cannot be used; names it and what is allowed.
    """
    entries = [entry for part in text.split(",") if (entry := part.strip())]
    return tuple(dict.fromkeys(str(_read(entry, where)) for entry in entries))


def allows(hosts: tuple[str, ...], host: str, port: int) -> bool:
    """True if the list holds a host that was asked for.

    Names count as they were asked for: the address of a listed name is not listed by that.

    Args:
        hosts: The list, as :func:`read_hosts` returns it.
        host: Name or address, an IPv6 address with or without brackets.
        port: The port.
    """
    name = canonical(host)
    return name is not None and any(_read(entry, "").allows(name, port) for entry in hosts)


def canonical(host: str) -> str | None:
    """The one form of a name or an address: lower case, IDNA, no dot or bracket at the end.

    Returns:
        None if it is neither, so also for addresses in forms that only some libraries read,
        such as ``127.1``.
    """
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return str(ipaddress.ip_address(bare)) if "%" not in bare else None
    except ValueError:
        pass
    try:
        name = host.removesuffix(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    labels = name.split(".")
    if len(name) > _MAX_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    return None if _ADDRESS_LIKE.fullmatch(labels[-1]) else name


def _read(entry: str, where: str) -> Host:
    match = _ENTRY.fullmatch(entry)
    name = canonical(match["host"]) if match else None
    port = int(match["port"]) if match and match["port"] else None
    subdomains = bool(match and match["star"])
    wild_address = subdomains and name is not None and _is_address(name)
    if name is None or wild_address or not (port is None or 0 < port < 2**16):
        raise UsageError(f"{where}: {entry}: {_hint(entry)}allowed: {ALLOWED}")
    return Host(name, subdomains, port)


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdecimal()


def _hint(entry: str) -> str:
    if "/" in entry:
        host = entry.partition("://")[2] if "://" in entry else entry
        return f"give the host only: {host.partition('/')[0]}; "
    if entry.count(":") > 1 and "[" not in entry:
        return f"an IPv6 address stands in brackets: [{entry}]; "
    return ""
