"""What Podman does otherwise, as far as it can be told without one."""

from __future__ import annotations

import pytest

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.docker.podman import check_limits, plain_tmpfs

LIMITS = {"MemoryLimit": True, "PidsLimit": True}


@pytest.mark.parametrize(
    "info",
    [
        {**LIMITS, "CgroupVersion": "1"},
        {**LIMITS, "CgroupVersion": "1", "Rootless": False},
        {**LIMITS, "CgroupVersion": "2", "Rootless": True},
    ],
    ids=["docker", "podman", "rootless-podman"],
)
def test_engine_that_limits_is_taken(info: dict[str, object]) -> None:
    check_limits(info)


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (
            {**LIMITS, "CgroupVersion": "1", "Rootless": True},
            r"limit memory and processes .*\(control groups of version 1, rootless\)",
        ),
        ({**LIMITS, "MemoryLimit": False}, r"cannot limit memory of a container"),
        ({"MemoryLimit": True, "CgroupVersion": "2"}, r"cannot limit processes of .* version 2\)"),
    ],
    ids=["rootless-podman-claims-to", "no-memory", "no-processes"],
)
def test_engine_that_does_not_limit_is_our_error(info: dict[str, object], message: str) -> None:
    with pytest.raises(InfrastructureError, match=message) as caught:
        check_limits(info)
    assert "--sandbox=local" in str(caught.value)


def test_file_systems_in_memory_keep_their_size() -> None:
    docker = "size=4096,uid=1000,gid=1000,mode=755,exec,nr_inodes=10"
    assert plain_tmpfs({"/a": docker}) == {"/a": "size=4096,exec,mode=1777,notmpcopyup"}
