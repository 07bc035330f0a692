"""Trials whose agent asks a model, through the gateway, in every sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from provider import KEY, Reply, ScriptedProvider, chat, scripted

from pytest_autoexp.sandbox.host.local import bubblewrap_problem

# Asks for the body of `mean` and writes down what the model says.
AGENT = """
name: asker
models: true
transcript: transcript.txt
command: |
  env > transcript.txt
  python3 - <<'E'
  import json, os, urllib.request
  body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "mean?"}]})
  asked = urllib.request.Request(
      os.environ["OPENAI_BASE_URL"] + "/chat/completions",
      data=body.encode(),
      headers={"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]},
  )
  for _ in range(CALLS):
      answer = json.load(urllib.request.urlopen(asked))["choices"][0]["message"]["content"]
  path = "code/toystats/moments.py"
  text = open(path).read().replace("    raise NotImplementedError", "    " + answer, 1)
  open(path, "w").write(text)
  print("done")
  E
"""
NO_BUBBLEWRAP = pytest.mark.skipif(bubblewrap_problem() is not None, reason="no bubblewrap")
SANDBOXES = [
    "none",
    pytest.param("local", marks=NO_BUBBLEWRAP),
    pytest.param("docker", marks=pytest.mark.docker),
]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedProvider]:
    with scripted() as made:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{made.url}/v1")
        made.replies = [chat("return sum(values) / len(values)")]
        yield made


@pytest.fixture
def run(
    pytester: pytest.Pytester, project: Path, request: pytest.FixtureRequest
) -> Callable[..., pytest.RunResult]:
    """Run the agent on the case that masks `mean` alone."""

    def started(sandbox: str, *args: str, calls: int = 1, agent: str = AGENT) -> pytest.RunResult:
        (project / "asker.yaml").write_text(agent.replace("CALLS", str(calls)))
        (project / "conftest.py").write_text(ONLY_MEAN)
        if sandbox == "docker":
            args = (*args, "-o", f"autoexp_base_image={request.getfixturevalue('base_image')}")
        return pytester.runpytest_subprocess(
            *("--agent=asker.yaml", f"--sandbox={sandbox}", "--seeds=all", *args),
            *("--junitxml=out.xml", "-p", "no:cacheprovider"),
        )

    return started


ONLY_MEAN = """
def pytest_collection_modifyitems(items):
    mean = "toystats/moments.py::mean"
    items[:] = [i for i in items if i.callspec.params["case"].masked == (mean,)]
"""


def artifact(project: Path, name: str) -> str:
    [file] = (project / "autoexp-results" / "artifacts").glob(f"*/*/{name}")
    return file.read_text()


@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_an_agent_that_asks_a_model_passes_and_the_key_is_nowhere(
    provider: ScriptedProvider,
    run: Callable[..., pytest.RunResult],
    project: Path,
    results: Callable[[], list[dict[str, Any]]],
    sandbox: str,
    workers: str,
) -> None:
    run(sandbox, workers).assert_outcomes(passed=1)
    assert provider.asked[0].headers["Authorization"] == f"Bearer {KEY}"
    [line] = results()
    assert (line["steps"], line["tokens_in"], line["tokens_out"]) == (1, 1000, 100)
    assert line["cost_usd"] == pytest.approx(0.0035)
    lines = list(map(json.loads, artifact(project, "trajectory.jsonl").splitlines()))
    assert [(line["kind"], line["step"]) for line in lines if line["kind"] != "read"] == [
        ("command", 0),
        ("model", 1),
        ("end", 1),
    ]
    [_, call, *_, end] = lines
    assert (end["content"], end["steps"], end["tokens_in"]) == ("completed", 1, 1000)
    assert call["content"] == "return sum(values) / len(values)"
    assert "OPENAI_BASE_URL=http://127.0.0.1:" in artifact(project, "transcript.txt")
    kept = [path for path in (project / "autoexp-results").rglob("*") if path.is_file()]
    assert len(kept) > 5
    for path in (*kept, project / "out.xml"):
        assert KEY.encode() not in path.read_bytes(), path


# Looks for the gateway, then leaves a body that does the same at the same addresses: what is
# found is what answers to this trial's token, for other runs may have gateways beside.
PROBER = r"""
name: prober
models: true
command: |
  cat > probe.py <<'E'
  import os, socket
  asked = b"GET /x/y HTTP/1.0\r\nAuthorization: Bearer TOKEN\r\n\r\n"
  reached = []
  for address in ADDRESSES:
      kind = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
      with socket.socket(kind) as sock:
          sock.settimeout(10)
          try:
              sock.connect(address)
              sock.sendall(asked)
              if b"does not pass on" in b"".join(iter(lambda: sock.recv(4096), b"")):
                  reached.append(address)
          except OSError:
              pass
  print("reached", reached)
  print("told of", sorted(n for n in os.environ if n.endswith(("_API_KEY", "_BASE_URL"))))
  E
  python3 - <<'E'
  import glob, os, textwrap, urllib.parse
  port = urllib.parse.urlsplit(os.environ["OPENAI_BASE_URL"]).port
  private = os.path.dirname(os.path.dirname(os.environ["TMPDIR"]))
  addresses = [("127.0.0.1", port), "/run/models", *glob.glob(private + "/*/socket")]
  probe = open("probe.py").read().replace("ADDRESSES", repr(addresses))
  probe = probe.replace("TOKEN", os.environ["OPENAI_API_KEY"])
  exec(probe)
  path = "code/toystats/moments.py"
  body = textwrap.indent(probe + "return 1.0", "    ")
  text = open(path).read().replace("    raise NotImplementedError", body, 1)
  open(path, "w").write(text)
  E
"""


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_the_model_is_out_of_reach_while_the_work_is_verified(
    provider: ScriptedProvider,
    run: Callable[..., pytest.RunResult],
    project: Path,
    results: Callable[[], list[dict[str, Any]]],
    sandbox: str,
) -> None:
    run(sandbox, agent=PROBER).assert_outcomes(failed=1)
    reached, told_of = artifact(project, "agent.stdout.log").splitlines()
    assert reached.startswith("reached [('127.0.0.1', ")
    assert {"none": "/socket'", "local": "'/run/models'", "docker": ")"}[sandbox] + "]" in reached
    assert "OPENAI_API_KEY" in told_of
    [line] = results()
    for experiment in line["experiments"]:
        assert experiment["exit_code"] == 0
        printed = artifact(project, f"experiments/{experiment['name']}.stdout.log")
        assert printed.splitlines()[:2] == ["reached []", "told of []"]
    assert provider.asked == []


def test_past_a_limit_the_trial_says_so_and_the_work_is_verified(
    provider: ScriptedProvider,
    run: Callable[..., pytest.RunResult],
    results: Callable[[], list[dict[str, Any]]],
) -> None:
    run("none", "-o", "autoexp_cost_limit_usd=0.003", calls=2).assert_outcomes(failed=1)
    [line] = results()
    assert line["exit_status"] == "limit: cost"
    assert line["cost_usd"] == pytest.approx(0.0035)


def test_a_provider_that_is_down_is_an_error_and_not_counted(
    provider: ScriptedProvider,
    run: Callable[..., pytest.RunResult],
    project: Path,
    results: Callable[[], list[dict[str, Any]]],
) -> None:
    provider.replies = [Reply({"error": f"wrong key {KEY}"}, 401)]
    done = run("none")
    done.assert_outcomes(errors=1)
    [line] = results()
    assert line["outcome"] == "error"
    assert "the model's provider failed the agent: status 401" in line["reason"]
    assert KEY not in line["reason"] + done.stdout.str()
    kept = list(map(json.loads, artifact(project, "trajectory.jsonl").splitlines()))
    [call] = [entry for entry in kept if entry["kind"] == "model"]
    assert call["problem"] == 'status 401: {"error": "wrong key [key]"}'
    assert kept[-1]["kind"] != "end"


def test_an_agent_that_needs_no_model_has_no_gateway(
    provider: ScriptedProvider, pytester: pytest.Pytester, project: Path
) -> None:
    (project / "plain.yaml").write_text("command: env; echo $OPENAI_BASE_URL | wc -c\n")
    args = ("--agent=plain.yaml", "-p", "no:cacheprovider")
    pytester.runpytest_subprocess(*args).assert_outcomes(failed=1)
    assert "API_KEY" not in artifact(project, "agent.stdout.log")
    everyone = ("-o", "autoexp_models=true", "--results=other")
    pytester.runpytest_subprocess(*args, *everyone).assert_outcomes(failed=1)
    [file] = (project / "other").rglob("agent.stdout.log")
    assert "ANTHROPIC_API_KEY=autoexp-" in file.read_text()


PYTHON_AGENT = """
import openai

class Asker:
    models = True

    def run(self, trial, sandbox):
        variables = sandbox.environment
        url, key = variables["OPENAI_BASE_URL"], variables["OPENAI_API_KEY"]
        with openai.OpenAI(base_url=url, api_key=key) as client:
            messages = [{"role": "user", "content": "mean?"}]
            client.chat.completions.create(model="gpt-4o", messages=messages)
"""


def test_a_python_agent_finds_the_gateway_in_the_sandboxes_environment(
    provider: ScriptedProvider,
    pytester: pytest.Pytester,
    project: Path,
    results: Callable[[], list[dict[str, Any]]],
) -> None:
    (project / "my_agents.py").write_text(PYTHON_AGENT)
    done = pytester.runpytest_subprocess("--agent=my_agents:Asker", "-p", "no:cacheprovider")
    done.assert_outcomes(failed=1)
    assert results()[0]["tokens_in"] == 1000


@pytest.mark.parametrize("prices", ["gpt", "gpt=1", "gpt=a/b", "gpt=1/2/3", "=1/2", "gpt=1./.2."])
def test_prices_that_cannot_be_read_are_named(
    pytester: pytest.Pytester, project: Path, prices: str
) -> None:
    done = pytester.runpytest_subprocess("--agent=noop", "-o", f"autoexp_prices={prices}")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(f"ERROR: ini autoexp_prices: found {prices}; allowed: MODEL=IN/OUT*")
