"""What is taken for what in the small slips of :mod:`pytest_autoexp.masking.slips`."""

from __future__ import annotations

import libcst as cst

ARITHMETIC: dict[type[cst.CSTNode], str] = {
    cst.Add: "-",
    cst.Subtract: "+",
    cst.Multiply: "/",
    cst.Divide: "*",
    cst.FloorDivide: "/",
    cst.Modulo: "*",
    cst.Power: "*",
    cst.MatrixMultiply: "*",
    cst.BitAnd: "|",
    cst.BitOr: "&",
    cst.BitXor: "&",
    cst.LeftShift: ">>",
    cst.RightShift: "<<",
    cst.AddAssign: "-=",
    cst.SubtractAssign: "+=",
    cst.MultiplyAssign: "/=",
    cst.DivideAssign: "*=",
    cst.FloorDivideAssign: "/=",
    cst.PowerAssign: "*=",
    cst.BitAndAssign: "|=",
    cst.BitOrAssign: "&=",
}
"""What another operator may be taken for."""

COMPARISONS: dict[type[cst.CSTNode], tuple[str, ...]] = {
    cst.LessThan: ("<=", ">"),
    cst.LessThanEqual: ("<", ">="),
    cst.GreaterThan: (">=", "<"),
    cst.GreaterThanEqual: (">", "<="),
    cst.Equal: ("!=",),
    cst.NotEqual: ("==",),
    cst.In: ("not in",),
    cst.NotIn: ("in",),
    cst.Is: ("is not",),
    cst.IsNot: ("is",),
}
"""The limit moved by one case, and the opposite."""

_PAIRS = (
    ("min", "max"),
    ("minimum", "maximum"),
    ("amin", "amax"),
    ("fmin", "fmax"),
    ("nanmin", "nanmax"),
    ("argmin", "argmax"),
    ("nanargmin", "nanargmax"),
    ("cummin", "cummax"),
    ("mean", "sum"),
    ("nanmean", "nansum"),
    ("std", "var"),
    ("any", "all"),
    ("floor", "ceil"),
    ("zeros", "ones"),
    ("zeros_like", "ones_like"),
)

OTHER_NAME = dict(_PAIRS) | {b: a for a, b in _PAIRS}
"""Functions that are taken for each other."""

BUILTINS = {"min", "max", "any", "all"}
"""Those of them that stand without a module."""

KEYWORDS = {
    "axis": ("0", "1"),
    "dim": ("0", "1"),
    "ddof": ("0", "1"),
    "correction": ("0", "1"),
    "keepdims": (),
    "keepdim": (),
    "side": ('"left"', '"right"'),
    "weights": (),
    "initial": (),
    "minlength": (),
    "where": (),
}
"""Keyword arguments that go or change, and to which values."""

SYMMETRIC = {"add", "allclose", "isclose", "hypot", "logical_and", "logical_or", "multiply"} | {
    name for pair in _PAIRS[:5] for name in pair
}
"""Functions to which the order of their arguments is the same."""
