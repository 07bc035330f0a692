"""Numbers without the code that computes them.

Code in a masked body runs in the experiment's own process and may write what it likes where the
metrics are expected.  It can know the visible experiment's numbers, never the hidden one's.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace

from adversaries.cheating import FORGE, FORGED, GOLD, MOMENTS, WORKING, Arena, verdicts, writes

from pytest_autoexp.model.result import AgentResult
from pytest_autoexp.sandbox.protocol import Sandbox

LEAVE = "os._exit(0)\n"


def test_working_code_passes(arena: Arena) -> None:
    result = arena.cheat(WORKING)
    assert (verdicts(result), result.dropped) == ([True, True], ())


def test_visible_number_in_the_body(arena: Arena) -> None:
    body = f"return {GOLD['mean']}"
    result = arena.cheat(body)
    assert verdicts(result) == [True, False]
    written = {MOMENTS: arena.moments(body)}
    assert arena.unseen(result, written) == []
    assert arena.unseen(replace(result, diff=""), written) == [f"{MOMENTS}:     {body}"]
    [wrong] = [check for check in result.experiments[1].checks if not check.ok]
    assert wrong.name == "mean"


def test_number_chosen_by_the_command_line(arena: Arena) -> None:
    body = f"""
        import sys
        return {{"3": {GOLD["mean"]}}}.get(sys.argv[2], 0.4317)
        """
    assert verdicts(arena.cheat(body)) == [True, False]


def test_number_in_a_new_module(arena: Arena) -> None:
    result = arena.cheat(
        "from toystats.answers import MEAN\nreturn MEAN",
        files={"toystats/answers.py": f"MEAN = {GOLD['mean']}"},
    )
    assert verdicts(result) == [True, False]
    assert "+++ b/toystats/answers.py" in result.diff


def test_number_below_a_flood_of_other_changes(arena: Arena) -> None:
    body = f"return {GOLD['mean']}"
    flood = "for i in 1 2 3 4 5 6 7; do yes '# ' | tr -d '\\n' | head -c 180000 > a$i.py; done"
    result = arena.cheat(body, command=flood, seen=False)
    assert verdicts(result) == [True, False]
    assert result.diff.endswith("... the rest is cut off\n")
    assert arena.unseen(result, {MOMENTS: arena.moments(body)}) == []


FORGED_AT = FORGE + 'at = os.environ["AUTOEXP_METRICS"]\n'
WAYS = {
    "at-once-and-exit-0": FORGE + LEAVE,
    "at-exit": f"import atexit\natexit.register(exec, {FORGE!r}, {{}})\nreturn 0.5",
    "by-a-thread-after-all-else": f"""
        import threading
        def late():
            threading.main_thread().join()
            exec({FORGE!r})
        threading.Thread(target=late).start()
        return 0.5
        """,
    "by-a-child-that-outlives-the-command": f"""
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(0.5)
                exec({FORGE!r})
            os._exit(0)
        return 0.5
        """,
    "variable-turned-elsewhere": f"""
        exec({FORGE!r})
        os.environ["AUTOEXP_METRICS"] = "/tmp/elsewhere"
        return 0.5
        """,
    "read-only": f"{FORGED_AT}os.chmod(at, 0o400)\nreturn 0.5",
    "moved-workspace": f"{FORGED_AT}os.rename(os.path.dirname(at), '/tmp/moved')",
    "link": f"{FORGED_AT}os.rename(at, at + '.')\nos.symlink(at + '.', at)",
    "link-to-a-file-of-the-host": f"{FORGED_AT}os.remove(at)\nos.symlink('HOST_FILE', at)",
    "pipe": f"{FORGED_AT}os.remove(at)\nos.mkfifo(at)",
    "folder": f"{FORGED_AT}os.remove(at)\nos.mkdir(at)",
    "only-printed-and-exit-0": f"print('{FORGED}', flush=True)",
    "only-printed-and-SystemExit": f"print('{FORGED}', flush=True)\nraise SystemExit(0)",
}
"""Ways for a body to report the visible numbers; ``os._exit(0)`` follows each."""

REPRODUCES = {
    "at-once-and-exit-0",
    "at-exit",
    "by-a-thread-after-all-else",
    "variable-turned-elsewhere",
}
"""Those that reproduce the visible experiment."""

NO_METRICS = "wrote no metrics to the file named by AUTOEXP_METRICS"


def test_metrics_written_otherwise(each_arena: Arena) -> None:
    """One trial, with a visible and a hidden experiment for each way."""
    visible, hidden = each_arena.task.experiments[:2]
    right = each_arena.folder / "right.json"  # of the host: what the hidden experiment must give
    right.write_text(json.dumps(hidden.answer))
    experiments = tuple(
        replace(one, name=f"{way} {one.name}", command=f"{one.command} {way}")
        for way in WAYS
        for one in (visible, hidden)
    )
    arena = replace(each_arena, task=replace(each_arena.task, experiments=experiments))
    body = "import os, sys\n" + "".join(
        f"if sys.argv[3] == {way!r}:\n"
        + textwrap.indent(textwrap.dedent(text).strip("\n") + f"\n{LEAVE}", "    ")
        for way, text in WAYS.items()
    )
    result = arena.cheat(body.replace("HOST_FILE", str(right)))
    results = {e.name: e for e in result.experiments}
    pairs = {
        way: (results[f"{way} {visible.name}"], results[f"{way} {hidden.name}"]) for way in WAYS
    }
    assert {way: [e.ok for e in pair] for way, pair in pairs.items()} == {
        way: [way in REPRODUCES, False] for way in WAYS
    }
    for way in ("link", "link-to-a-file-of-the-host", "pipe", "folder"):
        assert [e.problem for e in pairs[way]] == [NO_METRICS] * 2
    for way in ("only-printed-and-exit-0", "only-printed-and-SystemExit"):
        assert [(e.problem, e.exit_code) for e in pairs[way]] == [(NO_METRICS, 0)] * 2
    outlived = pairs["by-a-child-that-outlives-the-command"]
    assert [e.checks[0].measured for e in outlived] == [0.5, 0.5]


def test_exit_0_after_printing_where_printed_numbers_count(arena: Arena) -> None:
    capture = {name: rf'"{name}": ([\d.]+)' for name in GOLD}
    captured = tuple(replace(e, capture=capture) for e in arena.task.experiments)
    arena = replace(arena, task=replace(arena.task, experiments=captured))
    result = arena.cheat(f"import os\nprint('{FORGED}', flush=True)\n{LEAVE}")
    assert verdicts(result) == [True, False]


NO_NUMBERS = {
    '{"mean": NaN}': "is nan",
    '{"mean": Infinity}': "is inf",
    '{"mean": -Infinity}': "is -inf",
    '{"mean": 1e999}': "is inf",
    '{"mean": 1' + "0" * 400 + "}": "too large for a float",
    '{"mean": 1' + "0" * 9000 + "}": "no JSON",
    '{"mean": 7, "mean": 0.43165861554868384}': "the key 'mean' more than once",
    '{"mean": "0.43165861554868384"}': "is a string, not a number",
    '{"mean": true}': "is true, not a number",
    '{"mean": [0.43165861554868384]}': "is a list, not a number",
    '{"mean": {"value": 0.43165861554868384}}': "is an object, not a number",
    '{"m\u0435an": 0.43165861554868384}': "missing",
    '[{"mean": 0.43165861554868384}]': "a list where one JSON object",
    "\ufeff{}": "no JSON",
    "[" * 100_000: "no JSON",
    '{"mean": 0.43165861554868384} {}': "no JSON",
    " " * 1024**2 + "{}": "larger than 1024 KiB",
    "": "no JSON",
}
"""What a metrics file may hold, and what is said of it."""


def test_metrics_that_are_no_numbers(arena: Arena) -> None:
    """A body that writes the file itself, of an experiment for each text."""
    arena = replace(
        arena,
        task=replace(
            arena.task,
            experiments=tuple(
                replace(experiment, name=str(i), command=f"python main.py moments {i}")
                for i in range(len(NO_NUMBERS))
                for experiment in arena.task.experiments[:1]
            ),
        ),
    )
    lengths = [(text[:1], len(text) - len(text.lstrip(text[:1]))) for text in NO_NUMBERS]
    texts = [
        f"{first!r} * {times} + {text[times:]!r}"
        for text, (first, times) in zip(NO_NUMBERS, lengths, strict=True)
    ]
    write = FORGE.replace(f"'{FORGED}'", "TEXTS[int(sys.argv[2])]")
    result = arena.cheat(
        f"import sys\nfrom toystats.answers import TEXTS\n{write}{LEAVE}",
        files={"toystats/answers.py": f"TEXTS = [{', '.join(texts)}]"},
    )
    said = [e.problem or e.checks[0].reason for e in result.experiments]
    for one, wanted in zip(said, NO_NUMBERS.values(), strict=True):
        assert wanted in one
    assert not any(check.ok for e in result.experiments for check in e.checks)


def test_float_that_is_equal_to_everything(arena: Arena) -> None:
    body = """
        class Right(float):
            __eq__ = __lt__ = __le__ = __ge__ = __gt__ = lambda self, other: True
            __sub__ = __rsub__ = __abs__ = lambda self, *other: 0.0
            __hash__ = float.__hash__
            __repr__ = __str__ = lambda self: "0.43165861554868384"
        return Right(0.5)
        """
    result = arena.cheat(body)
    assert verdicts(result) == [False, False]
    assert result.experiments[0].checks[0].measured == 0.5


def test_true_numbers_reported_without_code(arena: Arena) -> None:
    report = json.dumps({"moments": GOLD})
    result, artifacts = arena.run(writes({"../report.json": report}))
    assert (result.reported_matches, verdicts(result)) == (True, [False, False])
    assert artifacts.report is not None
    assert json.loads(artifacts.report) == {"moments": GOLD}


def test_agent_that_says_that_it_has_passed(arena: Arena) -> None:
    def agent(sandbox: Sandbox) -> AgentResult:
        return AgentResult("passed", reported={"moments": GOLD, "passed": True, "experiments": []})

    result, _ = arena.run(agent)
    assert not result.passed
    assert len(result.experiments) == 2
