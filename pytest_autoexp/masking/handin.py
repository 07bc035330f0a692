"""A function that was written by itself, put into its masked file as an agent would hand it in."""

from __future__ import annotations

import libcst as cst

from pytest_autoexp.masking.additions import FUTURE_IMPORT
from pytest_autoexp.masking.graft import Grafted, body_edit, graft
from pytest_autoexp.masking.index import resolve
from pytest_autoexp.masking.layout import Function, Layout, Statement
from pytest_autoexp.masking.pristine import Pristine
from pytest_autoexp.masking.source import Edit, MaskingError, decode, encode, splice


def hand_in(masked: bytes, name: str, written: bytes) -> Grafted:
    """Graft a function that stands in a file of its own, with what it needs at module level.

    Args:
        masked: The file in which the function is masked.
        name: Its name there, as :func:`~pytest_autoexp.masking.index.resolve` takes it.
        written: A file that defines the function at module level, a method too, under the last
            part of its name; all else in it (but its docstring) is added at module level.

    Returns:
        The grafted file, and what of ``written`` does not count.

    Raises:
        MaskingError: A file does not parse, ``written`` lacks the function, or the function has
            other parameters than the masked one.
    """
    file = decode(masked)
    ours, theirs = Layout(file.text), Layout(decode(written).text)
    resolve(name, ours.names)
    our = next(function for function in ours.functions if function.name.name == name)
    their = _written(theirs, our.name.qualified.rpartition(".")[2])
    if _parameters(their) != _parameters(our):
        raise MaskingError(
            f"line {their.line}: the parameters of {their.name.name} are "
            f"({', '.join(_parameters(their))}), those of {name} are "
            f"({', '.join(_parameters(our))})"
        )
    added = [s for s in theirs.statements if s.start != their.start and not _is_docstring(s)]
    texts = [theirs.text[s.start : s.end] for s in added]
    edits = [body_edit(ours, our, theirs, their)]
    if FUTURE_IMPORT in texts:
        texts.remove(FUTURE_IMPORT)
        edits += _future(ours)
    end = len(ours.text)
    newline = ours.newline_at(end)
    edits += (Edit(end, end, newline + text + newline) for text in texts)
    return graft(masked, encode(splice(ours.text, edits), file.encoding), [name])


def _written(layout: Layout, name: str) -> Function:
    for function in layout.functions:
        if function.name.name == name:
            return function
    raise MaskingError(f"no function {name} at module level, or several")


def _parameters(function: Function) -> list[str]:
    """Names of the parameters, with their stars and the bare ``*`` and ``/``."""
    params = cst.ensure_type(function.node, cst.FunctionDef).params
    names = [param.name.value for param in params.posonly_params]
    names += ["/"] if names else []
    names += (param.name.value for param in params.params)
    if isinstance(params.star_arg, cst.ParamStar):
        names.append("*")
    elif isinstance(params.star_arg, cst.Param):
        names.append(f"*{params.star_arg.name.value}")
    names += (param.name.value for param in params.kwonly_params)
    if params.star_kwarg:
        names.append(f"**{params.star_kwarg.name.value}")
    return names


def _is_docstring(statement: Statement) -> bool:
    """True for a line that is a string and nothing else: it does nothing wherever it stands."""
    node = statement.node
    return (
        isinstance(node, cst.SimpleStatementLine)
        and isinstance(node.body[0], cst.Expr)
        and isinstance(node.body[0].value, cst.SimpleString | cst.ConcatenatedString)
    )


def _future(layout: Layout) -> list[Edit]:
    """The ``__future__`` import where it may stand; nothing if the file has it."""
    pristine = Pristine(layout)
    if ("__future__", "annotations", "") in pristine.aliases:
        return []
    at = layout.statements[pristine.top].end if pristine.top >= 0 else 0
    newline = layout.newline_at(at)
    return [Edit(at, at, newline + FUTURE_IMPORT + (newline if at == 0 else ""))]
