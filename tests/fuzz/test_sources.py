"""Masking and grafting: what is no masked body stays what it was, whatever agents hand in."""

from __future__ import annotations

import ast
import builtins
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest import mock

from fuzz.harness import damaged, fuzz, often
from fuzz.nested import statements
from fuzz.sources import EXPRESSIONS, GENERICS, NAMES, SIMPLE, Module, modules
from hypothesis import strategies as st

from pytest_autoexp.masking import elsewhere
from pytest_autoexp.masking.graft import Grafted, graft, graft_elsewhere
from pytest_autoexp.masking.index import function_names, parse_ast
from pytest_autoexp.masking.layout import lenient
from pytest_autoexp.masking.mask import mask

DESCRIPTION = "What it does, in words."
MASK = [f'"""{DESCRIPTION}"""', "raise NotImplementedError"]


def names_of(module: Module) -> list[str]:
    """Names of its functions, as a task calls them."""
    total = Counter(made.qualified for made in module.functions)
    seen: Counter[str] = Counter()
    names = []
    for made in module.functions:
        seen[made.qualified] += 1
        twin = f"#{seen[made.qualified]}" if total[made.qualified] > 1 else ""
        names.append(made.qualified + twin)
    return names


@st.composite
def chosen(draw: st.DrawFn) -> tuple[Module, list[int]]:
    """A module and some of its functions."""
    module = draw(modules())
    numbers = st.integers(0, len(module.functions) - 1)
    return module, sorted(draw(st.sets(numbers, min_size=1, max_size=3)))


def masked_by_hand(module: Module, numbers: list[int], unit: str) -> bytes:
    """The masked file, from where the bodies are known to be.

    Args:
        module: The module.
        numbers: Which functions.
        unit: How much deeper the body of a function on one line goes.
    """
    lines = [line + end for line, end in zip(module.lines, module.newlines, strict=True)]
    done = 0
    for number in numbers:
        made = module.functions[number]
        if made.header_end < done:  # inside one that is masked
            continue
        done = made.body_end
        newline = module.newlines[made.header_end] or next(filter(None, module.newlines), "\n")
        inner = made.indent + (unit if made.header else module.unit)
        new = newline.join([*([made.header] if made.header else []), *(inner + x for x in MASK)])
        first = made.header_end + (not made.header)
        lines[first:done] = [new + module.newlines[done - 1], *[""] * (done - first - 1)]
    return "".join(lines).encode(module.encoding)


@fuzz(chosen(), bounded=100)
def test_a_mask_replaces_the_body_and_nothing_else(made: tuple[Module, list[int]]) -> None:
    module, numbers = made
    source, names = module.source(), names_of(module)
    assert [function.name for function in function_names(source)] == names
    masked = mask(source, {names[number]: DESCRIPTION for number in numbers})
    units = (module.unit, "    ")
    assert masked in [masked_by_hand(module, numbers, unit) for unit in units]
    tree = parse_ast(masked)
    assert len(list(emptied(tree))) == len(list(filter(is_emptied, ast.walk(tree)))) >= 1


@fuzz(chosen(), bounded=100)
def test_the_bodies_that_were_there_give_the_file_that_was_there(
    made: tuple[Module, list[int]],
) -> None:
    module, numbers = made
    names = [names_of(module)[number] for number in numbers]
    source = module.source()
    grafted = graft(mask(source, dict.fromkeys(names, DESCRIPTION)), source, names)
    assert (grafted.source, grafted.dropped) == (source, ())


def is_emptied(node: ast.AST) -> bool:
    """True for a function that :func:`mask` emptied."""
    match node:
        case (
            ast.FunctionDef(body=[ast.Expr(ast.Constant(value)), ast.Raise()])
            | ast.AsyncFunctionDef(body=[ast.Expr(ast.Constant(value)), ast.Raise()])
        ):
            return bool(value == DESCRIPTION)
    return False


Place = tuple[str, int]


def functions_in(tree: ast.Module, hidden: set[Place] | None) -> Iterator[tuple[Place, Any]]:
    """Functions with their places; those inside emptied or hidden ones are not looked at."""
    seen: Counter[str] = Counter()

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[Place, Any]]:
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{prefix}{child.name}."
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                seen[inner] += 1
                place = (inner, seen[inner])
                yield place, child
                if place in hidden if hidden is not None else is_emptied(child):
                    continue
            yield from walk(child, inner)

    yield from walk(tree, "")


def emptied(tree: ast.Module) -> Iterator[Place]:
    """Where the emptied functions of a masked file are."""
    return (place for place, node in functions_in(tree, None) if is_emptied(node))


def outlines(tree: ast.Module, hidden: set[Place]) -> list[tuple[str, ast.stmt]]:
    """The statements of a module, and what they are but for the bodies of some functions."""
    for place, node in list(functions_in(tree, hidden)):
        if place in hidden:
            node.body = []
    return [(ast.dump(node), node) for node in tree.body]


def bound(node: ast.AST) -> set[str]:
    """Names that a statement at module level binds, as far as they are plain to see."""
    match node:
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
            return {name}
        case ast.Import(names) | ast.ImportFrom(names=names):
            return {alias.asname or alias.name.partition(".")[0] for alias in names}
        case ast.Name(name, ast.Store() | ast.Del()):
            return {unicodedata.normalize("NFKC", name)}
        case ast.Lambda(arguments):
            return bound(arguments)
    return {name for child in ast.iter_child_nodes(node) for name in bound(child)}


def check_nothing_else_changed(masked: bytes, result: bytes) -> None:
    """The result is the masked file, with other bodies and with additions that rebind nothing."""
    before = parse_ast(masked)
    hidden = set(emptied(before))
    ours = outlines(before, hidden)
    theirs = outlines(parse_ast(result), hidden)
    known = {name for _, node in ours for name in bound(node)} | set(dir(builtins))
    rest = iter(ours)
    wanted = next(rest, None)
    for outline, node in theirs:
        if wanted and outline == wanted[0]:
            wanted = next(rest, None)
            continue
        assert isinstance(
            node,
            ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign | ast.If | ast.Try
            | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
            | getattr(ast, "TypeAlias", ast.ClassDef),
        ), ast.unparse(node)  # fmt: skip
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            continue
        if isinstance(node, ast.Import) and all("." in alias.name for alias in node.names):
            continue  # of another part of a package that is imported already
        assert not bound(node) & known, ast.unparse(node)
    assert wanted is None, wanted


# fmt: off
ADDED = [
    *("import math", "from math import *", "import os.path", "from x import y as f", "LIMIT = 3"),
    *("def helper(a):\n    return a", "class Helper:\n    x = 1", "f = lambda: 1", "len = print"),
    *("def f():\n    return 2", "class A:\n    def f(self): return 2", "__name__ = 'x'", "x = 2"),
    *("try:\n    import a\nexcept ImportError:\n    a = None", "if True:\n    f = 1", "del f"),
    *("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import b", "globals()['f'] = 1"),
    *("@helper\ndef other(): pass", "helper = (f := 3)", "def h():\n    global f\n    f = 1", ":"),
    *("from __future__ import annotations", "import sys; sys.exit()", "'''open", "(", "f.x = 1"),
    *("x: int", "[f for f in x]", "\x0c", "\x00", "\ufeff", "# coding: latin-1", "return", "\\"),
    *("if x:", "else:", "raise SystemExit", "async def f(): await x", "class f: pass", "(f) = 1"),
    *("def helper(a=(f := 1)): pass", "class Helper(metaclass=(f := 1)): pass", "*f, g = x"),
    *("@overload\ndef f(): ...", "@property\ndef value(self): return 1", "import \ufb01"),
    *("\uff46 = 1", "    x = 1", "x = 1; import math; y = 2", "helper = lambda a: (f := a)"),
    *("def helper(a):\n    return (f := a)", "helper = lambda a=(f := 1): a"),
    # What a newer Python knows may count although this one does not parse it.
    *(["type X = int", "type f = int", "def f[T](): ..."] if GENERICS else []),
    *(["class Helper[T]: x: T"] if GENERICS else []),
]
# fmt: on


Handed = tuple[bytes, bytes, list[str]]
"""A masked file, an agent's version of it, and the names of the masked functions."""


@st.composite
def masked_files(draw: st.DrawFn) -> tuple[Module, bytes, list[str]]:
    """A module, the same with some functions masked, and their names."""
    module, numbers = draw(chosen())
    names = [names_of(module)[number] for number in numbers]
    return module, mask(module.source(), dict.fromkeys(names, DESCRIPTION)), names


@st.composite
def changed(draw: st.DrawFn) -> Handed:
    """What an agent may make of a file: its own bodies, and much else."""
    module, masked, names = draw(masked_files())
    source = draw(st.sampled_from([module.source(), module.source(), masked]))
    lines = source.decode(module.encoding).splitlines(keepends=True) or [""]
    for _ in range(draw(st.integers(1, 4))):
        at, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        margin = draw(margins(module, lines[at]))
        added = draw(often(st.sampled_from([*ADDED, *SIMPLE, *EXPRESSIONS]), statements(16)))
        match draw(st.sampled_from(["add", "add", "replace", "drop", "double", "swap", "rename"])):
            case "add":
                lines.insert(at, indented(added, margin))
            case "replace":
                lines[at] = indented(added, margin)
            case "drop":
                lines[at] = ""
            case "double":
                lines.insert(other, lines[at])
            case "swap":
                lines[at], lines[other] = lines[other], lines[at]
            case "rename":
                some = st.sampled_from(NAMES)
                lines[at] = lines[at].replace(draw(some), draw(some))
    encoding = draw(st.sampled_from([module.encoding, module.encoding, "utf-8"]))
    return masked, "".join(lines).encode(encoding, "replace"), names


def margins(module: Module, line: str) -> st.SearchStrategy[str]:
    """White space before what is put beside a line: mostly what makes it Python."""
    margin = line[: len(line) - len(line.lstrip(" \t"))]
    return st.sampled_from([margin, margin, margin, margin + module.unit, ""])


def indented(text: str, margin: str) -> str:
    return "".join(f"{margin}{line}\n" for line in text.split("\n"))


@st.composite
def broken(draw: st.DrawFn) -> Handed:
    masked, agent, names = draw(changed())
    return masked, draw(often(st.just(agent), damaged(agent))), names


@st.composite
def nested(draw: st.DrawFn) -> Handed:
    """A file of the agent's in which one statement is nested, up to thousands of levels."""
    module, masked, names = draw(masked_files())
    lines = module.source().decode(module.encoding).splitlines(keepends=True)
    at = draw(st.integers(0, len(lines) - 1))
    lines.insert(at, indented(draw(statements()), draw(margins(module, lines[at]))))
    return masked, "".join(lines).encode(module.encoding), names


def check_grafted(grafted: Grafted, masked: bytes, agent: bytes) -> None:
    """Look at what came out."""
    for line in grafted.dropped:
        assert line.isprintable(), line
        assert len(line) < 2_000
    if can_parse(grafted.source):
        with lenient():
            check_nothing_else_changed(masked, grafted.source)
    else:  # and so it fails wherever it is run
        assert not can_parse(agent)


def can_parse(source: bytes) -> bool:
    try:
        parse_ast(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


@fuzz(changed().filter(lambda handed: can_parse(handed[1])), bounded=100)
def test_whatever_is_handed_in_changes_bodies_and_adds_what_rebinds_nothing(
    handed: Handed,
) -> None:
    masked, agent, names = handed
    check_grafted(graft(masked, agent, names), masked, agent)


@fuzz(broken().filter(lambda handed: not can_parse(handed[1])), bounded=50)
def test_what_does_not_parse_changes_nothing_else_either(handed: Handed) -> None:
    masked, agent, names = handed
    check_grafted(graft(masked, agent, names), masked, agent)


@fuzz(nested(), bounded=20, share=0.1)
def test_what_is_nested_deeply_is_grafted_or_dropped_and_ends_no_process(handed: Handed) -> None:
    masked, agent, names = handed
    with mock.patch.object(elsewhere, "MAX_CPU_SEC", 2):
        grafted = graft_elsewhere(masked, agent, names)
    assert grafted.dropped or grafted.source != masked
    check_grafted(grafted, masked, agent)
