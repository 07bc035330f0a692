"""Joint multisided exposure (JME) fairness of recommenders, on MovieLens ratings."""

import os

# Before numpy is imported anywhere: on a busy machine more threads only slow it down.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
