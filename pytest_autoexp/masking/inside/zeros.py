"""Inside a version with zeros: a function gives the same structure, with zeros in it.

Libraries are looked up among those that are loaded: a value of theirs cannot come otherwise.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import numbers
import sys
import types
from collections.abc import Callable
from typing import Any

_DEPTH = 6
_FUNCTIONS = (types.FunctionType, types.MethodType, functools.partial)
_ABSENT = object()
_KINDS = {
    "torch": ("Tensor",),
    "numpy": ("ndarray", "generic"),
    "pandas": ("DataFrame", "Series", "Index"),
    "scipy.sparse": ("spmatrix", "sparray"),
}


def first(*values: Any) -> Any:
    """The first value that is no text; None if there is none."""
    return next((value for value in values if not isinstance(value, str)), None)


def zeroed(in_place: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: the function runs, and what it gives is made zeros.

    Args:
        in_place: Does it return nothing?  Then zeros go into what it changes of its arguments.
    """
    return _zeroed_in_place if in_place else _zeroed


def _zeroed(function: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def items(*args: Any, **kwargs: Any) -> Any:
            async for value in function(*args, **kwargs):
                yield _result(value)

        return items
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            return _result(await function(*args, **kwargs))

        return awaited
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generated(*args: Any, **kwargs: Any) -> Any:
            return (yield from _generated(function(*args, **kwargs)))

        return generated

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        return _result(function(*args, **kwargs))

    return plain


def _zeroed_in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> None:
            before = _copied([args, kwargs], _DEPTH)
            await function(*args, **kwargs)
            _wipe([args, kwargs], before, _DEPTH)

        return awaited

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> None:
        before = _copied([args, kwargs], _DEPTH)
        function(*args, **kwargs)
        _wipe([args, kwargs], before, _DEPTH)

    return plain


def _generated(inner: Any) -> Any:
    """Zeros of what a generator yields; what is sent or thrown in reaches it."""
    try:
        sent = yield _result(next(inner))
        while True:
            sent = yield _result(inner.send(sent))
    except StopIteration as stop:
        return stop.value
    finally:
        inner.close()


def _result(value: Any) -> Any:
    """Zeros of what a function gave.

    Raises:
        TypeError: If it has none: a run on the value itself would show nothing.
    """
    zero = _zero(value)
    known = value is None or isinstance(value, numbers.Number | tuple) or _library(value)
    if zero is value and not known:
        raise TypeError(f"there is no zero of {type(value).__name__}")
    return zero


def _zero(value: Any) -> Any:
    """The same structure with zeros for its numbers; what is no number stays."""
    kind = type(value)
    if kind in (bool, int, float, complex):
        return kind()
    if library := _library(value):
        return _LIBRARIES[library](value)
    if isinstance(value, tuple | list | dict):
        return _zero_container(value)
    if dataclasses.is_dataclass(kind):
        zeros = copy.copy(value)
        for field in dataclasses.fields(kind):
            if hasattr(value, field.name):
                object.__setattr__(zeros, field.name, _zero(getattr(value, field.name)))
        return zeros
    if isinstance(value, types.GeneratorType):
        return _generated(value)
    return _zeroed(value) if isinstance(value, _FUNCTIONS) else value


def _zero_container(value: Any) -> Any:
    if isinstance(value, dict):
        zeros = copy.copy(value)
        for key, item in value.items():
            zeros[key] = _zero(item)
        return zeros
    items = [_zero(item) for item in value]
    if isinstance(value, list):
        return items
    return type(value)._make(items) if hasattr(value, "_make") else tuple(items)


def _library(value: Any) -> str:
    """Which of the known libraries a value comes from, or an empty string."""
    for name, kinds in _KINDS.items():
        module = sys.modules.get(name)
        if any(isinstance(value, getattr(module, kind, ())) for kind in kinds):
            return name
    return ""


def _zero_numpy(value: Any) -> Any:
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.generic):
        return type(value)(0) if value.dtype.kind in "biufc" else value
    if value.dtype.kind == "O":
        zeros = value.copy()
        zeros[...] = numpy.frompyfunc(_zero, 1, 1)(value)
        return zeros
    return numpy.zeros_like(value) if value.dtype.kind in "biufcV" else value


def _zero_torch(value: Any) -> Any:
    torch = sys.modules["torch"]
    if value.requires_grad and not value.is_leaf:
        return torch.nan_to_num(value) * 0  # gradients still flow, all of them zero
    zeros = torch.zeros_like(value)
    if isinstance(value, torch.nn.Parameter):
        return torch.nn.Parameter(zeros, requires_grad=value.requires_grad)
    return zeros.requires_grad_(value.requires_grad)


def _zero_pandas(value: Any) -> Any:
    pandas: Any = sys.modules["pandas"]
    if isinstance(value, pandas.DataFrame):
        zeros = value.copy()
        for position in range(value.shape[1]):
            zeros.isetitem(position, _zero_pandas(value.iloc[:, position]))
        return zeros
    if not pandas.api.types.is_numeric_dtype(value.dtype):
        return value
    if isinstance(value, pandas.Index):
        return pandas.Index([0] * len(value), dtype=value.dtype, name=value.name)
    return pandas.Series(0, index=value.index, dtype=value.dtype, name=value.name)


def _zero_sparse(value: Any) -> Any:
    return type(value)(value.shape, dtype=value.dtype)


_LIBRARIES: dict[str, Callable[[Any], Any]] = {
    "torch": _zero_torch,
    "numpy": _zero_numpy,
    "pandas": _zero_pandas,
    "scipy.sparse": _zero_sparse,
}


def _items(value: Any) -> dict[Any, Any]:
    """What can be changed in a container or an object, by its key, index or attribute."""
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, list | tuple):
        return dict(enumerate(value))
    is_object = not isinstance(value, type | types.ModuleType) and not _library(value)
    return dict(vars(value)) if is_object and hasattr(value, "__dict__") else {}


def _copied(value: Any, depth: int) -> Any:
    """What an argument holds, to be compared with after the call."""
    if library := _library(value):
        return value.clone() if library == "torch" else value.copy()
    if isinstance(value, numbers.Number) or depth == 0:
        return value
    return {key: _copied(item, depth - 1) for key, item in _items(value).items()}


def _wipe(value: Any, before: Any, depth: int) -> None:
    """Make zeros of the numbers in a container or object that are not what they were."""
    known = before if isinstance(before, dict) else {}
    for key, item in _items(value).items():
        old = known.get(key, _ABSENT)
        if library := _library(item):
            if not _same(item, old) and not _fill(item, library):
                _put(value, key, _zero(item))
        elif isinstance(item, numbers.Number):
            if item is not old and item != old:
                _put(value, key, _zero(item))
        elif depth > 1:
            _wipe(item, old, depth - 1)


def _same(value: Any, old: Any) -> bool:
    if type(value) is not type(old) or getattr(value, "shape", ()) != getattr(old, "shape", ()):
        return False
    torch = sys.modules.get("torch")
    if torch and isinstance(value, torch.Tensor):
        return bool(torch.equal(value, old))
    if hasattr(value, "equals"):
        return bool(value.equals(old))
    if hasattr(value, "nnz"):
        return value.nnz == old.nnz and not (value != old).nnz
    return bool(((value == old) | ((value != value) & (old != old))).all())


def _fill(value: Any, library: str) -> bool:
    """Make zeros of an array where it is; False if it has to be replaced."""
    pandas: Any = sys.modules.get("pandas")
    if library == "torch":
        value.detach().zero_()
    elif library == "numpy" and value.shape and value.flags.writeable:
        value[...] = _zero_numpy(value)
    elif library == "pandas" and isinstance(value, pandas.DataFrame):
        for position in range(value.shape[1]):
            value.isetitem(position, _zero_pandas(value.iloc[:, position]))
    elif library == "scipy.sparse" and hasattr(value, "data"):
        value.data[...] = 0
    else:
        return False
    return True


def _put(value: Any, key: Any, item: Any) -> None:
    if isinstance(value, dict | list):
        value[key] = item
    elif not isinstance(value, tuple):
        object.__setattr__(value, key, item)
