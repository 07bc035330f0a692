"""One fuzz test with inputs that coverage guides, by Atheris: hours find what chance does not.

    python tests/fuzz/guided.py MODULE::TEST CORPUS -max_total_time=3600

MODULE is one beside this file, such as ``test_tar_streams``; CORPUS is a folder for inputs that are
worth going on from.  What stands behind is for libFuzzer.  An input that fails is written to a file
``crash-...`` in the current folder; that file as an argument tries it again.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import atheris


def main(arguments: list[str]) -> None:
    """Fuzz one test, named ``module::test``."""
    if len(arguments) < 2:
        sys.exit(__doc__)
    _, name, *rest = arguments
    module, _, test = name.partition("::")
    sys.path.insert(0, str(Path(__file__).parents[1]))
    with atheris.instrument_imports(include=["pytest_autoexp", "tarfile", "yaml"]):
        found = getattr(import_module(f"fuzz.{module}"), test)
    # Hypothesis makes the test's arguments from the bytes; of few bytes it makes none.
    options = ["-len_control=0", "-max_len=16384"]
    atheris.Setup([arguments[0], *options, *rest], found.hypothesis.fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
