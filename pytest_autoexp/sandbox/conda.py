"""A conda environment file: what of it counts, and the CUDA version that it asks for."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.environ import BASE_ENVIRONMENT

DEFAULT_CUDA = "12.6"
"""Version of CUDA that is assumed where packages need some and none says which."""

_CUDA_PACKAGES = ("cudatoolkit", "pytorch-cuda", "cuda-version", "cuda-toolkit", "cuda")
_CUDA_BUILD = re.compile(r"(?<![a-z])(?:cuda|cu(?=\d))(?P<version>\d[\d.]*)?", re.IGNORECASE)
_SPEC = re.compile(r"(?:[^:\s]*::)?(?P<name>[\w.-]+)\s*(?P<rest>.*)", re.DOTALL)
_VERSION = re.compile(r"\d+(?:\.\d+)?")
_PIP_FILE = re.compile(
    r"\s*(?:-r|-c|--requirement|--constraint|(?:(?:-e|--editable)[ =]*)?(?:[./]|file:))"
)
_NOT_OURS = ("name", "prefix")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SET_HERE = (*BASE_ENVIRONMENT, "PATH", "HOME", "TMPDIR", "CUDA_VISIBLE_DEVICES")
_SET_HERE_PREFIXES = ("AUTOEXP_", "NVIDIA_")
_NO_YAML = (
    *(yaml.YAMLError, ValueError, RecursionError),
    *(LookupError, AttributeError),  # at tags such as `!!int ''` and `!!timestamp x`
)


class CondaFileError(ValueError):
    """A file that is no conda environment; the message says what was found and what is allowed."""


@dataclass(frozen=True)
class CondaFile:
    """What a conda environment file asks for.

    Attributes:
        text: The file as YAML without its keys ``name`` and ``prefix``, which say where it was
            exported.
        cuda: Version of CUDA that its packages are made for, such as ``11.3``; None if they need
            none.
        variables: Environment variables of every command, where nothing else sets them.
    """

    text: str
    cuda: str | None
    variables: Mapping[str, str] = field(default_factory=dict)


def parse_conda(content: bytes) -> CondaFile:
    """Read a conda environment file.

    Args:
        content: Its bytes.

    Raises:
        CondaFileError: If it is no YAML mapping with a list ``dependencies`` of packages, or sets
            a variable that it cannot set.
    """
    try:
        data = yaml.safe_load(content.decode("utf-8"))
    except _NO_YAML as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CondaFileError(f"is no YAML ({why})") from error
    dependencies = data.get("dependencies") if isinstance(data, dict) else None
    if not isinstance(dependencies, list) or not dependencies:
        raise CondaFileError("has no list of dependencies")
    for item in dependencies:
        if not isinstance(item, str) and not _is_pip(item):
            raise CondaFileError(f"has the dependency {_shown(item)}")
        for text in () if isinstance(item, str) else item["pip"]:
            if _PIP_FILE.match(text):
                raise CondaFileError(f"has {text!r} for pip, a file that is not there then")
    kept = {key: value for key, value in data.items() if key not in _NOT_OURS}
    text = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)
    cuda = _cuda([item for item in dependencies if isinstance(item, str)])
    return CondaFile(text, cuda, _variables(data.get("variables") or {}))


def read_conda(path: str) -> CondaFile:
    """Read the conda environment file of a task that was loaded.

    Args:
        path: Where it lies on the host.

    Raises:
        InfrastructureError: If it cannot be read any more.
    """
    try:
        return parse_conda(Path(path).read_bytes())
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be read: {error.strerror}") from error
    except CondaFileError as error:
        raise InfrastructureError(f"{path} {error}: it is no conda environment file") from error


def _is_pip(item: Any) -> bool:
    """True for ``pip: [requirement, ...]``."""
    if not isinstance(item, dict) or list(item) != ["pip"] or not isinstance(item["pip"], list):
        return False
    return all(isinstance(text, str) for text in item["pip"])


def _variables(found: Any) -> dict[str, str]:
    """The environment variables, as text."""
    if not isinstance(found, dict):
        raise CondaFileError(f"has the variables {_shown(found)}, no mapping")
    for name, value in found.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise CondaFileError(f"has the variable {_shown(name)}, no variable's name")
        if name in _SET_HERE or name.startswith(_SET_HERE_PREFIXES):
            raise CondaFileError(
                f"has the variable {name}, which the sandbox sets: set it in the commands instead"
            )
        is_text = isinstance(value, str) and value.isprintable()
        if not is_text and type(value) not in (int, float):
            raise CondaFileError(
                f"has the variable {name} with {_shown(value)}, neither one line nor a number"
            )
    return {name: str(value) for name, value in found.items()}


def _cuda(specs: list[str]) -> str | None:
    """The version of CUDA: what its own packages say, or else a build such as ``py38_cuda11.3``."""
    said: dict[str, str] = {}
    built: str | None = None
    for spec in specs:
        match = _SPEC.match(spec.strip())
        if match is None:
            continue
        name, rest = match["name"].lower(), match["rest"]
        if name in _CUDA_PACKAGES:
            version = _VERSION.search(rest)
            said[name] = version[0] if version else DEFAULT_CUDA
        elif found := _CUDA_BUILD.search(_build(rest)):
            built = built or _dotted(found["version"] or "")
    return next((said[name] for name in _CUDA_PACKAGES if name in said), built)


def _build(rest: str) -> str:
    """The build string of a package: what stands behind a second ``=``, or a second blank."""
    named = re.search(r"build\s*=\s*['\"]?([^'\",\]]+)", rest)
    if named:
        return named[1]
    parts = [part for part in re.split(r"[=\s]+", rest) if part]
    return parts[1] if len(parts) > 1 else ""


def _dotted(version: str) -> str:
    """``11.3`` of the forms that builds have: ``11.3``, ``113``, ``11.3.1``, ``12``."""
    if re.fullmatch(r"\d{3}", version):
        return f"{version[:2]}.{version[2]}"
    match = _VERSION.match(version)
    return match[0] if match else DEFAULT_CUDA


def _shown(value: object) -> str:
    """A value in a message; a few hundred bytes of YAML can be billions of values."""
    return reprlib.repr(value)[:200]
