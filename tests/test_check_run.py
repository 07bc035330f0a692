"""``--autoexp-check``, ``--autoexp-record`` and qualification, as users run them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

MOMENTS = "toystats/moments.py"
ONE = ("-m", "autoexp(n=1)")
SHARP = "-oautoexp_tolerance=0.001"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is qualified yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def task(project: Path) -> Path:
    return project / "tasks" / "toy"


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def check(project: Path) -> dict[str, Any]:
    [summary] = json.loads((project / "autoexp-results" / "check.json").read_text())
    assert isinstance(summary, dict)
    return summary


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *args)


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_good_task_passes_every_check(
    pytester: pytest.Pytester, project: Path, task: Path, workers: str
) -> None:
    (task / "mistakes.yaml").write_text(
        f"- target: {MOMENTS}::mean\n"
        "  name: divides by one less\n"
        "  replace: len(values)\n"
        "  with: (len(values) - 1)\n"
    )
    (task / "alternatives").mkdir()
    (task / "alternatives" / "library.py").write_text(
        f'"""{MOMENTS}::mean: by the standard library"""\n'
        "import statistics\n\n\n"
        "def mean(values):\n"
        "    return statistics.fmean(values)\n"
    )
    done = run(pytester, "--autoexp-check", SHARP, workers)
    done.assert_outcomes(passed=10)
    assert done.ret == pytest.ExitCode.OK
    done.stdout.re_match_lines(
        [
            r"task +gold +needed",
            r"toy +ok +3/3 .* 1/1 100% +ok +ok",
        ]
    )
    assert check(project)["shortcomings"] == []


@pytest.mark.parametrize(
    ("file", "old", "new", "failing", "says"),
    [
        ("task.yaml", "mean: 0.4316", "mean: 0.5316", "test_gold", "expected 0.53"),
        ("paper.md", "\n", "\nThe mean is 0.4317.\n", "test_sealed", "0.4317"),
        (
            "code/toystats/smooth.py",
            "def step",
            "def copy(self, value):\n        return value\n\n    def step",
            None,
            "",
        ),
    ],
    ids=["gold", "sealed", "harmless"],
)
def test_what_falls_short_fails(
    pytester: pytest.Pytester,
    task: Path,
    file: str,
    old: str,
    new: str,
    failing: str | None,
    says: str,
) -> None:
    path = task / file
    path.write_text(path.read_text().replace(old, new, 1))
    done = run(pytester, "--autoexp-check", "-k", "gold or sealed")
    if failing is None:
        assert done.ret == pytest.ExitCode.OK
        return
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines([f"*{says}*", f"FAILED *::{failing}*"])


def test_an_experiment_that_leaves_a_function_out_of_its_depends_is_named(
    pytester: pytest.Pytester, task: Path
) -> None:
    text = (task / "task.yaml").read_text()
    data = yaml.safe_load(text)
    first = data["experiments"][0]
    left_out = first.get("depends", [f["target"] for f in data["functions"]])[0]
    first["depends"] = [f["target"] for f in data["functions"] if f["target"] != left_out]
    (task / "task.yaml").write_text(yaml.safe_dump(data))
    done = run(pytester, "--autoexp-check", "-k", "needed")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(
        [f"*{left_out}: {first['name']} does not list it in depends, but * moves"]
    )


def test_wrong_versions_that_survive_fail_the_run_and_are_shown(
    pytester: pytest.Pytester, project: Path, task: Path
) -> None:
    edit(task / "task.yaml", "functions:", "# loose\nfunctions:")
    text = (task / "task.yaml").read_text()
    data = yaml.safe_load(text)
    for experiment in data["experiments"]:
        experiment["metrics"] = {
            name: {"value": value, "atol": 1000} for name, value in experiment["metrics"].items()
        }
    (task / "task.yaml").write_text(yaml.safe_dump(data))
    done = run(pytester, "--autoexp-check", "-k", "sharp")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["FALLS SHORT toy: * of * mutants are caught*"])
    assert "--- " in (project / "autoexp-results" / "survivors.diff").read_text()


def test_what_is_found_is_kept_on_demand(
    pytester: pytest.Pytester, project: Path, task: Path
) -> None:
    done = run(pytester, "--autoexp-check", SHARP, "-oautoexp_keep_checks=true")
    assert done.ret == pytest.ExitCode.OK
    kept = json.loads((task / "checked.json").read_text())
    assert kept["problems"] == []
    readme = (project / "tasks" / "README.md").read_text()
    assert f"| {kept['mutants'][0]}/{kept['mutants'][1]} |" in readme
    changed = ("--autoexp-check", "-oautoexp_check_changed=true", "-k", "gold")
    nothing = run(pytester, *changed)
    assert nothing.ret == pytest.ExitCode.OK
    nothing.assert_outcomes()
    nothing.stdout.fnmatch_lines(["autoexp: no task has changed since its check was kept"])
    (task / "equivalent.yaml").write_text("[]\n")
    run(pytester, *changed, "-n2").assert_outcomes(passed=1)
    edit(task / "task.yaml", "title:", "field: statistics\ntitle:")
    done = run(pytester, "--autoexp-check", "-oautoexp_keep_checks=true", "-k", "gold")
    readme = (project / "tasks" / "README.md").read_text()
    assert "| statistics |" in readme
    assert "not checked" in readme, "the task has changed since, and not all was checked again"


def test_a_broken_task_beside_keeps_nothing_from_being_kept(
    pytester: pytest.Pytester, project: Path, task: Path
) -> None:
    broken = project / "tasks" / "broken" / "task.yaml"
    broken.parent.mkdir()
    broken.write_text("schema: 1\n")
    keep = ("--autoexp-check", SHARP, "-oautoexp_keep_checks=true")
    done = run(pytester, *keep, "tasks/toy")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines("autoexp: not all was kept: *tasks/broken/task.yaml:1: id: missing*")
    assert json.loads((task / "checked.json").read_text())["problems"] == []


def test_metrics_are_recorded_where_it_says_auto(pytester: pytest.Pytester, task: Path) -> None:
    file = task / "task.yaml"
    before = yaml.safe_load(file.read_text())
    lines = file.read_text().splitlines(keepends=True)
    index = next(i for i, line in enumerate(lines) if line.lstrip().startswith("metrics:"))
    lines[index] = lines[index].split("metrics:")[0] + "metrics: auto\n"
    file.write_text("".join(lines))
    refused = run(pytester, "--agent=oracle")
    refused.stdout.fnmatch_lines(["*auto: not recorded yet; run pytest --autoexp-record*"])
    done = run(pytester, "--autoexp-record")
    assert done.ret == pytest.ExitCode.OK
    after = yaml.safe_load(file.read_text())
    for old, new in zip(before["experiments"], after["experiments"], strict=True):
        for name, value in old["metrics"].items():
            assert new["metrics"][name] == pytest.approx(value, rel=1e-5)


def test_one_thing_at_a_time(pytester: pytest.Pytester, project: Path) -> None:
    done = run(pytester, "--autoexp-check", "--agent=oracle")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*--agent and --autoexp-check: give one of them at a time*"])


class TestQualification:
    """Agents are judged only by tasks that give their own numbers here."""

    @pytest.fixture(autouse=True)
    def agent(self, project: Path, task: Path) -> None:
        (project / "my_agents.py").write_text("def idle(trial, sandbox):\n    pass\n")

    def test_a_task_that_misses_its_numbers_is_an_error(
        self,
        pytester: pytest.Pytester,
        task: Path,
        results: Callable[[], list[dict[str, Any]]],
    ) -> None:
        edit(task / "task.yaml", "mean: 0.4316", "mean: 0.5316")
        done = run(pytester, "--agent=my_agents:idle", "--attempts=2", *ONE)
        done.assert_outcomes(errors=2)
        done.stdout.fnmatch_lines(
            [
                "*task toy does not give its own numbers on this machine*",
                "moments: other numbers",
                "  mean: expected 0.53*, measured 0.43*",
                "*(not tried again in this run)",
            ]
        )
        assert [line["outcome"] for line in results()] == ["error", "error"]
        off = run(pytester, "--agent=my_agents:idle", "-oautoexp_qualify=false", *ONE)
        off.assert_outcomes(failed=1)

    def test_it_is_asked_once(self, pytester: pytest.Pytester, task: Path, project: Path) -> None:
        log = project / "log"
        main = task / "code" / "main.py"
        main.write_text(f"open({str(log)!r}, 'a').write('run ')\n" + main.read_text())
        run(pytester, "--agent=my_agents:idle", "--attempts=2", *ONE).assert_outcomes(failed=2)
        gold, trial = 3, 2  # experiments of the task, and those that depend on the function
        assert log.read_text().count("run") == gold + 2 * trial
        run(pytester, "--agent=my_agents:idle", *ONE).assert_outcomes(failed=1)
        assert log.read_text().count("run") == gold + 3 * trial
        main.write_text(main.read_text() + "\n# changed\n")
        run(pytester, "--agent=my_agents:idle", *ONE).assert_outcomes(failed=1)
        assert log.read_text().count("run") == 2 * gold + 4 * trial

    def test_built_in_agents_go_without(self, pytester: pytest.Pytester, task: Path) -> None:
        edit(task / "task.yaml", "mean: 0.4316", "mean: 0.5316")
        run(pytester, "--agent=oracle", *ONE).assert_outcomes(failed=1)
