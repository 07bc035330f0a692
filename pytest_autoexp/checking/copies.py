"""Near-copies of masked bodies in what an agent may read beside them."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_autoexp.checking import likeness
from pytest_autoexp.checking.readable import Leak, Text
from pytest_autoexp.loading.code import code_folder
from pytest_autoexp.masking.index import function_names, resolve
from pytest_autoexp.masking.mask import mask
from pytest_autoexp.model.task import Function, Task
from pytest_autoexp.model.trial import CODE_DIR

MIN_RATIO = 0.85
"""How alike two bodies must be to be near-copies, of their tokens or of the shorter's shingles."""

_FENCED = re.compile(r"^ *(?:```|~~~)[^\n]*\n(.*?)^ *(?:```|~~~)", re.DOTALL | re.MULTILINE)
_COMMENTED = re.compile(r"(?:^[ \t]*#[^\n]*\n?){3,}", re.MULTILINE)
_COMMENT_SIGN = re.compile(r"^[ \t]*# ?", re.MULTILINE)


@dataclass(frozen=True)
class _Body:
    """Some statements: of a function, or those of a script outside its functions.

    Attributes:
        name: Name of the function, or what else it is.
        line: Line of the text at which it starts, counted from 1.
        tokens: Its normalised tokens.
        shingles: Its shingles.
    """

    name: str
    line: int
    tokens: Sequence[str]
    shingles: frozenset[tuple[str, ...]]


def find_copies(task: Task, texts: Iterable[Text]) -> Iterator[Leak]:
    """Bodies that are nearly that of a function, in a workspace in which it alone is masked.

    Looked through are functions, code outside of functions, and code in strings, comments,
    notebooks and fenced blocks.  Short functions are passed over, see
    :func:`~pytest_autoexp.checking.likeness.is_evidence`.

    Args:
        task: The task.
        texts: What an agent may read.
    """
    bodies = {(text.file, text.first_line): list(_bodies(text)) for text in texts}
    for function, node in gold_functions(task):
        found = likeness.tokens(node.body)
        wanted = _Body(
            function.name, node.lineno, likeness.normalised(found), likeness.shingles(found)
        )
        source = code_folder(task).joinpath(function.path).read_bytes()
        masked = mask(source, {function.name: function.description}).decode("utf-8", "replace")
        own = Text(f"{CODE_DIR}/{function.path}", 1, masked, "code")
        for (file, first_line), known in bodies.items():
            is_own = file == own.file
            for body in _bodies(own) if is_own else known:
                share = _share(wanted, body)
                if share:
                    line = first_line + body.line - 1
                    line += _shift(source, masked, function, body.line) if is_own else 0
                    advice = "take it out, or let both call one function that is not maskable"
                    yield Leak("copy", file, line, body.name, function.target, share, advice)


def gold_functions(task: Task) -> Iterator[tuple[Function, likeness.Function]]:
    """The maskable functions that are long enough for a likeness to say something."""
    for function in task.functions:
        source = code_folder(task).joinpath(function.path).read_bytes()
        tree = likeness.parse(source)
        line = resolve(function.name, function_names(source)).line
        for _, node in likeness.functions(tree) if tree else ():
            if node.lineno == line and likeness.is_evidence(node.body):
                yield function, node


def _share(wanted: _Body, body: _Body) -> float:
    """How alike a body is; 0 if it is no near-copy."""
    alike = likeness.ratio(wanted.tokens, body.tokens, MIN_RATIO)
    inside = likeness.contained(wanted.shingles, body.shingles)
    return max(alike, inside if inside >= MIN_RATIO else 0.0)


def _shift(source: bytes, masked: str, function: Function, line: int) -> int:
    """How many lines further down something behind a masked function is in its own file."""
    at = resolve(function.name, function_names(source)).line
    return source.decode("utf-8", "replace").count("\n") - masked.count("\n") if line > at else 0


def _bodies(text: Text) -> Iterator[_Body]:
    """Every function and script of a text."""
    for prefix, first_line, code in _snippets(text):
        tree = likeness.parse(code)
        if tree is None:
            continue
        for name, node in likeness.functions(tree):
            yield _body(prefix + name, first_line + node.lineno - 1, node.body)
        rest = [node for node in tree.body if not _is_definition(node)]
        if rest:
            name = prefix + "code outside of functions"
            yield _body(name, first_line + rest[0].lineno - 1, rest)


def _body(name: str, line: int, statements: Sequence[ast.stmt]) -> _Body:
    found = likeness.tokens(statements)
    return _Body(name, line, likeness.normalised(found), likeness.shingles(found))


def _is_definition(node: ast.stmt) -> bool:
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    return isinstance(node, definitions)


def _snippets(text: Text) -> Iterator[tuple[str, int, str]]:
    """What it is, its first line and the code, for each piece of code in a text."""
    content = text.content
    if text.file.endswith(".ipynb"):
        yield from _cells(content)
    elif text.file.endswith(".py"):
        yield "", 1, content
        for match in _COMMENTED.finditer(content):
            code = textwrap.dedent(_COMMENT_SIGN.sub("", match.group()))
            yield "comment: ", content.count("\n", 0, match.start()) + 1, code
        tree = likeness.parse(content)
        constants = [n for n in ast.walk(tree) if isinstance(n, ast.Constant)] if tree else []
        for node in constants:
            if isinstance(node.value, str) and node.value.count("\n") > 1:
                yield "string: ", node.lineno, textwrap.dedent(node.value)
    elif text.kind == "prose":
        for match in _FENCED.finditer(content):
            line = content.count("\n", 0, match.start(1)) + 1
            yield "block: ", line, textwrap.dedent(match.group(1))


def _cells(content: str) -> Iterator[tuple[str, int, str]]:
    """The code cells of a notebook; they have no lines of their own in the file."""
    try:
        cells = json.loads(content)["cells"]
    except (ValueError, KeyError, TypeError):
        return
    for number, cell in enumerate(cells, start=1):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            yield f"cell {number}: ", 1, "".join(cell.get("source", ()))
