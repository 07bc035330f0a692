"""Files that would end this process, or hold it up, end another one."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_autoexp.masking import elsewhere as module
from pytest_autoexp.masking.elsewhere import UnparseableError, elsewhere
from pytest_autoexp.masking.graft import graft, graft_elsewhere
from pytest_autoexp.masking.source import MaskingError, decode
from pytest_autoexp.model.errors import InfrastructureError

MASKED = b'def f(x):\n    """What."""\n    raise NotImplementedError\n'
WORKING = b'def f(x):\n    """What."""\n    return x\n'
BOMB = "    match x:\n        case " + "[" * 40 + "1" + "]" * 40 + ":\n            pass\n"

HARMLESS = {
    "broken": "def f(:\n",
    "NUL": "x = 1\0\n",
    "newer syntax": "def g[T](x: T): pass\n",
    "long": "x = [\n" + "  1,\n" * 1_000 + "]\n",
    "brackets": "x = " + "(" * 150 + ")" * 150 + "\n",
    "patterns": "match a:\n" + "    case {1: [b, (c, d)]}:\n        pass\n" * 100,
}
DEEP = {
    "open": "x = " + "(" * 20_000,
    "lists": "x = " + "[" * 20_000 + "]" * 20_000,
    "signs": "x = " + "-" * 20_000 + "1",
    "attributes": "x = a" + ".a" * 20_000,
    "operands": "x = a" + " and a" * 20_000,
    "elif": "if a: b\n" + "elif a: b\n" * 10_000,
    "import": "import a" + ".a" * 20_000,
    "from": "from a" + ".a" * 20_000 + " import b",
    "lambdas": "x = " + "lambda: " * 20_000 + "1",
    "calls": "x = a" + "()" * 20_000,
    "powers": "x = " + "1 ** " * 20_000 + "1",
    "blocks": "".join(" " * i + "if a:\n" for i in range(900)) + " " * 900 + "b\n",
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_harmless_text_gives_what_it_gives_here(text):
    for agent in (WORKING + text.encode(), text.encode()):
        assert graft_elsewhere(MASKED, agent, ["f"]) == graft(MASKED, agent, ["f"])


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_text_that_is_nested_too_deeply_is_dropped(text):
    grafted = graft_elsewhere(MASKED, WORKING + text.encode() + b"\n", ["f"])
    assert grafted.source in (MASKED, WORKING)
    assert grafted.dropped
    assert graft_elsewhere(MASKED, WORKING, ["f"]).source == WORKING, "and the next one counts"


def test_text_that_takes_too_long(monkeypatch):
    monkeypatch.setattr(module, "MAX_CPU_SEC", 1)
    agent = WORKING.replace(b"    return x\n", BOMB.encode())
    grafted = graft_elsewhere(MASKED, agent, ["f"])
    assert grafted.source == MASKED
    assert grafted.dropped == ("the file takes more than 30 s to parse; f stays masked",)


def test_text_that_takes_too_much_memory(monkeypatch):
    monkeypatch.setattr(module, "MEMORY_BYTES", 256 * 1024**2)
    calls = "a(" * 100 + ")" * 100 + "\n"
    grafted = graft_elsewhere(MASKED, WORKING + calls.encode() * 100, ["f"])
    assert grafted.source == MASKED
    assert "or takes too much memory; f stays masked" in grafted.dropped[0]
    assert graft_elsewhere(MASKED, WORKING, ["f"]).source == WORKING


def test_what_a_sitecustomize_prints_is_no_answer(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("print('hello')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code = "from pytest_autoexp.masking.elsewhere import elsewhere; print(elsewhere(len, 'abc'))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "hello\n3\n"


def test_it_is_the_same_package_that_is_called(tmp_path):
    """Of two that are there, that of the caller, however that one found it."""
    root = Path(module.__file__).parents[2]
    (tmp_path / "pytest_autoexp").symlink_to(root / "pytest_autoexp")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from pytest_autoexp.masking.elsewhere import elsewhere, serve\n"
        "import inspect; print(elsewhere(inspect.getsourcefile, serve))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(tmp_path))


def test_process_that_does_not_start_is_our_error(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('no start')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(InfrastructureError, match=r"(?s)ended with status 1\n.*no start"):
        module._Parser().call(pickle.dumps((len, ("abc",), {})))


def test_errors_of_the_function_come_back():
    with pytest.raises(MaskingError, match="unknown encoding"):
        elsewhere(decode, b"# coding: none-such\n")
    with pytest.raises(RuntimeError, match="TypeError: unsupported operand"):
        elsewhere(sum, ["no number"])


def test_crash_is_told_from_a_kill():
    with pytest.raises(UnparseableError, match="nested too deeply"):
        elsewhere(signal.raise_signal, signal.SIGSEGV)
    with pytest.raises(InfrastructureError, match="status -9: was it killed"):
        elsewhere(signal.raise_signal, signal.SIGKILL)


def test_process_that_was_killed_while_it_was_idle_is_replaced():
    first = elsewhere(os.getpid)
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert elsewhere(os.getpid) not in (first, os.getpid())


def test_interrupted_call_gives_its_answer_to_nobody():
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            elsewhere(time.sleep, 600)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert elsewhere(os.getppid) == os.getpid()


def test_process_ends_with_the_one_that_started_it():
    code = (
        "import os; from pytest_autoexp.masking.elsewhere import elsewhere;"
        "print(elsewhere(os.getpid), flush=True);"
    )
    for end in ("", "os.kill(os.getpid(), 9)"):
        command = [sys.executable, "-c", code + end]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        deadline = time.monotonic() + 30
        while Path(f"/proc/{int(done.stdout)}").exists():
            assert time.monotonic() < deadline, "it still runs"
            time.sleep(0.02)
