"""How alike the bodies of two functions are, and a search for some in installed packages.

It needs the standard library only, so that it also runs by itself inside a sandbox, with that
sandbox's Python: ``python likeness.py FUNCTIONS.json`` searches the packages installed there for
the functions of a JSON object (source by name) and prints a JSON list of what it finds.

A body is compared as the tokens of its syntax tree.  Docstrings and annotations are dropped; which
names variables have makes no difference, only where the same one stands again; names of
attributes and of keyword arguments, operators and constants count.
"""

from __future__ import annotations

import ast
import difflib
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

MIN_TOKENS = 60
"""Shorter bodies, unless they have MIN_STATEMENTS, are too usual for a likeness to say much."""

MIN_STATEMENTS = 8
"""See :data:`MIN_TOKENS`."""

SHINGLE = 10
"""How many tokens in a row are compared as one, where a body may lie inside a longer one."""

INSTALLED_SHARE = 0.6
"""From which share of its shingles on a function counts as found in an installed package."""

MAX_FOUND = 100
"""How many finds are printed, the most alike first."""

_WORDS_SHARE = 0.7  # a file that has less of a function's words is not parsed
_MIN_WORDS = 3
_MAX_FILE_BYTES = 2 * 1024**2
_NAME = "$"
_BLOCKS = ("body", "handlers", "cases", "orelse", "finalbody")  # of statements
_TYPING = {"annotation", "returns", "type_comment", "type_params", "ctx", "kind"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def parse(source: str | bytes) -> ast.Module | None:
    """The syntax tree of a Python source; None if it is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """The functions of a module with their qualified names, in the order of the file."""
    stack: list[tuple[ast.AST, str]] = [(tree, "")]
    while stack:
        node, prefix = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + node.name, node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            prefix += node.name + "."
        inner = [child for block in _BLOCKS for child in getattr(node, block, ())]
        stack += ((child, prefix) for child in reversed(inner))


def tokens(body: Sequence[ast.stmt]) -> list[str]:
    """The tokens of some statements, docstrings dropped; names of variables start with ``$``."""
    found: list[str] = []
    stack: list[object] = list(reversed(body))
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack += reversed(item)
        elif isinstance(item, ast.Name):
            found.append(_NAME + item.id)
        elif isinstance(item, ast.arg):
            found.append(_NAME + item.arg)
        elif isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant):
            continue  # a docstring, or a constant that does nothing
        elif isinstance(item, ast.AST):
            found.append(type(item).__name__)
            fields = [value for field, value in ast.iter_fields(item) if field not in _TYPING]
            stack += reversed(fields)
        elif item is not None:
            found.append(str(item) if isinstance(item, str) else repr(item))
    return found


def is_evidence(body: Sequence[ast.stmt]) -> bool:
    """True if a body is long enough for a likeness to say something."""
    statements = sum(isinstance(node, ast.stmt) for part in body for node in ast.walk(part))
    return statements >= MIN_STATEMENTS or len(tokens(body)) >= MIN_TOKENS


def normalised(found: Sequence[str]) -> list[str]:
    """Tokens with the names of variables replaced by numbers, in the order of their occurrence."""
    numbers: dict[str, str] = {}
    return [
        numbers.setdefault(token, f"{_NAME}{len(numbers)}") if token.startswith(_NAME) else token
        for token in found
    ]


def shingles(found: Sequence[str]) -> frozenset[tuple[str, ...]]:
    """Every run of :data:`SHINGLE` tokens, normalised by itself."""
    starts = range(max(1, len(found) - SHINGLE + 1))
    return frozenset(tuple(normalised(found[start : start + SHINGLE])) for start in starts)


def contained(inner: frozenset[tuple[str, ...]], outer: frozenset[tuple[str, ...]]) -> float:
    """The share of the shingles of a body that another one has too."""
    return len(inner & outer) / len(inner)


def ratio(one: Sequence[str], other: Sequence[str], least: float) -> float:
    """How alike two normalised lists of tokens are, from 0 to 1; 0 if that is less than ``least``.

    Args:
        one: The first.
        other: The second.
        least: What is asked for; quick upper bounds that lie below save most of the work.
    """
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    if matcher.real_quick_ratio() < least or matcher.quick_ratio() < least:
        return 0.0
    found = matcher.ratio()
    return found if found >= least else 0.0


def words(body: Sequence[ast.stmt]) -> frozenset[str]:
    """The names of attributes and keyword arguments: a copy keeps them."""
    nodes = [node for part in body for node in ast.walk(part)]
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return frozenset(
        attributes | {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg}
    )


@dataclass(frozen=True)
class Installed:
    """A function that was found in an installed package.

    Attributes:
        target: The function that was looked for.
        file: Path of the file, relative to the folder of packages.
        line: Line of the ``def``, counted from 1.
        function: Qualified name of the function in that file.
        share: Share of the shingles of the one looked for, from 0 to 1.
    """

    target: str
    file: str
    line: int
    function: str
    share: float


class _Wanted:
    """A function that is looked for.

    What has less than most of its words is passed over without more work: a file is searched
    for them before it is parsed, a function before it is compared.
    """

    def __init__(self, target: str, source: str) -> None:
        tree = parse(source)
        assert tree is not None
        name, function = next(functions(tree))
        self.target = target
        self.shingles = shingles(tokens(function.body))
        self._definition = f"def {name}(".encode()
        self._words = words(function.body)
        # Long words are rare: they tell first that a file has not got the function.
        self._in_bytes = [word.encode() for word in sorted(self._words, key=len, reverse=True)]
        self._is_nested = len(list(functions(tree))) > 1
        self._may_lack = int(len(self._words) * (1 - _WORDS_SHARE))

    def may_be_in(self, content: bytes) -> bool:
        """False if a file is not worth parsing: no function in it has enough of the words."""
        if len(self._words) < _MIN_WORDS:
            return self._definition in content
        if not self._has_words(content):
            return False
        return self._is_nested or any(map(self._has_words, content.split(b"def ")))

    def _has_words(self, content: bytes) -> bool:
        lacking = 0
        for word in self._in_bytes:
            lacking += word not in content
            if lacking > self._may_lack:
                return False
        return True

    def may_be(self, found: frozenset[str]) -> bool:
        """False if a function with these words is not worth comparing."""
        return len(self._words - found) <= self._may_lack


def search(wanted: Sequence[_Wanted], folder: Path) -> Iterator[Installed]:
    """Look for functions in every Python file below a folder of packages."""
    for file in sorted(folder.rglob("*.py")):
        try:
            content = file.read_bytes() if file.stat().st_size <= _MAX_FILE_BYTES else b""
        except OSError:  # a broken link
            continue
        likely = [one for one in wanted if one.may_be_in(content)]
        tree = parse(content) if likely else None
        for name, function in functions(tree) if tree else ():
            known = words(function.body)
            for one in (one for one in likely if one.may_be(known)):
                share = contained(one.shingles, shingles(tokens(function.body)))
                if share >= INSTALLED_SHARE:
                    path = file.relative_to(folder).as_posix()
                    yield Installed(one.target, path, function.lineno, name, share)


def main(path: str) -> None:
    """Search what is installed here, and print what is found."""
    sources = json.loads(Path(path).read_text(encoding="utf-8"))
    wanted = [_Wanted(name, source) for name, source in sources.items()]
    folders = {Path(entry).resolve() for entry in sys.path}
    packages = sorted(f for f in folders if f.name in ("site-packages", "dist-packages"))
    found = [one for folder in packages for one in search(wanted, folder)]
    found.sort(key=lambda one: one.share, reverse=True)
    print(json.dumps([asdict(one) for one in found[:MAX_FOUND]]))  # noqa: T201 - its result


if __name__ == "__main__":
    main(sys.argv[1])
