"""Replace bodies of functions by their descriptions."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Mapping

from pytest_autoexp.masking.index import resolve
from pytest_autoexp.masking.layout import Layout
from pytest_autoexp.masking.source import Edit, decode, encodable, encode, splice

LINE_LENGTH = 88
"""How long the lines of a description may become, in characters."""

_MIN_WIDTH = 40


def mask(source: bytes, descriptions: Mapping[str, str]) -> bytes:
    r"""Replace bodies of functions by a docstring and ``raise NotImplementedError``.

    The body reaches from the line after the header (from the header's colon, if it stands
    on that line) to the end of its last line, comments below that are indented deeper than
    the ``def`` included.  Everything else stays byte for byte.

    Args:
        source: The file's content.
        descriptions: Docstring by name of the function, as
            :func:`~pytest_autoexp.masking.index.resolve` takes it.  Where one function lies
            inside another, the outer one is replaced.

    Returns:
        The masked file.

    Raises:
        MaskingError: The file cannot be parsed, or a name stands for no or several functions.
    """
    file = decode(source)
    layout = Layout(file.text)
    by_name = {function.name: function for function in layout.functions}
    chosen = {by_name[resolve(key, layout.names)]: key for key in descriptions}
    edits = []
    for function, key in chosen.items():
        if any(function in other for other in chosen):
            continue
        newline = layout.newline_at(function.colon)
        lines = _body(descriptions[key], function.body_indent, file.encoding)
        new = newline.join(lines)
        if function.on_one_line:
            new = newline + new
        edits.append(Edit(function.body, function.end, new))
    return encode(splice(file.text, edits), file.encoding)


def _body(description: str, indent: str, encoding: str) -> list[str]:
    """Lines of a masked body.  A description without text leaves no docstring."""
    docstring = _docstring(description, indent, encoding)
    return [*docstring, f"{indent}raise NotImplementedError"]


def _docstring(description: str, indent: str, encoding: str) -> list[str]:
    """Lines of a docstring; long lines of the description are wrapped, others are kept."""
    text = inspect.cleandoc(re.sub(r"\r\n?", "\n", description)).strip()
    if not text:
        return []
    width = max(_MIN_WIDTH, LINE_LENGTH - len(indent.expandtabs(4)))
    escaped = "".join(_escape(character, encoding) for character in text)
    # Three quotes would end the docstring, and so would its last character with them.
    escaped = re.sub(r'"{3,}|"$', lambda quotes: quotes[0].replace('"', r"\""), escaped)
    lines = _wrap(escaped, width)
    if len(lines) > 1 or len(lines[0]) + 6 > width:
        shown = [f'"""{lines[0]}', *lines[1:], '"""']
    else:
        shown = [f'"""{lines[0]}"""']
    return [indent + line if line else "" for line in shown]


def _wrap(text: str, width: int) -> list[str]:
    """Wrap lines that are too long, each to the indentation that it has."""
    wrapped: list[str] = []
    for line in text.split("\n"):
        margin = line[: len(line) - len(line.lstrip(" "))]
        wrapped += textwrap.wrap(
            line,
            width,
            subsequent_indent=margin,
            expand_tabs=False,
            replace_whitespace=False,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return wrapped


def _escape(character: str, encoding: str) -> str:
    r"""A character as it stands in a string literal of a file with this encoding."""
    if character == "\\":
        return r"\\"
    if character == "\n" or (character.isprintable() and encodable(character, encoding)):
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
