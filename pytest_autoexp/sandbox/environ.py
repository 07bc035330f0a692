"""The environment variables that every command of every sandbox starts with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

BASE_ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        **dict.fromkeys(_THREAD_COUNTS, "1"),
    }
)
"""What makes an experiment's numbers and times the same everywhere.

- ``LANG``: text is UTF-8 whatever the host speaks.
- ``PYTHONHASHSEED``: the order of sets does not change from run to run.
- ``PYTHONDONTWRITEBYTECODE``: no ``__pycache__`` in the workspace: bytecode of an earlier
  state of a file would tell more than the file does, and would be copied out.
- ``PYTHONNOUSERSITE``: packages come from the task's environment alone.
- the numbers of threads: one per process.  With two busy threads on a loaded machine a run
  took twelve times as long; it also fixes the order in which sums are taken.

The caller's own variables are never passed on: they hold keys and tokens.
"""


def thread_counts(threads: int) -> dict[str, str]:
    """The variables that give each process of a command so many threads per library."""
    return dict.fromkeys(_THREAD_COUNTS, str(threads))
