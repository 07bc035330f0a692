"""The small changes that can be made in the body of one function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import libcst as cst
from libcst import matchers

from pytest_autoexp.masking.bindings import suite
from pytest_autoexp.masking.layout import Function, Layout
from pytest_autoexp.masking.source import Edit
from pytest_autoexp.masking.swaps import (
    ARITHMETIC,
    BUILTINS,
    COMPARISONS,
    KEYWORDS,
    OTHER_NAME,
    SYMMETRIC,
)

_EITHER_SIDE = (cst.Add, cst.Multiply, cst.MatrixMultiply, cst.BitAnd, cst.BitOr)
_OPPOSITES = {cst.Equal, cst.NotEqual, cst.In, cst.NotIn, cst.Is, cst.IsNot}
_TEXT = matchers.SimpleString() | matchers.FormattedString() | matchers.ConcatenatedString()
_CHECKS = matchers.Assert() | matchers.Raise()
_KEPT_VALUE = _TEXT | matchers.Yield()
_IDLE = matchers.Expr(matchers.Ellipsis() | matchers.Call(func=matchers.Name("print")))
_UNTOUCHED = _IDLE | _CHECKS | _TEXT | matchers.Annotation() | matchers.Parameters()


@dataclass(frozen=True)
class Slip:
    """One change.

    Attributes:
        kind: What sort of change it is.
        description: What is changed, in a few words.
        line: Where, in the file, counted from 1.
        edits: The change.
    """

    kind: str
    description: str
    line: int
    edits: tuple[Edit, ...]


class Slips:
    """The changes that can be made in one function.

    Args:
        layout: Its file.
        function: The function.
    """

    def __init__(self, layout: Layout, function: Function) -> None:
        self._layout = layout
        self._node = cst.ensure_type(function.node, cst.FunctionDef)
        self._bound = {
            param.name.value
            for param in matchers.findall(self._node.params, matchers.Param())
            if isinstance(param, cst.Param)
        }
        self._rules: tuple[Callable[[cst.CSTNode], Iterator[Slip]], ...] = (
            self._operators,
            self._booleans,
            self._numbers,
            self._unary,
            self._calls,
            self._arguments,
            self._slices,
            self._conditions,
            self._statements,
        )

    def found(self) -> Iterator[Slip]:
        """Every change, node by node in the order of the text."""
        stack: list[cst.CSTNode] = [self._node.body]
        while stack:
            node = stack.pop()
            for rule in self._rules:
                yield from rule(node)
            children = [c for c in node.children if not matchers.matches(c, _UNTOUCHED)]
            stack += (child for child in reversed(children) if not _is_check(child))

    def _slip(self, kind: str, node: cst.CSTNode, new: str) -> Slip:
        """Replacement of a node's text."""
        start, end = self._layout.span(node)
        old = self._layout.text[start:end]
        description = f"{_short(old)} -> {_short(new)}"
        return Slip(kind, description, self._layout.line(node), (Edit(start, end, new),))

    def _code(self, node: cst.CSTNode) -> str:
        """A node's text, with its parentheses."""
        start, end = self._layout.span(node)
        text = self._layout.text[start:end]
        return f"({text})" if getattr(node, "lpar", ()) else text

    def _operators(self, node: cst.CSTNode) -> Iterator[Slip]:
        if isinstance(node, cst.AugAssign) and not matchers.matches(node.value, _TEXT):
            yield from self._other_operator(node.operator)
        elif isinstance(node, cst.Comparison):
            for part in node.comparisons:
                for new in COMPARISONS.get(type(part.operator), ()):
                    yield self._slip("comparison", part.operator, new)
        elif isinstance(node, cst.BinaryOperation) and not any(
            matchers.matches(side, _TEXT) for side in (node.left, node.right)
        ):
            yield from self._other_operator(node.operator)
            yield from self._terms(node)

    def _other_operator(self, operator: cst.CSTNode) -> Iterator[Slip]:
        if type(operator) in ARITHMETIC:
            yield self._slip("arithmetic", operator, ARITHMETIC[type(operator)])

    def _terms(self, node: cst.BinaryOperation) -> Iterator[Slip]:
        """One side of an operation alone."""
        yield self._slip("term", node, self._code(node.left))
        if isinstance(node.operator, _EITHER_SIDE):
            yield self._slip("term", node, self._code(node.right))
        elif isinstance(node.operator, cst.Subtract):
            yield self._slip("term", node, f"(-({self._code(node.right)}))")

    def _booleans(self, node: cst.CSTNode) -> Iterator[Slip]:
        if isinstance(node, cst.BooleanOperation):
            other = "or" if isinstance(node.operator, cst.And) else "and"
            yield self._slip("boolean", node.operator, other)
            for side in (node.left, node.right):
                yield self._slip("boolean", node, self._code(side))
        elif isinstance(node, cst.Name) and node.value in ("True", "False"):
            yield self._slip("boolean", node, "False" if node.value == "True" else "True")

    def _numbers(self, node: cst.CSTNode) -> Iterator[Slip]:
        if isinstance(node, cst.Integer):
            value = node.evaluated_value
            others = {0: ("1",), 1: ("0", "2")}.get(value, (f"{value + 1}", f"{-value}"))
        elif isinstance(node, cst.Float):
            number = node.evaluated_value
            scaled = repr(float(f"{number * 1.1:.12g}"))
            others = {0.0: ("1.0",), 1.0: ("0.0", "1.1")}.get(number, (scaled, repr(-number)))
        else:
            return
        for new in others:
            yield self._slip("constant", node, new)

    def _unary(self, node: cst.CSTNode) -> Iterator[Slip]:
        if isinstance(node, cst.UnaryOperation) and not isinstance(node.operator, cst.Plus):
            kind = "condition" if isinstance(node.operator, cst.Not) else "unary"
            yield self._slip(kind, node, self._code(node.expression))

    def _calls(self, node: cst.CSTNode) -> Iterator[Slip]:
        """Another function of the same sort, and another direction of sorting."""
        if not isinstance(node, cst.Call):
            return
        called = node.func.attr if isinstance(node.func, cst.Attribute) else node.func
        if not isinstance(called, cst.Name):
            return
        name = called.value
        if name in OTHER_NAME and (called is not node.func or name in BUILTINS):
            yield self._slip("function", called, OTHER_NAME[name])
        keywords = {arg.keyword.value for arg in node.args if arg.keyword}
        if called is node.func and name == "sorted" and "reverse" not in keywords:
            start, end = self._layout.span(node.args[-1])
            is_bare = matchers.matches(node.args[-1].value, matchers.GeneratorExp(lpar=[]))
            edits = (
                Edit(start, start, "(" * is_bare),
                Edit(end, end, ")" * is_bare + ", reverse=True"),
            )
            yield Slip("sort", "sorted in reverse", self._layout.line(node), edits)
        elif called is not node.func and name == "argsort":
            first = node.args[0] if node.args and not node.args[0].keyword else None
            if isinstance(node.func, cst.Attribute) and not first:
                yield self._slip("sort", node.func.value, f"(-({self._code(node.func.value)}))")
            elif first and not _is_minus(first.value):
                yield self._slip("sort", first.value, f"-({self._code(first.value)})")
        elif called is not node.func and name == "sort" and self._is_numpy(node.func):
            outer, inner = self._layout.span(node), self._layout.span(node.args[0])
            news = ("(-", outer[0]), ("-(", inner[0]), (")", inner[1]), (")", outer[1])
            made = tuple(Edit(place, place, new) for new, place in news)
            yield Slip("sort", "sorted in reverse", self._layout.line(node), made)

    def _is_numpy(self, node: cst.CSTNode) -> bool:
        return isinstance(node, cst.Attribute) and self._code(node.value) in ("np", "numpy")

    def _arguments(self, node: cst.CSTNode) -> Iterator[Slip]:
        if not isinstance(node, cst.Call):
            return
        name = node.func.attr if isinstance(node.func, cst.Attribute) else node.func
        symmetric = isinstance(name, cst.Name) and name.value in SYMMETRIC
        for arg, after in zip(node.args, node.args[1:], strict=False):
            is_plain = not (arg.keyword or after.keyword or arg.star or after.star)
            if is_plain and not symmetric:
                yield self._swapped(arg.value, after.value)
        for index, arg in enumerate(node.args):
            if arg.keyword and arg.keyword.value in KEYWORDS:
                yield from self._keyword(node, index)

    def _swapped(self, one: cst.BaseExpression, other: cst.BaseExpression) -> Slip:
        spans = [self._layout.span(one), self._layout.span(other)]
        texts = [self._layout.text[start:end] for start, end in spans]
        edits = [Edit(*span, text) for span, text in zip(spans, reversed(texts), strict=True)]
        description = f"{_short(texts[0])} and {_short(texts[1])} swapped"
        return Slip("argument", description, self._layout.line(one), tuple(edits))

    def _keyword(self, call: cst.Call, index: int) -> Iterator[Slip]:
        """Other values of a keyword argument, and the call without it."""
        arg = call.args[index]
        assert arg.keyword
        for new in KEYWORDS[arg.keyword.value]:
            if new.strip('"') != self._code(arg.value).strip("\"'"):
                yield self._slip("keyword", arg.value, new)
        start, end = self._layout.span(arg)
        if index:
            _, start = self._layout.span(call.args[index - 1])
        elif len(call.args) > 1:
            end, _ = self._layout.span(call.args[1])
        edit = Edit(start, end, "")
        description = f"without {arg.keyword.value}"
        yield Slip("keyword", description, self._layout.line(arg), (edit,))

    def _slices(self, node: cst.CSTNode) -> Iterator[Slip]:
        if not isinstance(node, cst.Slice) or not (node.lower or node.upper):
            return
        if node.lower:
            if not isinstance(node.lower, cst.Integer):  # its next number is a slip of its own
                yield self._slip("slice", node.lower, f"{self._code(node.lower)} + 1")
        else:
            yield self._inserted(node.first_colon, "1", before=True)
        if isinstance(node.upper, cst.Integer):
            yield self._slip("slice", node.upper, str(node.upper.evaluated_value - 1))
        elif node.upper:
            yield self._slip("slice", node.upper, f"{self._code(node.upper)} - 1")
        else:
            yield self._inserted(node.first_colon, "-1", before=False)

    def _inserted(self, colon: cst.CSTNode, bound: str, before: bool) -> Slip:
        start, end = self._layout.span(colon)
        place = start if before else end
        edit = Edit(place, place, bound)
        return Slip("slice", f"{bound} as a bound", self._layout.line(colon), (edit,))

    def _conditions(self, node: cst.CSTNode) -> Iterator[Slip]:
        if not isinstance(node, cst.If | cst.While | cst.IfExp | cst.CompIf):
            return
        test = node.test
        is_negated = isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not)
        has_opposite = isinstance(test, cst.Comparison) and (
            len(test.comparisons) == 1 and type(test.comparisons[0].operator) in _OPPOSITES
        )
        if not is_negated and not has_opposite:
            yield self._slip("condition", test, f"(not ({self._code(test)}))")

    def _statements(self, node: cst.CSTNode) -> Iterator[Slip]:
        """Statements and branches that can go without leaving a name unbound."""
        if isinstance(node, cst.For):
            self._bound |= _names(node.target)
        elif isinstance(node, cst.Assign | cst.AnnAssign) and node.value:
            assigned = node.targets if isinstance(node, cst.Assign) else (node,)
            targets = [part.target for part in assigned]
            names = {name for target in targets for name in _names(target)}
            binds = any(isinstance(target, cst.Name | cst.Tuple) for target in targets)
            if not binds or names <= self._bound:
                yield self._slip("statement", node, "pass")
            self._bound |= names
        elif isinstance(node, cst.AugAssign) or (
            isinstance(node, cst.Expr) and not matchers.matches(node.value, _KEPT_VALUE)
        ):
            yield self._slip("statement", node, "pass")
        elif isinstance(node, cst.If | cst.Else):
            parts = suite(node.body)
            start, end = self._layout.span(parts[0])[0], self._layout.span(parts[-1])[1]
            line = self._layout.line(parts[0])
            yield Slip("statement", "an emptied branch", line, (Edit(start, end, "pass"),))


def _is_check(node: cst.CSTNode) -> bool:
    """True for an ``if`` that only raises."""
    if not isinstance(node, cst.If) or node.orelse:
        return False
    return all(matchers.matches(part, _CHECKS) for part in suite(node.body))


def _names(target: cst.BaseExpression) -> set[str]:
    found = matchers.findall(target, matchers.Name())
    return {name.value for name in found if isinstance(name, cst.Name)}


def _is_minus(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:37]}..."
