"""How large and how deep a file that an agent wrote may be.

What is refused here is refused on every machine, however fast.  What still is too much for the
parser ends another process, not this one: :mod:`pytest_autoexp.masking.elsewhere`.
"""

from __future__ import annotations

import ast
import re

from pytest_autoexp.masking.index import parse_ast
from pytest_autoexp.masking.source import MaskingError

MAX_CHARS = 512 * 1024
"""How many more characters than the pristine file an agent's version may have."""

MAX_TOKENS = 75_000
"""How many more words, signs and lines it may have.

Each takes up to 130 us (lines of ``a=1``) to be compared and grafted, so that they keep a test
run waiting for 10 s at most.
"""

MAX_DEPTH = 500
"""Levels of nesting that it may have, unless the pristine file has more."""

_TOKEN = re.compile(r"\w+|[^\w\s]|[\r\n]")


def check_parseable(text: str, pristine: str) -> None:
    """Make sure that a text can be parsed in reasonable time, if it is like what people write.

    Args:
        text: The agent's version of a file.
        pristine: The pristine one.

    Raises:
        MaskingError: It is too large or nested too deeply.  A text that merely does not parse
            is left for the parser to say.
    """
    if len(text) > len(pristine) + MAX_CHARS:
        raise MaskingError(f"is too large to be parsed ({len(text):,} characters)")
    if (tokens := _tokens(text)) > _tokens(pristine) + MAX_TOKENS:
        raise MaskingError(f"is too large to be parsed ({tokens:,} words and signs)")

    if (depth := _depth(text)) > MAX_DEPTH and depth > _depth(pristine):
        raise MaskingError(f"does not parse: its code is nested too deeply ({depth} levels)")


def _tokens(text: str) -> int:
    """Words, signs and lines of a text, those in strings and comments too."""
    return sum(1 for _ in _TOKEN.finditer(text))


def _depth(text: str) -> int:
    """Levels of nesting; 0 if the running Python does not parse it.

    Raises:
        MaskingError: If they are too many for that.
    """
    try:
        level: list[ast.AST] = [parse_ast(text)]
    except (SyntaxError, ValueError):
        return 0
    except (RecursionError, MemoryError) as error:
        raise MaskingError("does not parse: its code is nested too deeply") from error
    depth = 0
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return depth
