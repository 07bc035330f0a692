"""What hangs is shown with its input, be it Python or native code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz import harness
from hypothesis import strategies as st

HANGS = """\
import itertools
from fuzz import harness
from hypothesis import strategies as st

harness.LONGEST_SEC, harness.INPUTS = 0.2, harness.Path({folder!r})

@harness.fuzz(st.just("what hangs"))
def test(text: str) -> None:
    sum(itertools.repeat(0))  # which no signal ends

with harness.watching("test", 2):
    test()
"""


def test_an_input_that_python_hangs_at_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(harness, "LONGEST_SEC", 0.2)
    monkeypatch.setattr(harness, "KEPT", tmp_path)

    @harness.fuzz(st.just("what hangs"))
    def hangs(text: str) -> None:
        while text:
            pass

    with pytest.raises(pytest.fail.Exception, match=r"no end after 0\.2 s") as failure:
        hangs()
    assert "text='what hangs'" in str(failure.value.__notes__)
    assert signal.getitimer(signal.ITIMER_REAL) == signal.getitimer(signal.ITIMER_PROF) == (0, 0)


def test_an_input_that_native_code_hangs_at_ends_the_process_and_is_kept(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGS.format(folder=str(tmp_path))],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGPROF
    assert 'File "<string>", line 9 in test' in done.stderr
    [kept] = tmp_path.iterdir()
    assert "what hangs" in kept.read_text()
