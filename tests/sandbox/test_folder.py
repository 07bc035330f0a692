"""Private folders, and removing whatever is in them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.folder import (
    PrivateFolder,
    make_real_folder,
    remove_leftovers,
    remove_tree,
)


def deep(path: Path, levels: int) -> None:
    """A chain of folders, deeper than a path may be long."""
    descriptor = os.open(path, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("deeper", dir_fd=descriptor)
        below = os.open("deeper", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)


class TestRemove:
    def test_hard_cases(self, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        (victim / "shut" / "below").mkdir(parents=True)
        (victim / "shut" / "file").touch(mode=0)
        (victim / "-rf").touch()
        (victim / os.fsdecode(b"\xff\n")).touch()
        (victim / "out").symlink_to(tmp_path / "kept")
        (tmp_path / "kept").mkdir()
        deep(victim, 1200)
        (victim / "shut" / "below").chmod(0)
        (victim / "shut").chmod(0o500)
        remove_tree(victim)
        assert list(tmp_path.iterdir()) == [tmp_path / "kept"]

    def test_link_file_and_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "kept").mkdir()
        (tmp_path / "link").symlink_to("kept")
        (tmp_path / "file").touch()
        for name in ("link", "file", "missing"):
            remove_tree(tmp_path / name)
        assert list(tmp_path.iterdir()) == [tmp_path / "kept"]


@pytest.mark.parametrize("kind", ["missing", "link", "file", "shut"])
def test_make_real_folder(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "folder"
    if kind == "link":
        path.symlink_to("/etc")
    elif kind == "file":
        path.touch()
    elif kind == "shut":
        path.mkdir(mode=0)
    make_real_folder(path)
    assert path.is_dir()
    assert not path.is_symlink()
    assert path.stat().st_mode & 0o700 == 0o700


class TestPrivateFolder:
    @pytest.fixture(autouse=True)
    def temporary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        return tmp_path

    def test_is_its_owners_and_goes_away(self, temporary: Path) -> None:
        private = PrivateFolder()
        assert private.path.name.startswith("autoexp-")
        assert private.path.stat().st_mode & 0o777 == 0o700
        private.remove()
        private.remove()
        assert list(temporary.iterdir()) == []

    def test_nowhere_to_make_it_is_our_error(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(temporary / "missing"))
        with pytest.raises(InfrastructureError, match="set TMPDIR"):
            PrivateFolder()

    def test_leftovers_are_removed_and_nothing_else(self, temporary: Path) -> None:
        make = "from pytest_autoexp.sandbox.folder import PrivateFolder as P; import os; p = P();"
        env = os.environ | {"TMPDIR": str(temporary)}
        subprocess.run([sys.executable, "-c", f"{make} os._exit(9)"], env=env, check=False)
        (left,) = temporary.iterdir()
        used = PrivateFolder()
        (temporary / "autoexp-file").touch()
        (temporary / "autoexp-link").symlink_to(temporary / "other")
        for name in ("other", ".autoexp-young", ".autoexp-old"):
            (temporary / name).mkdir()
        hour_ago = time.time() - 3600
        for name in ("autoexp-file", "other", ".autoexp-old"):
            os.utime(temporary / name, (hour_ago, hour_ago))
        remove_leftovers()
        assert left not in temporary.iterdir()
        assert {path.name for path in temporary.iterdir()} == {
            *(used.path.name, "autoexp-file", "autoexp-link", "other", ".autoexp-young"),
        }
        used.remove()
