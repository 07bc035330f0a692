"""offpolicy/evaluation.py::expected_moments: mean and variance given the context, directly."""

import numpy as np
from offpolicy.arrays import FloatArray, IntArray


def expected_moments(
    policy: IntArray,
    expected: FloatArray,
    predicted: FloatArray,
    propensities: FloatArray,
    assumed: FloatArray,
    noise_variance: float,
    events: int,
) -> Moments:
    columns = policy[:, None]
    rho, guess, p, q = (
        np.take_along_axis(table, columns, axis=1)[:, 0]
        for table in (expected, predicted, propensities, assumed)
    )
    if_taken = guess + (rho - guess) / q
    conditional = p * if_taken + (1.0 - p) * guess
    between = p * (1.0 - p) * (if_taken - guess) ** 2
    noise = np.mean(p / q**2) * noise_variance
    spread = np.mean(conditional**2) - np.mean(conditional) ** 2
    total = noise + spread + between.mean()
    return Moments(
        float(np.mean(conditional) - np.mean(rho)),
        float(noise),
        float(spread),
        float(between.mean()),
        float((total / events) ** 0.5),
    )
