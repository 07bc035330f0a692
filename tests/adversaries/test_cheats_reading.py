"""Looking for what is expected: nothing of it is where commands can look.

Secrets are planted where a careless sandbox would show them, then everything that a command can
read is searched for them.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from adversaries.cheating import GOLD, MEAN, Arena, verdicts
from provider import KEY, ScriptedProvider, scripted

from pytest_autoexp.gateway.gateway import Gateway
from pytest_autoexp.gateway.providers import Upstream
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.trial import Limits, Trial
from pytest_autoexp.sandbox.protocol import Sandbox
from pytest_autoexp.workspace import build_workspace

TOY = Path(__file__).parents[1] / "toy"
PLANTED = "planted-" + "a6f1d0"
SECRETS = {
    "a planted text": PLANTED,
    "an expected value": str(GOLD["mean"])[:10],
    "a hidden expected value": "0.39612958",
    "the name of a hidden experiment": "moments-reseeded",
    "the command of a hidden experiment": "moments 4",
    "a gold body": "total += value",
    "the key of a provider": KEY,
}


@dataclass(frozen=True)
class Host:
    """What the caller's machine has that no command may see.

    Attributes:
        tasks: The tasks folder.
        results: A results folder with a line and artifacts.
        port: Where a service listens, on every address.
        process: A process with a secret in its command line and environment.
        socket: A Unix socket in the place of an engine's.
        provider: Sells models, to whoever has :data:`KEY`, which is in the environment.
        gateways: What two trials reach models through: the one that looks, and another.
    """

    tasks: Path
    results: Path
    port: int
    process: int
    socket: Path
    provider: ScriptedProvider
    gateways: tuple[Gateway, Gateway]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("host")
    toy = folder / "tasks" / "toy"
    shutil.copytree(TOY, toy)
    (toy / "notes").write_text(PLANTED)
    results = folder / "autoexp-results"
    (results / "artifacts").mkdir(parents=True)
    line = {"experiments": [{"name": "moments-reseeded", "note": PLANTED}]}
    (results / "results.jsonl").write_text(json.dumps(line) + "\n")
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("OPENAI_API_KEY", KEY)
        provider = stack.enter_context(scripted())
        sold = {"openai": Upstream(f"{provider.url}/v1", KEY)}
        own, others = (stack.enter_context(Gateway(sold, Limits(), {})) for _ in range(2))
        service = stack.enter_context(socket.create_server(("0.0.0.0", 0)))
        engine = stack.enter_context(socket.socket(socket.AF_UNIX))
        engine.bind(str(folder / "docker.sock"))
        engine.listen()
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0{PLANTED}-{os.getpid()}")
        abstract.listen()
        process = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)", PLANTED],
            env={**os.environ, "SECRET": PLANTED},
            cwd=toy,
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        port = service.getsockname()[1]
        place = folder / "docker.sock"
        yield Host(toy.parent, results, port, process.pid, place, provider, (own, others))


@pytest.fixture(scope="module")
def workspace(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an agent gets."""
    task = load_task(host.tasks / "toy" / "task.yaml")
    folder = tmp_path_factory.mktemp("trial") / "workspace"
    build_workspace(task, Trial(task.id, "0" * 64, 1, 0, 0, (MEAN,), "x"), folder)
    return folder


@pytest.fixture(scope="module")
def others_sandbox(
    isolated: Callable[..., Sandbox], host: Host, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    """The sandbox of another trial, with models and, where there is such, a network."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "secret").write_text(PLANTED)
    (folder / "reach.py").write_text(REACH)
    gateway, network = host.gateways[1].address, (f"localhost:{host.port}",)
    with isolated((host.tasks, host.results), gateway, network) as made:
        made.put(folder)
        yield made


@pytest.fixture(scope="module")
def agents_sandbox(
    isolated: Callable[..., Sandbox], host: Host, workspace: Path, others_sandbox: Sandbox
) -> Iterator[Sandbox]:
    """An agent's sandbox beside that of another trial; the tests change nothing in it."""
    gateway = host.gateways[0].address
    with isolated((host.tasks, host.results), gateway) as made:
        made.put(workspace)
        yield made


@pytest.fixture(scope="module")
def bare_sandbox(isolated: Callable[..., Sandbox], host: Host) -> Iterator[Sandbox]:
    """One without models, for the tests to change."""
    with isolated((host.tasks, host.results)) as made:
        yield made


LOOK = {
    "process list": "cat /proc/[0-9]*/cmdline; ps axeww",
    "environments": "env; cat /proc/[0-9]*/environ",
    "open files": "ls -l /proc/[0-9]*/fd; timeout 1 cat /proc/1/fd/[0-9]*",
    "roots": "for p in /proc/[0-9]*; do ls $p/root/ $p/cwd/; cat $p/root/etc/shadow; done",
    "memory": "cat /proc/[0-9]*/maps; head -c 1M /proc/kcore; head -c 1M /dev/mem",
    "kernel log": "dmesg; timeout 1 head -c 100K /dev/kmsg",
    "mounts": "cat /proc/mounts /proc/self/mountinfo; df -a",
    "devices": "head -c 1M /dev/sd* /dev/vd* /dev/nvme* /dev/xvd* /dev/mapper/*",
    "workspace": "cd /workspace && find . -type f -exec cat {} +; git -C code log -p",
    "folders": f"grep -rF --exclude-dir=lib {' '.join(f'-e {s!r}' for s in SECRETS.values())}"
    " /workspace /tmp /home /root /run /mnt /srv /media /opt /var /dev/shm /etc",
    "names": "find / \\( -path /proc -o -path /sys \\) -prune -o \\( -name task.yaml"
    " -o -name results.jsonl -o -name checked.json -o -name mistakes.yaml"
    " -o -name '*.pyc' -newer /workspace/instructions.md \\) -exec cat {} +",
    "other trials": "cat /tmp/autoexp-*/*/* /tmp/.autoexp-*/*/* /var/tmp/*",
    "image layers": "cat /var/lib/docker/*/*/*/*; cat /.dockerenv /manifest.json",
    "shared memory": "cat /proc/sysvipc/*; ls -R /dev/shm /dev/mqueue; cat /dev/shm/*",
    "kernel keys": "cat /proc/keys",
    "sockets": "cat /proc/net/unix /proc/net/tcp",
    "history": "cat ~/.*history /root/.*history",
}
"""Commands that print what they can find; what fails of them does not matter."""

NAMED = "~/task.yaml code/results.jsonl /tmp/in/checked.json /dev/shm/mistakes.yaml /tmp/x.pyc"
PLANTS = {
    "process list": "sh -c 'echo > /tmp/ready; sleep 60' \"$SECRET\"",
    "environments": "export SECRET",
    "open files": 'exec 7> "/tmp/$SECRET"',
    "roots": 'mkdir /tmp/in && cd /tmp/in && touch "$SECRET"',
    "memory": 'python -c \'import mmap, sys, time; f = open(sys.argv[1], "wb+"); f.truncate(1);'
    ' s = mmap.mmap(f.fileno(), 1); open("/tmp/ready", "w"); time.sleep(60)\' "/tmp/$SECRET"',
    "workspace": 'echo "$SECRET" > /workspace/x',
    "folders": 'echo "$SECRET" > ~/x',
    "names": f'mkdir /tmp/in && for file in {NAMED}; do echo "$SECRET" > $file; done',
    "other trials": 'mkdir -p /tmp/autoexp-1/in && echo "$SECRET" > /tmp/autoexp-1/in/x',
    "shared memory": 'echo "$SECRET" > /dev/shm/x',
    "sockets": "python -c 'import socket, sys, time; s = socket.socket(socket.AF_UNIX);"
    ' s.bind(chr(0) + sys.argv[1]); open("/tmp/ready", "w"); time.sleep(60)\' "$SECRET"',
    "history": 'echo "$SECRET" > ~/.bash_history',
}
"""Commands that plant a secret where an entry of :data:`LOOK` looks."""

CANNOT_BE_PLANTED = {
    "kernel log": "only root of the machine writes to it",
    "mounts": "they are made from outside",
    "devices": "no device file can be made",
    "image layers": "an image is read-only, and so is the root of local",
    "kernel keys": "the calls that add one are refused",
}
"""Why nothing can be planted in a sandbox where the other entries look."""


def look(sandbox: Sandbox, where: str, plant: str = "true", **env: str) -> str:
    """Everything that one entry finds, after something was planted."""
    command = f"{plant}\nexec 2>&1; {LOOK[where]}"
    found = sandbox.run(command, time_limit_sec=60, env=env, output_cap_bytes=16 * 1024**2)
    assert found.killed_by is None
    assert not found.truncated
    return found.stdout.replace("\0", " ")


@pytest.mark.parametrize("where", LOOK)
def test_nothing_that_is_expected_is_found(agents_sandbox: Sandbox, host: Host, where: str) -> None:
    text = look(agents_sandbox, where, **host.gateways[0].variables)
    assert [what for what, secret in SECRETS.items() if secret in text] == []


@pytest.mark.parametrize("what", PLANTS)
def test_the_search_finds_what_is_there(bare_sandbox: Sandbox, workspace: Path, what: str) -> None:
    """The commands above are no empty talk: each finds a secret of the sandbox's own."""
    bare_sandbox.put(workspace)
    secret = f"SECRET={PLANTED[:8]}; SECRET=${{SECRET}}{PLANTED[8:]}"  # not in the command itself
    plant, places = PLANTS[what], len(NAMED.split()) if what == "names" else 1
    if "/tmp/ready" in plant:
        plant = f"mkfifo /tmp/ready; {plant} > /dev/null & read ready < /tmp/ready"
    assert look(bare_sandbox, what, f"{secret}; {plant}").count(PLANTED) >= places


def test_every_search_is_tried_where_it_can_be() -> None:
    assert {*PLANTS, *CANNOT_BE_PLANTED} == {*LOOK}


def test_paths_of_the_host_are_not_there(agents_sandbox: Sandbox, host: Host) -> None:
    paths = [host.tasks, host.results, host.socket, Path("/var/run/docker.sock")]
    paths += [Path("/run/docker.sock"), Path.home() / ".docker", Path(__file__)]
    paths += [host.tasks / "toy" / "task.yaml", host.results / "results.jsonl"]
    for path in paths:
        assert agents_sandbox.run(f"cat {path}/* {path}", time_limit_sec=30).stdout == ""


def test_process_of_the_host_cannot_be_looked_at(agents_sandbox: Sandbox, host: Host) -> None:
    command = f"cd /proc/{host.process} && cat cmdline environ; ls cwd/; kill -0 {host.process}"
    seen = agents_sandbox.run(command, time_limit_sec=30)
    assert PLANTED not in seen.stdout
    assert "notes" not in seen.stdout
    assert not seen.ok


REACH = """
import json, socket, sys
ports, sockets, hosts = json.loads(sys.argv[1])
hosts += ["127.0.0.1", "172.17.0.1", "172.18.0.1", "10.0.2.2", "192.168.0.1", "169.254.169.254"]
targets = [(host, port) for host in hosts for port in (*ports, 2375, 80)] + [("1.1.1.1", 53)]
for target in targets:
    try:
        socket.create_connection(target, 0.5).close()
        print("reached", *target)
    except OSError:
        pass
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for address in (*sockets, "/var/run/docker.sock", "/run/docker.sock"):
        try:
            socket.socket(socket.AF_UNIX, kind).connect(address)
            print("reached", address)
        except OSError:
            pass
for asked in ("example.org", "host.docker.internal", "gateway.docker.internal", "metadata"):
    try:
        print("resolved", asked, socket.getaddrinfo(asked, 80))
    except OSError:
        pass
try:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as query:
        query.settimeout(0.5)
        head = b"\\1\\0\\1\\0\\0\\1" + bytes(6)
        query.sendto(head + b"\\7example\\3org\\0\\0\\1\\0\\1", ("8.8.8.8", 53))
        print("sent to DNS")
except OSError:
    pass
print("tried all")
"""


PROXY_PORT = 3128


def reach(host: Host, *gateways: Gateway) -> str:
    """A command that says what it reaches of the host, and of these gateways."""
    ports = [host.port, host.provider.server_port, PROXY_PORT, *(g.address.port for g in gateways)]
    sockets = [f"\0{PLANTED}-{os.getpid()}", str(host.socket)]
    sockets += [gateway.address.socket for gateway in host.gateways]
    found = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    given = json.dumps([ports, sockets, [*{info[4][0] for info in found}]])
    return f"python - {shlex.quote(given)} <<'E'\n{REACH}\nE\n"


def test_host_engine_gateways_and_dns_are_out_of_reach(bare_sandbox: Sandbox, host: Host) -> None:
    seen = bare_sandbox.run(reach(host, *host.gateways), time_limit_sec=60)
    assert seen.stdout == "tried all\n"
    for port in (host.port, *(gateway.address.port for gateway in host.gateways)):
        socket.create_connection(("127.0.0.1", port)).close()  # which is there


def test_models_and_network_of_another_trial_are_out_of_reach(
    agents_sandbox: Sandbox, others_sandbox: Sandbox, host: Host, tmp_path: Path
) -> None:
    others = host.gateways[1]
    with ThreadPoolExecutor() as pool:
        running = pool.submit(
            others_sandbox.run,
            f"{reach(host, others)} touch ready; until [ -e done ]; do sleep 0.1; done",
            time_limit_sec=120,
            env=others.variables,
        )
        while others_sandbox.read("ready", 1) is None and not running.done():
            time.sleep(0.1)
        try:
            seen = agents_sandbox.run(reach(host, others), time_limit_sec=60)
            shown = look(agents_sandbox, "process list") + look(agents_sandbox, "environments")
        finally:
            others_sandbox.put(tmp_path, "done")
    ports = {others.address.port} | ({PROXY_PORT} if others_sandbox.kind == "docker" else set())
    there = {f"reached 127.0.0.1 {port}" for port in ports}
    assert {*running.result().stdout.splitlines()} == {*there, "tried all"}
    assert seen.stdout == "tried all\n"
    assert others.variables["OPENAI_API_KEY"] not in shown
    assert KEY not in shown


ASK = """
import os, sys, urllib.error, urllib.request
for key in sys.argv[1:]:
    try:
        headers = {"Authorization": "Bearer " + key}
        asked = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/nothing", headers=headers)
        urllib.request.urlopen(asked)
    except urllib.error.HTTPError as error:
        print(error.code)
"""


def test_own_gateway_takes_no_token_but_its_own(agents_sandbox: Sandbox, host: Host) -> None:
    own, others = (gateway.variables["OPENAI_API_KEY"] for gateway in host.gateways)
    command = f"python - {own} {others} {KEY} <<'E'\n{ASK}\nE"
    env = host.gateways[0].variables
    asked = agents_sandbox.run(command, time_limit_sec=60, env=env)
    assert asked.stdout.split() == ["404", "401", "401"]
    assert host.provider.asked == []


def test_nothing_that_is_expected_is_where_work_is_verified(each_arena: Arena, host: Host) -> None:
    """A body that searches while the hidden experiment runs, and returns what it has found."""
    body = f"""
        import glob, re, subprocess
        paths = glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline")
        for folder in ("/workspace", "/home/agent", "/dev/shm", "/tmp/autoexp-*", "{host.tasks}"):
            paths += glob.glob(folder + "/**", recursive=True)
        found = ""
        for path in paths:
            try:
                found += open(path, errors="replace").read()
            except OSError:
                pass
        print(len(found) > 1000, "AUTOEXP_METRICS" in found, sep="\\n")
        print(found)
        return float((re.findall("0[.]3961[0-9]*", found) or ["0.5"])[0])
        """
    result = each_arena.cheat(body)
    assert verdicts(result) == [False, False]
    hidden = result.experiments[1]
    assert hidden.stdout.startswith("True\nTrue\n")
    assert hidden.checks[0].measured == 0.5
    assert "moments-reseeded" not in hidden.stdout
    assert "total += value" not in hidden.stdout
