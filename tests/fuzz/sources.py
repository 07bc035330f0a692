"""Modules of valid Python, made line by line, with where each function's body stands."""

from __future__ import annotations

import sys
import unicodedata
from dataclasses import dataclass, field

from hypothesis import strategies as st

NAMES = ["f", "g", "value", "mean", "_private", "__init__", "tätig", "match", "type"]
UNICODE_NAMES = ["ﬁ", "Ωmega", "名前"]
CLASSES = ["A", "Shape", "Ünit", "_B"]
EXPRESSIONS = [
    *("1", "x", "[i for i in range(3)]", "lambda a, b=(1, 2): a", "{'a:b': 1}", "'#no comment'"),
    *("f'{x!r:>{9}}'", "{**x}", "not x", "x if x else y", '"""doc\n   string"""', "(1,\n 2)"),
    *("(x)if(y)else(z)", "not(x)", "[x for(x)in(y)if(x)]", "(x)and(y)", "-(x)", "(x)not in(y)"),
    *("'''a\n\tb\n'''", "x[1:2, ...]", "'\\\\'", "b'\\x00'", "1e-3", "x @ y", "(z := 3)", "*x, y"),
]
SIMPLE = [
    *("pass", "x = 1", "x: int = 1", "import os", "from os import path as p", "del x"),
    *("assert x, 'a'", "x = y = 1; z = 2", "pass;", "raise ValueError", "x = 1 + \\\n    2", "..."),
    *(
        "x += 1",
        "print(x, end='')",
        "def_ = class_ = 1  # why: so",
        "if x: y = 1",
        "while 0: break",
    ),
]
IN_FUNCTIONS = [
    *("return", "return x  # why: so", "(yield)", "x = yield", "global mean", "return[x]"),
    *("return(x if y else z)", "return-x", "x = yield(y)"),
]
SIGNATURES = [
    *(
        "()",
        "(self)",
        "(a, b=1)",
        "(*args, **kwargs)",
        "(a, /, b, *, c='):')",
        "(a: 'x:y' = {1: 2})",
    ),
    *("(a=lambda x: x)", "(\n    a,  # one: two\n    b=(\n1),\n)", "(self, *, key=None,)", "( )"),
    *("(a: dict[str, int]) -> list[int]", "() -> 'a: b'", "(a=[\n\n])", "(a,\\\n b)"),
]
GENERICS = ["[T]", "[T: (int, str), *Ts, **P]"] if sys.version_info >= (3, 12) else []
DECORATORS = [
    *("@d", "@d(1)", "@property", "@a.b.c(x=1)", "@(lambda f: f)", "@d(\n    1,\n)", "@d  # why"),
]
COOKIES = {
    "utf-8": "",
    "utf-8-sig": "",
    "latin-1": "# -*- coding: latin-1 -*-",
    "cp1252": "#!/bin/x\n# vim: set fileencoding=cp1252 :",
}
INDENTS = ["    ", "  ", "\t", " ", "        "]


@dataclass
class Made:
    """One function of a made module; its lines are counted from 0.

    Attributes:
        qualified: Its qualified name.
        header_end: Line on which its header ends.
        header: What of that line is the header, if the body stands on it too; else empty.
        body_end: Line behind its last.
        indent: White space before its ``def``.
    """

    qualified: str
    header_end: int
    header: str
    body_end: int
    indent: str


@dataclass
class Module:
    """A made module.

    Attributes:
        lines: Its lines, without what ends them.
        functions: Its functions in order.
        newlines: What ends each line.
        encoding: How it is written.
        unit: One level of indentation.
    """

    lines: list[str] = field(default_factory=list)
    functions: list[Made] = field(default_factory=list)
    newlines: list[str] = field(default_factory=list)
    encoding: str = "utf-8"
    unit: str = "    "

    def source(self) -> bytes:
        """The file."""
        pairs = zip(self.lines, self.newlines, strict=True)
        return "".join(line + end for line, end in pairs).encode(self.encoding)


class _Writer:
    """Draws a module."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.module = Module(encoding=draw(st.sampled_from(["utf-8", *COOKIES])))
        self.unit = self.module.unit = draw(st.sampled_from(INDENTS))
        self.left = draw(st.integers(2, 20))
        self.names = NAMES + UNICODE_NAMES * self.module.encoding.startswith("utf")
        self.code_end = 0

    def pick(self, options: list[str]) -> str:
        return self.draw(st.sampled_from(options))

    def chance(self, part: int) -> bool:
        return self.draw(st.integers(1, part)) == part

    def whole(self) -> Module:
        """The module."""
        if cookie := COOKIES[self.module.encoding]:
            self.put("", cookie)
        if self.chance(3):
            self.put(
                "", self.pick(['"""About."""', "from __future__ import annotations", "'a\\\nb'"])
            )
        self.block("", "", 0)
        if not self.module.functions:
            self.function("", "", 0)
        ends = self.draw(st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n"]]))
        self.module.newlines = [self.pick(ends) for _ in self.module.lines]
        if self.chance(4) and self.code_end == len(self.module.lines):
            self.module.newlines[-1] = ""
        return self.module

    def put(self, indent: str, text: str) -> None:
        """Write a statement; all but its first line stand as they are."""
        feed = "\x0c" if not indent and self.chance(30) else ""
        self.module.lines += (feed + indent + text).split("\n")
        self.code_end = len(self.module.lines)

    def idle(self, indent: str) -> None:
        """Empty lines, form feeds and comments."""
        for _ in range(self.draw(st.integers(0, 2))):
            self.module.lines.append(
                self.pick(["", "", indent, "\x0c", indent + "# a: b", "   ", "# out"])
            )

    def statement(self, prefix: str) -> str:
        """A simple statement, or one that stands on one line."""
        inside = IN_FUNCTIONS if prefix.endswith("().") else []
        text = self.pick([*SIMPLE, *inside, *EXPRESSIONS])
        return f"x = {text}" if text in EXPRESSIONS and self.chance(2) else text

    def block(self, indent: str, prefix: str, depth: int) -> None:
        """Statements; behind ``().`` in the prefix they are a function's."""
        for _ in range(self.draw(st.integers(1, 3 if depth else 5))):
            self.left -= 1
            kind = self.draw(st.integers(0, 11)) if depth < 4 and self.left > 0 else 0
            if kind >= 7:
                self.function(indent, prefix, depth)
            elif kind == 6:
                self.type(indent, prefix, depth)
            elif kind == 5:
                self.compound(indent, prefix, depth)
            else:
                self.put(indent, self.statement(prefix))
            self.idle(indent)

    def compound(self, indent: str, prefix: str, depth: int) -> None:
        heads = {
            "if x:": ["elif y:", "else:"],
            "try:": ["except (A, B):", "finally:"],
            "for i in x:": ["else:"],
            "with a as b, c:": [],
            "while x:": [],
        }
        head = self.pick(list(heads))
        for line in [head, *heads[head]]:
            self.put(indent, line + self.pick(["", "  # why: so"]))
            self.block(indent + self.unit, prefix, depth + 1)

    def type(self, indent: str, prefix: str, depth: int) -> None:
        name = self.pick(CLASSES)
        if self.chance(3):
            self.put(indent, self.pick(DECORATORS))
        self.put(indent, f"class {name}{self.pick(['', '()', '(x, y=1)'])}:")
        self.block(indent + self.unit, f"{prefix}{name}.", depth + 1)

    def function(self, indent: str, prefix: str, depth: int) -> None:
        name = self.pick(self.names)
        for _ in range(self.draw(st.integers(0, 2)) if self.chance(2) else 0):
            self.put(indent, self.pick(DECORATORS))
        word = self.pick(["def", "def", "async def", "def ", "async  def"])
        signature = self.pick(SIGNATURES)
        if GENERICS and self.chance(5):
            signature = self.pick(GENERICS) + signature
        self.put(indent, f"{word} {name}{signature}{self.pick(['', '', ' '])}:")
        lines = self.module.lines
        qualified = unicodedata.normalize("NFKC", prefix.replace("()", "") + name)
        made = Made(qualified, len(lines) - 1, "", 0, indent)
        self.module.functions.append(made)
        if self.chance(4):
            made.header = lines[-1]
            lines[-1] += self.pick(["", " "]) + self.pick(["pass", "return 1", "x = 1; y = 2;"])
            lines[-1] += self.pick(["", "  # why: so"])
            made.body_end = len(lines)
            return
        lines[-1] += self.pick(["", "  # why: so", " "])
        inner, prefix = indent + self.unit, f"{prefix}{name}()."
        if self.chance(3):
            doc = ["# first: this", '"""What it does."""', "'''Long.\n\n  End.\n'''"]
            self.put(inner, self.pick(doc))
        self.put(inner, self.statement(prefix))
        self.idle(inner)
        self.block(inner, prefix, depth + 1)
        # Of the idle lines behind it, those up to its last deeper comment are its body's.
        deep = [i for i in range(self.code_end, len(lines)) if _is_deeper(lines[i], indent)]
        made.body_end = max([self.code_end, *(i + 1 for i in deep)])


def _is_deeper(line: str, indent: str) -> bool:
    margin = line[: len(line) - len(line.lstrip(" \t"))]
    is_comment = line.strip().startswith("#")
    return is_comment and len(margin.expandtabs(8)) > len(indent.expandtabs(8))


@st.composite
def modules(draw: st.DrawFn) -> Module:
    """Modules that Python parses, with a function at least."""
    return _Writer(draw).whole()
