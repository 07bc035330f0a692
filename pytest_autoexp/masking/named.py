"""Whether code names one of some modules: in an import, as an attribute, or as a text."""

from __future__ import annotations

import ast
import posixpath
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePosixPath

from pytest_autoexp.masking.elsewhere import elsewhere
from pytest_autoexp.masking.index import parse_ast
from pytest_autoexp.masking.source import MaskingError, decode
from pytest_autoexp.masking.untrusted import check_parseable

_WORD = re.compile(r"\w+")
_MAX_PARTS = 32
_IMPORTERS = {"__import__", "import_module", "find_spec", "run_module"}


def named_modules(
    path: str, source: bytes, modules: Collection[str], code: Iterable[str] = ()
) -> list[str]:
    """Which of some modules or packages a file of an agent names.

    Counted are imports, ``package.module`` as an attribute, texts that are nothing but a path or a
    dotted name, and a single word where it is given to ``import_module`` and the like or looked up
    in ``sys.modules``.  That finds what says it plainly; a program can put a name together.

    A module may be imported from any folder above it: ``src.core.ref`` is named by ``core.ref`` and
    ``ref``, too.  Such a shorter name does not count if the code has a file or folder that it can
    mean as well, or the standard library a module.

    Args:
        path: The file, relative to the code.
        source: Its content.  If it does not parse, or is too large for that, it names each module
            whose last name stands in it.
        modules: Dotted names, as they are imported from the root of the code.
        code: Paths of the code's own files, relative to its root.

    Returns:
        Those modules, in order.
    """
    names = {module: _shorter(module) for module in modules}
    try:
        said = elsewhere(_names_in, path, source, {n for short in names.values() for n in short})
    except MaskingError:
        words = set(_WORD.findall(source.decode("utf-8", "replace")))
        return sorted(module for module in modules if module.rpartition(".")[2] in words)
    if said.difference(modules):
        others = {name for file in code for name in _names_of_file(file)} | sys.stdlib_module_names
        said -= others.difference(modules)
    return sorted(module for module, short in names.items() if not said.isdisjoint(short))


def _shorter(module: str) -> list[str]:
    """The names that a module may be imported by, its own first."""
    parts = module.split(".")
    return [".".join(parts[start:]) for start in range(len(parts))]


def _names_of_file(path: str) -> Iterator[str]:
    """The names that a file, or a folder that it lies in, may be imported by."""
    parts = path.removesuffix(".py").split("/")
    for start in range(len(parts)):
        yield from _prefixes(parts[start:])


def _names_in(path: str, source: bytes, wanted: set[str]) -> set[str]:
    """Those of some dotted names that a file says.

    Raises:
        MaskingError: If it does not parse, or is too large for that.
    """
    check_parseable(decode(source).text, "")
    try:
        return wanted.intersection(_names(PurePosixPath(path).parent.parts, parse_ast(source)))
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
                yield from _in_text(text)
            case ast.Call() | ast.Subscript():
                yield from _in_words(node)


def _in_text(text: str) -> Iterator[str]:
    """Names in a path, or in a dotted name of several parts."""
    if "/" not in text and not text.endswith(".py"):
        prefixes = _prefixes(text.split("."))
        next(prefixes)
        yield from prefixes
        return
    parts = posixpath.normpath(text.removesuffix(".py")).split("/")
    # Where a path comes from above the code, what lies in the code may begin at any part.
    for start in range(len(parts) if parts[0] in {"", ".."} else 1):
        yield from _prefixes(parts[start:])


def _in_words(node: ast.Call | ast.Subscript) -> Iterator[str]:
    """Names that are given to what imports, one by one or in a list, or looked up in modules."""
    given: list[ast.expr] = []
    if isinstance(node, ast.Subscript):
        given += [node.slice] if _last(node.value) == "modules" else []
    elif _last(node.func) in _IMPORTERS:
        given += [*node.args, *(keyword.value for keyword in node.keywords)]
    for value in given:
        for item in value.elts if isinstance(value, ast.List | ast.Tuple) else [value]:
            if isinstance(item, ast.Constant) and isinstance(item.value, str):
                yield from _prefixes(item.value.strip(".").split("."))


def _prefixes(parts: list[str]) -> Iterator[str]:
    """``a``, ``a.b`` and ``a.b.c``."""
    for end in range(1, min(len(parts), _MAX_PARTS) + 1):
        yield ".".join(parts[:end])


def _last(node: ast.expr) -> str:
    """``b`` of ``b`` and of ``(...).b``."""
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
    return ""


def _dotted(node: ast.expr) -> str:
    """``a.b.c``; empty where it does not begin with a name, or is longer than any module's."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < _MAX_PARTS:
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""
