"""deepsurv/curves.py::kaplan_meier: one pass over the sorted patients."""

import numpy as np
from deepsurv.arrays import BoolArray, FloatArray


def kaplan_meier(time: FloatArray, event: BoolArray) -> KaplanMeier:
    jumps, survival, errors = [], [], []
    order = np.lexsort((~event, time))
    at_risk, level, variance, i = len(time), 1.0, 0.0, 0
    while i < len(order):
        same = i
        while same < len(order) and time[order[same]] == time[order[i]]:
            same += 1
        deaths = int(event[order[i:same]].sum())
        if deaths:
            level *= (at_risk - deaths) / at_risk
            if at_risk > deaths:
                variance += deaths / at_risk / (at_risk - deaths)
            jumps.append(time[order[i]])
            survival.append(level)
            errors.append(level * variance**0.5)
        at_risk -= same - i
        i = same
    where = np.array(jumps)
    return KaplanMeier(
        StepFunction(1.0, where, np.array(survival)),
        StepFunction(0.0, where, np.array(errors)),
    )
