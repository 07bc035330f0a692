"""The running interpreter where it satisfies the requirements, else an environment built once."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.cache import Builds
from pytest_autoexp.sandbox.host import requirements as requirements_module
from pytest_autoexp.sandbox.host.local import LocalSandbox, bubblewrap_problem
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import python_for, running_python

PYTEST = Version(pytest.__version__)


def wheel(folder: Path, name: str, version: str, *metadata: str) -> Path:
    """A wheel with one module that has its version."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    header = [f"Name: {name}", f"Version: {version}", *metadata]
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": "\n".join(["Metadata-Version: 2.1", *header]) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(file, content)
    return path


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pip finds packages: no network.  The cache is private to the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    wheel(tmp_path / "wheels", "autoexptiny", "1.0")
    wheel(tmp_path / "wheels", "autoexptiny", "2.0rc1")
    return tmp_path / "wheels"


def nothing_said(line: str) -> None:
    raise AssertionError(line)


@pytest.mark.parametrize(
    "requirements",
    [
        [],
        ["pytest"],
        ["PyTest", "packaging"],
        [f"pytest=={PYTEST}", f"pytest>={PYTEST.major}", "pytest<1000"],
        ["autoexptiny; python_version < '3'", "autoexptiny; sys_platform == 'none'"],
        ["pytest_xdist"],
        ["jsonschema"],
    ],
)
def test_running_interpreter_serves(requirements: list[str]) -> None:
    assert python_for(requirements, Builds("run", nothing_said)) == running_python()


def test_running_interpreter_is_described() -> None:
    python = running_python()
    assert python.executable == Path(sys.executable)
    assert python.bin_dir == python.executable.parent
    assert set(python.trees) >= {Path(sys.prefix), Path(sys.base_prefix)}


@pytest.mark.parametrize(
    "requirement",
    ["autoexptiny", "pytest<1", "pytest[autoexp-no-such-extra]; python_version < '3'"],
)
def test_running_interpreter_is_asked_for_version_and_marker(requirement: str) -> None:
    satisfied = requirements_module._running_satisfies((requirement,))
    assert satisfied is ("; " in requirement)


CASES = {
    "has it": (["ours"], True),
    "in a version": (["ours>=1.5"], True),
    "not in a version": (["ours>=2"], False),
    "pre-release": (["pre>=1.9"], True),
    "what it requires is there": (["needs-ours"], True),
    "what it requires is not there": (["broken"], False),
    "extra that is there": (["extras[good]"], True),
    "extra that is not there": (["extras[bad]"], False),
    "extra not asked for": (["extras"], True),
    "on PYTHONPATH only": (["elsewhere"], False),
    "editable": (["editable"], False),
    "by another address": (["ours @ https://example.invalid/ours.whl"], False),
}


@pytest.mark.parametrize(("requirements", "satisfied"), CASES.values(), ids=CASES)
def test_what_an_interpreter_has(requirements: list[str], satisfied: bool, tmp_path: Path) -> None:
    """Asked of an environment that is put together by hand."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (packages,) = venv.glob("lib/*/site-packages")
    extras = "Provides-Extra: good\nProvides-Extra: bad\nRequires-Dist: ours; extra == 'good'\n"
    extras += "Requires-Dist: missing; extra == 'bad'"
    for folder, name, version, metadata in [
        (packages, "ours", "1.5", ""),
        (packages, "pre", "2.0rc1", ""),
        (packages, "needs_ours", "1", "Requires-Dist: OURS (>1)"),
        (packages, "broken", "1", "Requires-Dist: needs-ours\nRequires-Dist: missing"),
        (packages, "extras", "1", extras),
        (packages, "editable", "1", ""),
        (tmp_path / "path", "elsewhere", "1", ""),
    ]:
        folder.mkdir(exist_ok=True)
        with zipfile.ZipFile(wheel(tmp_path / "w", name, version, *metadata.splitlines())) as w:
            w.extractall(folder)
    (packages / "editable-1.dist-info" / "direct_url.json").write_text(
        '{"url": "file:///x", "dir_info": {"editable": true}}'
    )
    import packaging

    script = textwrap.dedent(f"""
        import sys
        from pytest_autoexp.sandbox.host.requirements import _running_satisfies
        assert sys.prefix != sys.base_prefix
        print(_running_satisfies({tuple(requirements)!r}))
    """)
    roots = [str(Path(__file__).parents[3]), str(Path(packaging.__file__).parents[1])]
    path = os.pathsep.join([str(tmp_path / "path"), *roots])
    done = subprocess.run(
        [str(venv / "bin" / "python"), "-c", script],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{satisfied}\n"


@pytest.mark.parametrize(
    "text", ["", "numpy scipy", "-r requirements.txt", "./here", "numpy>>1", "numpy; nonsense"]
)
def test_requirement_that_cannot_be_read(text: str) -> None:
    with pytest.raises(InfrastructureError) as caught:
        python_for([text], Builds("run", nothing_said))
    assert str(caught.value).startswith(f"requirement {text!r} of the task cannot be read")
    assert len(str(caught.value).splitlines()) == 1


def test_environment_is_built_once_and_used(wheels: Path, tmp_path: Path) -> None:
    said: list[str] = []
    python = python_for(["autoexptiny"], Builds("run", said.append))
    assert said[0] == "building the environment for autoexptiny (once; about 1 min)"
    assert said[1].startswith("built in ")
    assert len(said) == 2
    assert python.executable.is_relative_to(tmp_path / "cache" / "pytest-autoexp" / "environments")
    kinds = [NoneSandbox] if bubblewrap_problem() else [NoneSandbox, LocalSandbox]
    for kind in kinds:
        with kind(python) as sandbox:
            result = sandbox.run(
                "python -c 'import autoexptiny as a; print(a.version)'", time_limit_sec=20
            )
            assert result.stdout == "1.0\n", result
    (wheels / "autoexptiny-1.0-py3-none-any.whl").unlink()
    assert python_for(["autoexptiny"], Builds("run", nothing_said)) == python
    (python.trees[0] / "complete").unlink()
    with pytest.raises(InfrastructureError):  # one that is not complete is built anew
        python_for(["autoexptiny==1.0"], Builds("run", said.append))


def test_processes_build_it_once(tmp_path: Path) -> None:
    script = (
        "from pytest_autoexp.sandbox.cache import Builds;"
        "from pytest_autoexp.sandbox.host.requirements import python_for;"
        "print(python_for(['autoexptiny==2.0rc1'], Builds('run', print)).executable)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[0].splitlines() for process in processes]
    # On a busy machine the one that waits says so.
    outputs = sorted(([ln for ln in lines if "waiting" not in ln] for lines in said), key=len)
    assert [len(lines) for lines in outputs] == [1, 3]
    assert outputs[0][-1] == outputs[1][-1]


def test_failure_tells_what_pip_said_and_is_remembered() -> None:
    said: list[str] = []
    for _ in range(2):
        with pytest.raises(InfrastructureError) as caught:
            python_for(["autoexptiny>=77"], Builds("run", said.append))
        text = str(caught.value)
        assert text.startswith("the environment for autoexptiny cannot be built: pip ended")
        assert "No matching distribution found" in text
        assert any(sys.executable in line for line in text.splitlines()[-2:])
    assert len(said) == 1
    with pytest.raises(InfrastructureError):  # another run tries again
        python_for(["autoexptiny>=77"], Builds("later", said.append))
    assert len(said) == 2
