"""Trials whose agent has a network: what it reaches, what is kept, and who is refused at start."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from webservers import serving

AGENT = """
from pathlib import Path

ASK = '''
import urllib.error, urllib.request
for url in {urls!r}:
    try:
        print(urllib.request.urlopen(url, timeout=20).read().decode())
    except urllib.error.HTTPError as error:
        print(error.code)
    except OSError as error:
        print(error)
'''

def asks(trial, sandbox):
    from pytest_autoexp.model.result import AgentResult

    urls = Path("urls").read_text().split()
    ask = ASK.format(urls=urls)
    found = sandbox.run(f"python3 - <<'E'\\n{ask}\\nE", time_limit_sec=60)
    # Its code asks again when it is verified, and says what it got in the experiment's output.
    body = "    import os\\n    print(sorted(n for n in os.environ if 'PROXY' in n.upper()))\\n"
    body += "".join(f"    {line}\\n" for line in ask.splitlines())
    path = "code/toystats/moments.py"
    text = sandbox.read(path, 100_000).decode()
    text = text.replace("    raise NotImplementedError\\n", body + "    return 1.0\\n")
    sandbox.run(f"cat > {path} <<'END'\\n{text}END\\n", time_limit_sec=30)
    return AgentResult(stdout=found.stdout + found.stderr)
"""


@pytest.fixture(scope="module")
def web() -> Iterator[int]:
    with serving() as port:
        yield port


def artifacts(project: Path) -> Path:
    [folder] = (project / "autoexp-results" / "artifacts").glob("*/*")
    return folder


@pytest.mark.docker
@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_the_agent_reaches_what_is_listed_and_verification_nothing(
    workers: str,
    pytester: pytest.Pytester,
    project: Path,
    base_image: str,
    web: int,
    results: Callable[[], list[dict[str, Any]]],
) -> None:
    (project / "my_agents.py").write_text(AGENT)
    (project / "urls").write_text(f"http://localhost:{web}/x http://a.example/ http://a.example/")
    run = pytester.runpytest_subprocess(
        *("--agent=my_agents:asks", "--sandbox=docker", workers),
        *("-o", f"autoexp_network=localhost:{web}, *.Example.org"),
        *("-o", f"autoexp_base_image={base_image}"),
    )
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(
        f"autoexp: network of agents: localhost:{web}, [*].example.org (all else is refused)"
    )
    [line] = results()
    assert line["trial"]["network"] == [f"localhost:{web}", "*.example.org"]
    kept = artifacts(project)
    assert (kept / "agent.stdout.log").read_text().splitlines() == [
        f"{web} /x localhost:{web}",
        "403",
        "403",
    ]
    [refused] = [json.loads(line) for line in (kept / "network.jsonl").read_text().splitlines()]
    first_sec = refused.pop("first_sec")
    assert refused == {"host": "a.example", "port": 80, "method": "GET", "count": 2}
    assert 0 < first_sec < 60
    for log in (kept / "experiments").glob("*.stdout.log"):
        text = log.read_text()
        assert text.startswith("[]\n")
        assert str(web) not in text
        assert "403" not in text


@pytest.mark.docker
def test_without_a_list_nothing_is_said_or_kept(
    pytester: pytest.Pytester, project: Path, base_image: str, web: int
) -> None:
    (project / "my_agents.py").write_text(AGENT)
    (project / "urls").write_text(f"http://localhost:{web}/x")
    run = pytester.runpytest_subprocess(
        *("--agent=my_agents:asks", "--sandbox=docker"),
        *("-o", f"autoexp_base_image={base_image}"),
    )
    run.assert_outcomes(failed=1)
    run.stdout.no_fnmatch_line("*network of agents*")
    kept = artifacts(project)
    assert not (kept / "network.jsonl").exists()
    assert "refused" in (kept / "agent.stdout.log").read_text()  # the connection, by nobody there


@pytest.mark.parametrize(
    ("kind", "why"), [("local", "this sandbox has no network"), ("none", "restricts nothing")]
)
def test_a_sandbox_that_cannot_keep_the_promise_is_refused(
    pytester: pytest.Pytester, project: Path, kind: str, why: str
) -> None:
    if kind == "local" and os.system("command -v bwrap >/dev/null") != 0:
        pytest.skip("no bubblewrap here")
    run = pytester.runpytest("--agent=noop", f"--sandbox={kind}", "-o", "autoexp_network=a.example")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(
        f"ERROR: ini autoexp_network = a.example with --sandbox={kind}: *{why}*; use"
        " --sandbox=docker"
    )


def test_a_bad_entry_ends_the_run_before_anything_is_collected(
    pytester: pytest.Pytester, project: Path
) -> None:
    run = pytester.runpytest("--agent=noop", "-o", "autoexp_network=https://a.example/x")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(
        "ERROR: ini autoexp_network: https://a.example/x: give the host only: a.example; allowed: *"
    )


def test_a_sandbox_of_the_users_own_is_told_the_hosts_for_the_agent_only(
    pytester: pytest.Pytester, project: Path, results: Callable[[], list[dict[str, Any]]]
) -> None:
    pytester.makeconftest("""
        from pathlib import Path
        from pytest_autoexp.sandbox.host.none import NoneSandbox
        from pytest_autoexp.sandbox.host.requirements import python_for

        def pytest_autoexp_make_sandbox(kind, trial):
            with Path("told").open("a") as file:
                file.write(f"{trial.network}\\n")
            return NoneSandbox(python_for((), print)) if kind == "mine" else None

        def pytest_autoexp_run_agent(agent, trial, sandbox):
            Path("instructions").write_bytes(sandbox.read("instructions.md", 100_000))
    """)
    run = pytester.runpytest_subprocess(
        "--agent=noop", "--sandbox=mine", "-o", "autoexp_network=a.example"
    )
    run.assert_outcomes(failed=1)
    assert (project / "told").read_text() == "('a.example',)\n()\n"
    text = (project / "instructions").read_text()
    assert "## Network\n\nOnly these hosts can be reached" in text
    assert "`HTTP_PROXY` names: `a.example`." in text
