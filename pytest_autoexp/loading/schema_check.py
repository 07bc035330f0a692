"""What the JSON schema says of a task.yaml, in the words of its descriptions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from itertools import chain
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource

from pytest_autoexp.loading.findings import (
    Findings,
    Found,
    KeyPath,
    described,
    listed,
    nearest,
    quoted,
)
from pytest_autoexp.loading.yaml_lines import Document

TASK_SCHEMA = "task.schema.json"
"""The JSON schema of a task.yaml."""

VARIANT_SCHEMA = "variant.schema.json"
"""The JSON schema of a task.yaml that varies another."""


def read_schema(name: str = TASK_SCHEMA) -> dict[str, Any]:
    """One of the package's JSON schemas (draft 2020-12)."""
    file = resources.files(__package__).joinpath(name)
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema


def check_schema(document: Document, findings: Findings, name: str = TASK_SCHEMA) -> None:
    """Note everything that the schema does not allow.

    Args:
        document: The file.
        findings: Where problems go; what is wrong there already is not named again.
        name: Which schema.
    """
    unreadable = {found.path for found in document.problems if found.line is None}
    errors = _validator(name).iter_errors(document.data)
    for found in chain.from_iterable(_problems(error, document) for error in errors):
        if findings.enough:
            break
        if found.path not in unreadable:
            findings.add(*found)


@lru_cache(maxsize=2)
def _validator(name: str) -> Draft202012Validator:
    others = Registry().with_resource(TASK_SCHEMA, Resource.from_contents(read_schema()))
    return Draft202012Validator(read_schema(name), registry=others)


def _problems(error: ValidationError, document: Document) -> Iterator[Found]:
    path: KeyPath = tuple(error.absolute_path)
    schema: dict[str, Any] = error.schema  # type: ignore[assignment]  # no boolean subschemas
    value: Any = error.instance
    allowed = f"allowed: {schema['description']}"
    if error.validator == "required":
        for key in schema["required"]:
            if key not in value:
                description = schema["properties"][key]["description"]
                yield Found((*path, key), f"missing; allowed: {description}")
    elif error.validator == "additionalProperties":
        known = schema["properties"]
        for key in value:
            if key not in known:
                hint = nearest(key, [name for name in known if name not in value])
                yield Found((*path, key), f"unknown key{hint or ';'} allowed: {listed(known)}")
    elif "propertyNames" in error.absolute_schema_path:
        yield Found((*path, value), f"found the name {quoted(value)}; {allowed}")
    else:
        yield Found(path, f"found {_as_written(path, value, document)}; {allowed}")


def _as_written(path: KeyPath, value: Any, document: Document) -> str:
    """What was found; a number as it stands in the file, for ``2205.10`` is no 2205.1."""
    written = document.written.get(path)
    return f"{written} (number)" if written else described(value)
