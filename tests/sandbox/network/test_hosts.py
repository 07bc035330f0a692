"""Reading the list of hosts, and asking it."""

from __future__ import annotations

import re

import pytest

from pytest_autoexp.model.errors import UsageError
from pytest_autoexp.sandbox.network.hosts import allows, canonical, read_hosts


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", ()),
        ("pypi.example", ("pypi.example",)),
        (" a.example ,, b.example,a.example", ("a.example", "b.example")),
        ("PyPI.Example.", ("pypi.example",)),
        ("*.Example.org:8443", ("*.example.org:8443",)),
        ("localhost:8000", ("localhost:8000",)),
        ("bücher.example", ("xn--bcher-kva.example",)),
        ("10.0.0.1:5000", ("10.0.0.1:5000",)),
        ("[2001:DB8:0::1],[::1]:80", ("[2001:db8::1]", "[::1]:80")),
    ],
)
def test_entries_come_in_their_canonical_form(text: str, hosts: tuple[str, ...]) -> None:
    assert read_hosts(text, "ini x") == hosts
    assert read_hosts(",".join(hosts), "ini x") == hosts


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("https://pypi.example/simple", "give the host only: pypi.example; "),
        ("pypi.example/simple", "give the host only: pypi.example; "),
        ("::1", r"an IPv6 address stands in brackets: \[::1\]; "),
        *[
            (entry, "")
            for entry in (
                *("*", "*.", "a*b", "*.*.example", "*.10.0.0.1", "user@a.example", "a b", "a..b"),
                *("a:", "a:0", "a:65536", "a:x", "127.1", "0x7f.1", "10.0.0.300", "2130706433"),
                *("[::1%lo]", "[a.example]", "-a.example", f"{'a' * 64}.example"),
            )
        ],
    ],
)
def test_what_is_no_host_is_named_with_what_is_allowed(entry: str, hint: str) -> None:
    expected = rf"^ini x: {re.escape(entry)}: {hint}allowed: NAME, "
    with pytest.raises(UsageError, match=expected):
        read_hosts(f"fine.example,{entry}", "ini x")


LISTED = read_hosts("pypi.example, *.example.org, localhost:8000, 10.0.0.1, [::1]", "")


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("pypi.example", 80, True),
        ("pypi.example", 443, True),
        ("pypi.example", 8080, False),
        ("PYPI.example.", 443, True),
        ("files.pypi.example", 443, False),
        ("evil-pypi.example", 443, False),
        ("pypi.example.evil.example", 443, False),
        ("a.example.org", 443, True),
        ("a.b.example.org", 443, True),
        ("example.org", 443, False),
        ("anexample.org", 443, False),
        (".example.org", 443, False),
        ("a\0.example.org", 443, False),
        ("a b.example.org", 443, False),
        ("localhost", 8000, True),
        ("localhost", 80, False),
        ("10.0.0.1", 80, True),
        ("10.0.0.2", 80, False),
        ("167772161", 80, False),
        ("10.1", 80, False),
        ("[::1]", 443, True),
        ("[0:0::1]", 443, True),
        ("::1", 443, True),
        ("[::2]", 443, False),
        ("[::ffff:10.0.0.1]", 443, False),
        ("", 443, False),
        ("ü" * 100, 443, False),
    ],
)
def test_only_what_is_listed_is_allowed(host: str, port: int, allowed: bool) -> None:
    assert allows(LISTED, host, port) is allowed


def test_an_empty_list_allows_nothing() -> None:
    assert not allows((), "pypi.example", 443)


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "0177.0.0.1.", "[::1", "::1]", "a..", ""])
def test_forms_that_only_some_libraries_read_have_no_canonical_one(host: str) -> None:
    assert canonical(host) is None
