"""Whether code names one of some modules: in an import, as an attribute, or as a text."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from pytest_autoexp.masking.elsewhere import elsewhere
from pytest_autoexp.masking.index import parse_ast
from pytest_autoexp.masking.source import MaskingError, decode
from pytest_autoexp.masking.untrusted import check_parseable

_WORD = re.compile(r"\w+")
_MAX_PARTS = 32


def named_modules(path: str, source: bytes, modules: Collection[str]) -> list[str]:
    """Which of some modules or packages a file of an agent names.

    Counted are imports, ``package.module`` as an attribute, and texts that are nothing but the
    dotted name or the path of a module.  That finds what says it plainly; a program can put a name
    together.

    Args:
        path: The file, relative to the code.
        source: Its content.  If it does not parse, or is too large for that, it names each module
            whose last name stands in it.
        modules: Dotted names, as they are imported from the root of the code.

    Returns:
        Those modules, in order.
    """
    try:
        named = elsewhere(_names_in, path, source)
    except MaskingError:
        words = set(_WORD.findall(source.decode("utf-8", "replace")))
        return sorted(module for module in modules if module.rpartition(".")[2] in words)
    return sorted(named.intersection(modules))


def _names_in(path: str, source: bytes) -> set[str]:
    """Dotted names that a file says.

    Raises:
        MaskingError: If it does not parse, or is too large for that.
    """
    check_parseable(decode(source).text, "")
    try:
        return set(_names(PurePosixPath(path).parent.parts, parse_ast(source)))
    except (SyntaxError, ValueError) as error:
        raise MaskingError(f"does not parse: {error}") from error


def _names(package: tuple[str, ...], tree: ast.Module) -> Iterator[str]:
    """Dotted names that stand for modules, or for what is in them."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield from _prefixes(alias.name.split("."))
            case ast.ImportFrom():
                around = package[: len(package) + 1 - node.level] if node.level else ()
                base = [*around, *(node.module.split(".") if node.module else [])]
                for alias in node.names:
                    yield from _prefixes([*base, alias.name])
            case ast.Attribute():
                yield _dotted(node)
            case ast.Constant(str(text)):
                dotted = text.removesuffix(".py").replace("/", ".").strip(".")
                yield from _prefixes(dotted.split("."))


def _prefixes(parts: list[str]) -> Iterator[str]:
    """``a``, ``a.b`` and ``a.b.c``."""
    for end in range(1, min(len(parts), _MAX_PARTS) + 1):
        yield ".".join(parts[:end])


def _dotted(node: ast.expr) -> str:
    """``a.b.c``; empty where it does not begin with a name, or is longer than any module's."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < _MAX_PARTS:
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""
