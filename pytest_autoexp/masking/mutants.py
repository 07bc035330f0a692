"""Generated wrong versions of one function: small slips that a person could make.

What can be changed and how is said in :mod:`pytest_autoexp.masking.slips`; here the changes
become versions of the file, with names that stay the same as long as the function does.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_autoexp.masking.index import parse_ast, resolve
from pytest_autoexp.masking.layout import Layout, lenient
from pytest_autoexp.masking.slips import Slip, Slips
from pytest_autoexp.masking.source import NEWLINE, MaskingError, decode, encode, splice
from pytest_autoexp.masking.variants import variants

_CONTEXT_LINES = 2


@dataclass(frozen=True)
class Mutant:
    """One wrong version of a function.

    Attributes:
        id: ``target:kind:line.ordinal`` with the line counted from the ``def`` as 1.
        kind: What sort of change it is.
        description: What is changed, in a few words.
        line: Where, in the file, counted from 1.
        source: The file's content.
        diff: The change as a unified diff.
    """

    id: str
    kind: str
    description: str
    line: int
    source: bytes
    diff: str


def mutants(source: bytes, target: str) -> tuple[Mutant, ...]:
    """Every mutant of one function, in the order of its lines.

    Text, docstrings, annotations and checks of arguments (``assert``, and an ``if`` that only
    raises) are left alone.

    Args:
        source: Content of the function's file.
        target: The function, ``path.py::Qualified.name``.

    Returns:
        The mutants; each parses, and no two are the same program.

    Raises:
        MaskingError: The file cannot be parsed, also not by the running Python, or has no such
            function.
    """
    path, _, name = target.partition("::")
    file = decode(source)
    layout = Layout(file.text)
    if _tree(file.text) is None:
        raise MaskingError("does not parse with the Python that runs this")
    found = resolve(name, layout.names)
    function = next(f for f in layout.functions if f.name == found)
    with lenient():
        slips = sorted(Slips(layout, function).found(), key=lambda slip: slip.line)
        changed = [(slip, splice(file.text, slip.edits)) for slip in slips]
        skipped = next(v for v in variants(source, name) if v.kind == "skipped")
        whole = Slip("skipped", "the whole body", found.line, ())
        changed.insert(0, (whole, decode(skipped.source).text))
        kept = list(_distinct(changed, file.text))
    ordinals: Counter[tuple[str, int]] = Counter()
    made = []
    for slip, text in kept:
        line = slip.line - found.line + 1
        ordinals[slip.kind, line] += 1
        made.append(
            Mutant(
                f"{target}:{slip.kind}:{line}.{ordinals[slip.kind, line]}",
                slip.kind,
                slip.description,
                slip.line,
                encode(text, file.encoding),
                unified_diff(file.text, text, path),
            )
        )
    return tuple(made)


def sample(mutants: Sequence[Mutant], limit: int) -> tuple[Mutant, ...]:
    """A number of mutants, spread evenly over their kinds and lines; always the same ones.

    Args:
        mutants: Those to choose from, of one function.
        limit: How many at most.

    Returns:
        They, in the order in which they were given.
    """
    rest = list(mutants)
    kinds: Counter[str] = Counter()
    lines: Counter[int] = Counter()

    def rank(mutant: Mutant) -> tuple[int, int, bytes]:
        digest = hashlib.sha256(mutant.id.encode()).digest()
        return kinds[mutant.kind], lines[mutant.line], digest

    while rest and len(mutants) - len(rest) < limit:
        chosen = min(rest, key=rank)
        rest.remove(chosen)
        kinds[chosen.kind] += 1
        lines[chosen.line] += 1
    return tuple(mutant for mutant in mutants if mutant not in rest)


def unified_diff(before: str, after: str, path: str) -> str:
    """What differs between two versions of a file."""
    old, new = NEWLINE.split(before), NEWLINE.split(after)
    lines = difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", "", "", _CONTEXT_LINES, "")
    return "".join(f"{line}\n" for line in lines)


def _distinct(changed: Sequence[tuple[Slip, str]], original: str) -> Iterator[tuple[Slip, str]]:
    """Those that parse and are neither the original nor one that came before."""
    seen = {_tree(original), None}
    for slip, text in changed:
        tree = _tree(text)
        if tree not in seen:
            seen.add(tree)
            yield slip, text


def _tree(text: str) -> str | None:
    """What the running Python reads; None if it is no program."""
    try:
        tree = parse_ast(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(tree, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    return ast.dump(tree)
