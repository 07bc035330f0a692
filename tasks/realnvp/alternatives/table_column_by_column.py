"""realnvp/preprocessing.py::prepare_table: column by column, with differences of logarithms."""

import numpy as np
from realnvp.arrays import FloatArray
from realnvp.sources import Table


def prepare_table(table: Table, noise: FloatArray, n_train: int) -> tuple[FloatArray, FloatArray]:
    columns = []
    log_det = np.zeros(len(table.values))
    for number, (step, logged) in enumerate(zip(table.steps, table.logs, strict=True)):
        cells = table.values[:, number] / step - 0.5 + noise[:, number]
        numbers = cells * step
        if logged:
            numbers = np.log(numbers)
            log_det -= np.log(cells)
        else:
            log_det += np.log(step)
        part = numbers[:n_train]
        middle = part.sum() / n_train
        width = np.sqrt(((part - middle) ** 2).sum() / n_train)
        columns.append((numbers - middle) / width)
        log_det -= np.log(width)
    return np.column_stack(columns), log_det
