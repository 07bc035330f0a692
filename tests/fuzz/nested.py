"""Python that is nested: a few levels or thousands, in every way that its grammar knows."""

from __future__ import annotations

from hypothesis import strategies as st

MAX_DEPTH = 20_000

# fmt: off
EXPRESSIONS = [
    *(("(", ")"), ("[", "]"), ("{", "}"), ("{1: ", "}"), ("[*", "]"), ("f(", ")"), ("a[", "]")),
    *(("f(a, *", ")"), ("(z := ", ")"), ("[1, [", "]]"), ("a[b:", "]"), ("(\n", "\n)")),
    *(("-", ""), ("not ", ""), ("~-+", ""), ("lambda: ", ""), ("lambda a=(1): ", "")),
    *(("lambda a=", ": 1"), ("1 ** ", ""), ("a if b else ", ""), ("a if ", " else b")),
    *(("", ".a"), ("", "()"), ("", "[0]"), ("", ".a(1)[2]"), ("", "\\\n.a"), ("", "(**a)")),
    *(("", " and a"), ("", " or b"), ("", " and a or b"), ("", " < a"), ("", " + a")),
    *(("", " in a"), ("", " 'a'"), ("", " if a else b"), ("", ", a"), ("a, ", ""), ("'", "'")),
    *(('"""', '"""'), ("{*a, ", "}")),
    *(("[a for a in ", "]"), ("{a: b for a in b if ", "}"), ("(await ", ")"), ("(yield ", ")")),
    *(("f'{", "}'"), ("f'{f\"{", "}\"}'"), ("f'{a:{", "}}'"), ("f'''{", "!r:>{a}}'''")),
]
"""What stands before and behind an expression, so that it is an expression again."""

STATEMENTS = [
    *("x = {}", "{}", "x: {} = 1", "x = y = {}", "x[{}] = 1", "del {}", "assert 1, {}"),
    *("return {}", "def g(a={}): pass", "def g(a: {}) -> {}: pass", "@({})\ndef g(): pass"),
    *("class G({}): pass", "if {}: pass", "for a in {}: pass", "for {} in a: pass"),
    *("with {} as a: pass", "while {}: pass", "match {}:\n    case 1: pass", "raise {} from {}"),
    *("x = [a for a in b if {}]", "global a; {}"),
]
"""Statements around an expression."""

CHAINS = [
    *(("import a", ".a", ""), ("from a", ".a", " import b"), ("from ", ".", " import b")),
    *(("import a", ", a", ""), ("global a", ", a", ""), ("x = ", "x = ", "1")),
    *(("pass", "; pass", ""), ("", "@a\n", "def g(): pass"), ("", "@a\n", "class G: pass")),
    *(("if a: b\n", "elif a: b\n", ""), ("if a: b\n", "elif a: b\n", "else: c")),
    *(("try: a\n", "except A: b\n", ""), ("", "#\n", "a"), ("", "x = 1\n", "")),
    *(("def g(a", ", *a", "): pass"), ("x = f(", "a=1, ", ")"), ("with a", ", a", ": pass")),
    *(("x = [a", " for a in a", "]"), ("x = [a for a in a", " if a", "]")),
    *(("x = 1 + ", "\\\n", "1"), ("x = '", "\\n", "'"), ("x = f'", "{a}", "'")),
    *(("x = f'{a:", "{a}", "}'"), ("match a:\n    case 1", " | 1", ": pass")),
    *(("match a:\n    case a", ".a", ": pass"), ("match a:\n", "    case 1: pass\n", "")),
    *(("type X[T", ", T", "] = int"), ("", "type X = ", "int")),
]
"""What is written many times, and what stands before and behind it."""

PATTERNS = [
    *(("[", "]"), ("(a, ", ")"), ("{1: ", "}"), ("A(", ")"), ("(", ")"), ("A(b=", ")")),
    ("1 | ", ""),
]
BLOCKS = [
    *("if a:", "def g():", "class G:", "for a in b:", "while a:", "with a as b:"),
    *("async def g():", "try:"),
]
# fmt: on


def depths(most: int) -> st.SearchStrategy[int]:
    """Levels: a few as often as hundreds as thousands."""
    powers = st.integers(0, most.bit_length() - 1)
    return powers.flatmap(lambda power: st.integers(1 << power, min(most, 2 << power)))


@st.composite
def expressions(draw: st.DrawFn, most: int) -> str:
    """Nested expressions, of one kind or of some in turn; a few lack what closes them."""
    kinds = draw(st.lists(st.sampled_from(EXPRESSIONS), min_size=1, max_size=3))
    text = draw(st.sampled_from(["1", "a", "", "'a'", "*a", "a, b"]))
    for before, behind in kinds:
        depth = draw(depths(max(1, most // len(kinds))))
        text = before * depth + text + behind * (depth - draw(st.sampled_from([0, 0, 0, 0, 1])))
    return text


@st.composite
def blocks(draw: st.DrawFn, most: int) -> str:
    """Blocks in blocks; their white space grows with the square of the depth."""
    kinds = draw(st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=3))
    heads = (kinds * MAX_DEPTH)[: draw(depths(min(most, 1_000)))]
    tails = {"try:": draw(st.sampled_from(["finally:", "except A:", "except* A:"]))}
    tails |= dict.fromkeys(BLOCKS[:1], draw(st.sampled_from(["else:", "elif b:", ""])))
    lines = [" " * level + head for level, head in enumerate(heads)] + [" " * len(heads) + "pass"]
    for level in reversed(range(len(heads))):
        if tail := tails.get(heads[level]):
            lines += [" " * level + tail, " " * level + " pass"]
    return "\n".join(lines)


@st.composite
def patterns(draw: st.DrawFn, most: int) -> str:
    """A pattern in patterns; libcst takes four times as long for each level."""
    text = "a"
    for before, behind in draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2)):
        depth = draw(st.integers(1, 3) | (depths(most) if most == MAX_DEPTH else st.just(1)))
        text = before * depth + text + behind * depth
    return f"match a:\n    case {text}:\n        pass"


@st.composite
def _around(draw: st.DrawFn, most: int) -> str:
    return draw(st.sampled_from(STATEMENTS)).replace("{}", draw(expressions(most)))


@st.composite
def _chains(draw: st.DrawFn, most: int) -> str:
    before, link, behind = draw(st.sampled_from(CHAINS))
    return before + link * draw(depths(most)) + behind


def statements(most: int = MAX_DEPTH) -> st.SearchStrategy[str]:
    """Statements of up to so many levels; most are Python."""
    around = _around(most)
    return around | around | _chains(most) | blocks(most) | patterns(most)
