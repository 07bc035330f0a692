"""Copying trees that an agent left behind."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.folder import remove_tree
from pytest_autoexp.sandbox.host import tree as host_tree
from pytest_autoexp.sandbox.host.tree import get_tree, parts_of, put_tree, read_file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "w").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def descriptor(root: Path) -> Iterator[int]:
    opened = os.open(root, os.O_RDONLY)
    yield opened
    os.close(opened)


def tree(path: Path) -> dict[str, str]:
    """The files below a folder with their content, and the empty folders."""
    return {
        str(p.relative_to(path)): p.read_text() if p.is_file() else "/"
        for p in path.rglob("*")
        if p.is_file() or not any(p.iterdir())
    }


def deep(path: Path, levels: int, name: str = "deeper") -> None:
    """A chain of folders, deeper than a path may be long."""
    descriptor = os.open(path, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=descriptor)
        below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)


@pytest.mark.parametrize("path", ["/etc", "..", "a/../../b", "a/.."])
def test_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="leads out"):
        parts_of(path)


@pytest.mark.parametrize(
    ("path", "parts"), [("", ()), (".", ()), ("a", ("a",)), ("a//./b/", ("a", "b"))]
)
def test_path_inside(path: str, parts: tuple[str, ...]) -> None:
    assert parts_of(path) == parts


class TestGet:
    def test_files_and_folders_come_out(self, root: Path, descriptor: int, tmp_path: Path) -> None:
        (root / "w" / "a" / "b").mkdir(parents=True)
        (root / "w" / "a" / "text").write_text("x")
        (root / "w" / "run").touch(mode=0o4777)
        (root / "w" / os.fsdecode(b"junk \xff\n")).write_text("y")
        assert get_tree(descriptor, ("w",), tmp_path / "to" / "dest") == ()
        dest = tmp_path / "to" / "dest"
        assert tree(dest) == {
            "a/b": "/",
            "a/text": "x",
            "run": "",
            os.fsdecode(b"junk \xff\n"): "y",
        }
        assert (dest / "run").stat().st_mode & 0o7777 == 0o755
        assert (dest / "a" / "text").stat().st_mode & 0o7777 == 0o644

    @pytest.mark.parametrize("parts", [("missing",), ("w", "missing"), ("file",), ("link",)])
    def test_no_such_folder_gives_an_empty_one(
        self, root: Path, descriptor: int, tmp_path: Path, parts: tuple[str, ...]
    ) -> None:
        (root / "file").touch()
        (root / "link").symlink_to("/etc")
        assert get_tree(descriptor, parts, tmp_path / "dest") == ()
        assert list((tmp_path / "dest").iterdir()) == []

    def test_everything_else_stays_behind(
        self, root: Path, descriptor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (root / "w" / "kept").write_text("kept")
        (root / "w" / "to file").symlink_to("/etc/passwd")
        (root / "w" / "to folder").symlink_to("/etc")
        (root / "w" / "to kept").symlink_to("kept")
        os.mkfifo(root / "w" / "pipe")
        with socket.socket(socket.AF_UNIX) as server:
            monkeypatch.chdir(root / "w")
            server.bind("socket")
            left = get_tree(descriptor, ("w",), tmp_path / "dest")
        assert tree(tmp_path / "dest") == {"kept": "kept"}
        assert left == (
            "'pipe': a named pipe",
            "'socket': a socket",
            "'to file': a symbolic link",
            "'to folder': a symbolic link",
            "'to kept': a symbolic link",
        )

    def test_what_was_made_unreadable_comes_out(
        self, root: Path, descriptor: int, tmp_path: Path
    ) -> None:
        (root / "w" / "shut").mkdir()
        (root / "w" / "shut" / "secret").write_text("x")
        (root / "w" / "shut" / "secret").chmod(0)
        (root / "w" / "shut").chmod(0)
        (root / "w").chmod(0)
        assert get_tree(descriptor, ("w",), tmp_path / "dest") == ()
        assert tree(tmp_path / "dest") == {"shut/secret": "x"}

    def test_too_many_bytes_stay_behind(self, root: Path, descriptor: int, tmp_path: Path) -> None:
        (root / "w" / "a").write_text("12345")
        with (root / "w" / "b").open("wb") as sparse:
            sparse.truncate(2**40)
        (root / "w" / "c").write_text("12345")
        (root / "w" / "d").write_text("1")
        left = get_tree(descriptor, ("w",), tmp_path / "dest", max_bytes=10)
        assert tree(tmp_path / "dest") == {"a": "12345", "c": "12345"}
        assert left == tuple(f"'{n}': the tree is larger than 10 bytes" for n in "bd")

    def test_too_many_entries_stay_behind(
        self, root: Path, descriptor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(host_tree, "MAX_TREE_FILES", 3)
        (root / "w" / "a").mkdir()
        for name in ("a/1", "a/2", "b", "c"):
            (root / "w" / name).touch()
        left = get_tree(descriptor, ("w",), tmp_path / "dest")
        assert tree(tmp_path / "dest") == {"a/1": "", "a/2": ""}
        assert left == ("'b': more than 3 entries",)

    def test_what_stays_behind_takes_no_place_of_what_comes(
        self, root: Path, descriptor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(host_tree, "MAX_TREE_FILES", 4)
        for number in range(9):
            (root / "w" / f"a{number}").touch()
            (root / "w" / f"b{number}").mkdir()
        (root / "w" / "c").mkdir()
        (root / "w" / "c" / "d.py").touch()
        left = get_tree(
            descriptor,
            ("w",),
            tmp_path / "dest",
            leave=lambda path, _: "" if path.endswith(".py") else "new",
        )
        assert left == tuple(f"'a{number}': new" for number in range(9))
        assert tree(tmp_path / "dest") == {"b0": "/", "b1": "/", "c/d.py": ""}

    def test_looking_at_what_stays_behind_has_an_end_that_is_always_told(
        self, root: Path, descriptor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(host_tree, "MAX_TREE_FILES", 15)
        (root / "w" / "a").mkdir()
        for number in range(150):
            (root / "w" / "a" / f"{number:03}").symlink_to("/etc")
        (root / "w" / "b").touch()
        left = get_tree(descriptor, ("w",), tmp_path / "dest")
        assert left[-2:] == ("and 49 more", "'a/149': more than 150 entries")
        assert tree(tmp_path / "dest") == {"a": "/"}

    def test_thousands_of_levels_stay_behind(
        self, root: Path, descriptor: int, tmp_path: Path
    ) -> None:
        deep(root / "w", 1200)
        left = get_tree(descriptor, ("w",), tmp_path / "dest")
        assert len(left) == 1
        assert left[0].endswith("more than 100 folders deep")
        remove_tree(root / "w")

    @pytest.mark.parametrize("name", ["n" * 240, "\N{SNOWMAN}" * 80])
    def test_path_longer_than_the_host_takes_stays_behind(
        self, root: Path, descriptor: int, tmp_path: Path, name: str
    ) -> None:
        deep(root / "w", 30, name)
        (left,) = get_tree(descriptor, ("w",), tmp_path / "dest")
        assert left.endswith("its path is longer than 1000 bytes")
        assert len(left) < 300
        assert len(list((tmp_path / "dest").rglob("*"))) == 4
        remove_tree(root / "w")

    def test_many_that_stay_behind_are_summed_up(
        self, root: Path, descriptor: int, tmp_path: Path
    ) -> None:
        for number in range(150):
            (root / "w" / str(number)).symlink_to("/etc")
        left = get_tree(descriptor, ("w",), tmp_path / "dest")
        assert (len(left), left[-1]) == (101, "and 50 more")

    def test_destination_that_cannot_be_written_is_our_error(
        self, descriptor: int, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(InfrastructureError, match="cannot be written"):
            get_tree(descriptor, ("w",), tmp_path / "file" / "dest")


class TestRead:
    @pytest.mark.parametrize(
        ("max_bytes", "content"), [(0, b"1"), (3, b"1234"), (5, b"12345"), (9, b"12345")]
    )
    def test_one_byte_more_than_asked(
        self, root: Path, descriptor: int, max_bytes: int, content: bytes
    ) -> None:
        (root / "w" / "file").write_text("12345")
        assert read_file(descriptor, ("w", "file"), max_bytes) == content

    def test_unreadable_is_read(self, root: Path, descriptor: int) -> None:
        (root / "w" / "file").write_text("x")
        (root / "w" / "file").chmod(0)
        (root / "w").chmod(0)
        assert read_file(descriptor, ("w", "file"), 9) == b"x"

    @pytest.mark.parametrize(
        "parts",
        [(), ("w",), ("missing",), ("w", "link"), ("w", "linked", "passwd"), ("w", "pipe")],
    )
    def test_none_if_there_is_no_such_regular_file(
        self, root: Path, descriptor: int, parts: tuple[str, ...]
    ) -> None:
        (root / "w" / "link").symlink_to("/etc/passwd")
        (root / "w" / "linked").symlink_to("/etc")
        os.mkfifo(root / "w" / "pipe")
        assert read_file(descriptor, parts, 9) is None

    def test_device_is_not_opened(self, descriptor: int) -> None:
        device = os.open("/dev", os.O_RDONLY)
        assert read_file(device, ("zero",), 9) is None
        os.close(device)


class TestPut:
    def test_replaces_what_was_there(self, root: Path, tmp_path: Path) -> None:
        source = tmp_path / "source"
        (source / "sub").mkdir(parents=True)
        (source / "sub" / "new").write_text("new")
        (source / "link").symlink_to("sub/new")
        (root / "w" / "code").mkdir()
        (root / "w" / "code" / "old").touch()
        (root / "w" / "code").chmod(0o500)
        put_tree(source, root, "w/code")
        assert tree(root / "w") == {"code/sub/new": "new", "code/link": "new"}
        assert (root / "w" / "code" / "link").is_symlink()

    @pytest.mark.parametrize("path", ["w", "w/code", "w/code/deeper"])
    def test_links_on_the_way_are_replaced_and_not_followed(
        self, root: Path, tmp_path: Path, path: str
    ) -> None:
        for name in ("source", "outside"):
            (tmp_path / name).mkdir()
            (tmp_path / name / name).touch()
        (root / "w").rmdir()
        (root / "w").symlink_to(tmp_path / "outside")
        put_tree(tmp_path / "source", root, path)
        assert tree(root / path) == {"source": ""}
        assert tree(tmp_path / "outside") == {"outside": ""}

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("missing", "missing cannot be put into a sandbox: there is no such folder"),
            ("file", "file cannot be put into a sandbox: there is no such folder"),
            ("odd", "odd/below/pipe: only files, folders and links"),
        ],
    )
    def test_what_cannot_be_put_is_the_callers_mistake_and_changes_nothing(
        self, root: Path, tmp_path: Path, source: str, message: str
    ) -> None:
        (root / "w" / "kept").touch()
        (tmp_path / "file").touch()
        (tmp_path / "odd" / "below").mkdir(parents=True)
        os.mkfifo(tmp_path / "odd" / "below" / "pipe")
        with pytest.raises(ValueError, match=message):
            put_tree(tmp_path / source, root, "w")
        assert tree(root / "w") == {"kept": ""}
