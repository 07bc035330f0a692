"""Where the masked functions are: in the pristine file, and in an agent's version of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import libcst as cst
from libcst import matchers

from pytest_autoexp.masking.layout import Function, Layout
from pytest_autoexp.masking.source import MaskingError

Place = tuple[str, int]
"""Qualified name and occurrence among the functions outside the bodies of masked ones."""


@dataclass(frozen=True)
class Located:
    """The masked functions of one version of a file.

    Attributes:
        functions: They, by place; an agent's version may lack some.
        earlier: Functions of the same names that Python replaces by these.
    """

    functions: Mapping[Place, Function]
    earlier: tuple[Function, ...]


def places(masked: Layout, names: Iterable[str]) -> tuple[Place, ...]:
    """Where the named functions are in the masked file, in the order of the file.

    Functions inside other masked ones are gone there, and with them the occurrences of
    twins may have moved; those that are left are known by their emptied bodies.

    Args:
        masked: The masked file.
        names: Names of the masked functions.

    Returns:
        Their places.

    Raises:
        MaskingError: The file lacks one of the functions.
    """
    asked = [(qualified, int(k or 1)) for qualified, _, k in (n.partition("#") for n in names)]
    present = {(f.name.qualified, f.name.occurrence): f for f in masked.functions}
    found: set[Place] = set()
    for qualified, occurrence in asked:
        if any(qualified.startswith(outer + ".") for outer, _ in asked):
            found |= {p for p, f in present.items() if p[0] == qualified and _is_masked(f)}
        elif (qualified, occurrence) in present:
            found.add((qualified, occurrence))
        else:
            raise MaskingError(f"no function {qualified}#{occurrence} in the masked file")
    return tuple(place for place in present if place in found)


def locate(layout: Layout, wanted: Collection[Place], masked: Layout) -> Located:
    """Find the masked functions in a version of the masked file.

    Where it has more functions of a name than the masked file, the last ones count, as they
    do for Python; but functions that are still masked, and functions with decorators that
    none of the masked file's has (``@overload``, the ``@size.deleter`` of a property), give
    way to others.  Twins are first told apart by their text, then by their headers.

    Args:
        layout: The version.
        wanted: What :func:`places` gave.
        masked: The masked file.

    Returns:
        The functions that it has; what lies inside one of them, or inside one that does not
        count, is none of them.
    """
    found: dict[Place, Function] = {}
    earlier: list[Function] = []
    # Outer functions first: what they hide is not counted.
    for qualified in sorted(dict.fromkeys(q for q, _ in wanted), key=lambda q: q.count(".")):
        ours = [f for f in masked.functions if f.name.qualified == qualified]
        theirs = [
            f
            for f in _outside(layout, [*found.values(), *earlier])
            if f.name.qualified == qualified
        ]
        pairs = _pair(masked, ours, layout, theirs)
        earlier += (f for f in theirs if f not in pairs.values())
        for occurrence, function in pairs.items():
            if (qualified, occurrence) in wanted:
                found[qualified, occurrence] = function
    earlier.sort(key=lambda function: function.start)
    return Located({place: found[place] for place in wanted if place in found}, tuple(earlier))


def _pair(
    masked: Layout, ours: list[Function], layout: Layout, theirs: list[Function]
) -> dict[int, Function]:
    """Which of their functions of one name is which of ours, by our occurrence."""
    if len(ours) == len(theirs):
        return dict(enumerate(theirs, start=1))
    decorators = {_decorators(masked, our) for our in ours}
    open_places, rest = dict(enumerate(ours, start=1)), list(theirs)
    pairs: dict[int, Function] = {}

    def settle(occurrences: list[int], candidates: list[Function]) -> None:
        surplus = _surplus(layout, candidates, decorators, len(occurrences))
        kept = [function for function in candidates if function not in surplus]
        for occurrence, function in zip(occurrences, kept, strict=False):
            pairs[occurrence] = function
            del open_places[occurrence]
            rest.remove(function)

    if len(ours) > 1:
        for occurrence, our in list(open_places.items()):
            same = [
                f for f in rest if not _is_masked(our) and _text(layout, f) == _text(masked, our)
            ]
            settle([occurrence], same[:1])
        for header in dict.fromkeys(_header(masked, our) for our in open_places.values()):
            alike = [k for k, our in open_places.items() if _header(masked, our) == header]
            settle(alike, [f for f in rest if _header(layout, f) == header])
    settle(list(open_places), list(rest))
    return pairs


def _surplus(
    layout: Layout, theirs: list[Function], decorators: Collection[str], count: int
) -> list[Function]:
    """Those of some functions of one name that have to go so that a number of them is left."""
    if len(theirs) <= count:
        return []
    # The sort is stable: among equals the first ones go.
    by_worth = sorted(
        theirs, key=lambda f: (not _is_masked(f), _decorators(layout, f) in decorators)
    )
    return by_worth[: len(theirs) - count]


def _outside(layout: Layout, hidden: Iterable[Function]) -> Iterator[Function]:
    """The functions of a file that are neither some functions nor inside one of them."""
    ends = {function.start: function.end for function in hidden}
    end = 0
    for function in layout.functions:
        if function.start >= end and function.start not in ends:
            yield function
        end = max(end, ends.get(function.start, 0))


def _header(layout: Layout, function: Function) -> str:
    """Decorators and signature, without white space."""
    return "".join(layout.text[function.start : function.colon].split())


def _text(layout: Layout, function: Function) -> str:
    return "".join(layout.text[function.start : function.end].split())


def _decorators(layout: Layout, function: Function) -> str:
    node = cst.ensure_type(function.node, cst.FunctionDef)
    spans = [layout.span(decorator.decorator) for decorator in node.decorators]
    return " ".join("@" + "".join(layout.text[start:end].split()) for start, end in spans)


def _is_masked(function: Function) -> bool:
    """True if the body is ``raise NotImplementedError`` behind at most a docstring."""
    *before, last = cst.ensure_type(function.node, cst.FunctionDef).body.body
    emptied = matchers.SimpleStatementLine(
        body=[matchers.Raise(exc=matchers.Name("NotImplementedError"))]
    )
    return len(before) <= 1 and matchers.matches(last, emptied)
