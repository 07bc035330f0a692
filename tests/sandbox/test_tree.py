"""Trees as tar streams: what goes in, and what may come out."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.tree import check_source, pack, relative_parts, unpack_checked

ODD_NAMES = ["with space", "-dash", "ünï", "quote'\"", "new\nline", "$HOME", "*", "n" * 200]


def packed(source: Path) -> io.BytesIO:
    stream = io.BytesIO()
    pack(source, stream)
    stream.seek(0)
    return stream


def archive(*members: tarfile.TarInfo, content: bytes = b"content") -> io.BytesIO:
    """A stream such as only an attacker would make."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for member in members:
            if member.isreg():
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            else:
                tar.addfile(member)
    stream.seek(0)
    return stream


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every entry below a folder, with the content of files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_round_trip_keeps_files_folders_and_odd_names(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "empty").mkdir(parents=True)
    for name in ODD_NAMES:
        (source / name).mkdir()
        (source / name / name).write_bytes(name.encode() * 1000)
    (source / "undecodable\udcff").write_bytes(b"")
    assert unpack_checked(packed(source), tmp_path / "dest") == ()
    assert tree(tmp_path / "dest") == tree(source)


def test_executable_files_stay_executable(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for name, mode in (("plain", 0o600), ("program", 0o700)):
        (tmp_path / "source" / name).touch(mode)
    unpack_checked(packed(tmp_path / "source"), tmp_path / "dest")
    assert os.access(tmp_path / "dest" / "program", os.X_OK)
    assert not (tmp_path / "dest" / "plain").stat().st_mode & 0o111


def test_packed_entries_belong_to_the_user_of_containers(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o555)
    (tmp_path / "b").touch(0o400)
    with tarfile.open(fileobj=packed(tmp_path)) as tar:
        for member in tar:
            assert (member.uid, member.gid) == (1000, 1000)
            assert member.mode & 0o600 == 0o600


def test_links_are_packed_as_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "loop").symlink_to(".")
    with tarfile.open(fileobj=packed(tmp_path)) as tar:
        assert {member.name: member.linkname for member in tar} == {
            "link": "/etc/passwd",
            "loop": ".",
        }


def test_what_is_no_file_cannot_be_packed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"pipe: only files, folders and links"):
        packed(tmp_path)
    with pytest.raises(ValueError, match=r"pipe: only files, folders and links"):
        check_source(tmp_path)


def test_what_can_be_packed_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to(".")
    check_source(tmp_path)


@pytest.mark.parametrize("name", ["missing", "file"])
def test_source_that_is_no_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=f"{name} cannot be put .*no such folder"):
        check_source(tmp_path / name)


def test_missing_source_is_our_error(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"nowhere cannot be put into a sandbox: No such"):
        packed(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ([entry("../out")], "'../out': its name leads out of the tree"),
        ([entry("a/../../out")], "'a/../../out': its name leads out of the tree"),
        ([entry("/out")], "'/out': its name leads out of the tree"),
        ([entry("x", tarfile.SYMTYPE, "/etc")], "'x': a symbolic link"),
        ([entry("x", tarfile.LNKTYPE, "/etc/passwd")], "'x': a hard link to what did not come out"),
        ([entry("x", tarfile.FIFOTYPE)], "'x': a FIFO"),
        ([entry("x", tarfile.CHRTYPE)], "'x': a device"),
        ([entry("x", tarfile.BLKTYPE)], "'x': a device"),
        ([entry("/".join(["n" * 200] * 30))], "its path is longer than 1000 bytes"),
        ([entry("/".join(["\N{SNOWMAN}" * 80] * 5))], "its path is longer than 1000 bytes"),
        ([entry("n" * 300)], "its name is too long here"),
    ],
)
def test_what_may_not_come_out_stays_behind(
    members: list[tarfile.TarInfo], line: str, tmp_path: Path
) -> None:
    (left,) = unpack_checked(archive(*members, entry("good")), tmp_path / "dest")
    assert left.endswith(line)
    files = {name for name, content in tree(tmp_path).items() if content is not None}
    assert files == {"dest/good"}


def test_link_followed_by_an_entry_below_it_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    stream = archive(entry("x", tarfile.SYMTYPE, "../outside"), entry("x/file"))
    assert unpack_checked(stream, tmp_path / "dest") == ("'x': a symbolic link",)
    assert tree(tmp_path / "outside") == {}
    assert tree(tmp_path / "dest") == {"x": None, "x/file": b"content"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (entry("x"), entry("x")),
        (entry("x"), entry("x/below")),
        (entry("x/below"), entry("x")),
        (entry("x"), entry("x", tarfile.DIRTYPE)),
    ],
    ids=["twice", "below-a-file", "over-a-folder", "folder-over-a-file"],
)
def test_first_entry_of_a_name_wins(
    first: tarfile.TarInfo, second: tarfile.TarInfo, tmp_path: Path
) -> None:
    (left,) = unpack_checked(archive(first, second), tmp_path / "dest")
    assert left == f"{second.name!r}: its name is taken by another entry"
    assert (tmp_path / "dest" / first.name).read_bytes() == b"content"


def test_hard_link_to_a_file_of_the_tree_becomes_a_copy(tmp_path: Path) -> None:
    stream = archive(entry("./a"), entry("./b", tarfile.LNKTYPE, "./a"))
    assert unpack_checked(stream, tmp_path) == ()
    assert tree(tmp_path) == {"a": b"content", "b": b"content"}
    assert (tmp_path / "a").stat().st_nlink == 1


def test_file_over_the_size_limit_stays_behind_and_others_come(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for name, size in (("a", 60), ("b", 60), ("c", 40)):
        (tmp_path / "source" / name).write_bytes(b"x" * size)
    left = unpack_checked(packed(tmp_path / "source"), tmp_path / "dest", max_bytes=100)
    assert left == ("'b': the tree would be over 100 bytes",)
    assert set(tree(tmp_path / "dest")) == {"a", "c"}


def test_hard_links_count_against_the_size_limit(tmp_path: Path) -> None:
    links = [entry(f"link{i}", tarfile.LNKTYPE, "a") for i in range(3)]
    left = unpack_checked(archive(entry("a"), *links, content=b"x" * 40), tmp_path, max_bytes=100)
    assert left == (
        "'link1': the tree would be over 100 bytes",
        "'link2': the tree would be over 100 bytes",
    )


@pytest.mark.parametrize(
    ("limits", "came", "line"),
    [
        ({"max_files": 3}, 3, "'3': it and all that follows it: over 3 entries"),
        (
            {"max_bytes": 10, "max_streamed_bytes": 20},
            1,
            "'2': it and all that follows it: over 20 bytes in the tree",
        ),
    ],
)
def test_endless_stream_is_given_up(
    limits: dict[str, int], came: int, line: str, tmp_path: Path
) -> None:
    stream = archive(*(entry(str(i)) for i in range(3000)))
    left = unpack_checked(stream, tmp_path, **limits)
    assert left[-1] == line
    assert len(tree(tmp_path)) == came
    assert stream.tell() < len(stream.getvalue())


def test_what_stays_behind_takes_no_place_of_what_comes(tmp_path: Path) -> None:
    others = [entry(f"a{i}") for i in range(20)]
    folders = [entry(f"b{i}", tarfile.DIRTYPE) for i in range(9)]
    stream = archive(*others, *folders, entry("c/d.py"), content=b"x" * 40)
    left = unpack_checked(
        stream,
        tmp_path,
        max_bytes=40,
        max_files=4,
        leave=lambda path, _: "" if path.endswith(".py") else "new",
    )
    assert left == tuple(f"'a{i}': new" for i in range(20))
    assert tree(tmp_path) == {"b0": None, "b1": None, "c": None, "c/d.py": b"x" * 40}


def test_folders_of_files_count_against_the_limit(tmp_path: Path) -> None:
    left = unpack_checked(archive(entry("a/b/c"), entry("d/e")), tmp_path, max_files=4)
    assert left == ("'d/e': it and all that follows it: over 4 entries",)


def test_looking_at_what_stays_behind_has_an_end_that_is_always_told(tmp_path: Path) -> None:
    pipes = [entry(f"p{i}", tarfile.FIFOTYPE) for i in range(151)]
    left = unpack_checked(archive(*pipes), tmp_path, max_files=15)
    assert left[-2:] == ("and 50 more", "'p150': it and all that follows it: over 150 entries")


def test_many_entries_that_stay_behind_are_summed_up(tmp_path: Path) -> None:
    left = unpack_checked(
        archive(*(entry(f"p{i}", tarfile.FIFOTYPE) for i in range(150))), tmp_path
    )
    assert len(left) == 101
    assert left[-1] == "and 50 more"


@pytest.mark.parametrize(
    "spoil",
    [lambda data: data[:700], lambda data: b"junk" * 300, lambda data: b""],
    ids=["cut", "junk", "empty"],
)
def test_broken_stream_is_our_error(spoil: Callable[[bytes], bytes], tmp_path: Path) -> None:
    data = archive(entry("a"), content=b"x" * 5000).getvalue()
    with pytest.raises(InfrastructureError, match="broke off"):
        unpack_checked(io.BytesIO(spoil(data)), tmp_path)


def test_a_map_of_holes_that_is_none_is_our_error(tmp_path: Path) -> None:
    member = entry("a")
    member.pax_headers = {"GNU.sparse.map": "a,b"}
    with pytest.raises(InfrastructureError, match="broke off"):
        unpack_checked(archive(member), tmp_path)


def test_a_name_with_a_nul_stays_behind(tmp_path: Path) -> None:
    member = entry("a")
    member.pax_headers = {"path": "a\0b"}
    assert unpack_checked(archive(member, entry("c")), tmp_path) == (
        "'a\\x00b': its name has a NUL",
    )
    assert tree(tmp_path) == {"c": b"content"}


def header(name: str, kind: bytes, size: int) -> bytearray:
    """The header of an entry, without what should follow."""
    member = entry(name, kind)
    member.size = size
    return bytearray(member.tobuf(tarfile.GNU_FORMAT))


def test_sizes_that_lie_do_not_make_the_reader_look_for_what_never_comes(tmp_path: Path) -> None:
    lies = header("a", tarfile.DIRTYPE, -(2**62)) + header("b", b"Z", 2**60)
    left = unpack_checked(io.BytesIO(lies), tmp_path)
    assert len(left) == 1
    assert "it and all that follows it: over" in left[0]


def test_a_sparse_file_counts_as_what_it_takes_in_the_stream(tmp_path: Path) -> None:
    sparse = header("a", tarfile.GNUTYPE_SPARSE, 2**60)
    sparse[483:495] = b"%011o\0" % 5  # its real size
    sparse[148:156] = b"%06o\0 " % (sum(sparse[:148]) + sum(sparse[156:512]) + 8 * 32)
    [left] = unpack_checked(io.BytesIO(bytes(sparse)), tmp_path)
    assert "it and all that follows it: over" in left


def test_host_folder_that_cannot_be_written_is_our_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InfrastructureError, match="cannot be written"):
        unpack_checked(archive(entry("a")), tmp_path / "file" / "dest")


@pytest.mark.parametrize(
    ("path", "parts"),
    [("", ()), (".", ()), ("a", ("a",)), ("a/b/", ("a", "b")), ("./a//b", ("a", "b"))],
)
def test_relative_paths(path: str, parts: tuple[str, ...]) -> None:
    assert relative_parts(path) == parts


@pytest.mark.parametrize("path", ["/etc", "..", "a/../b", "a\0b"])
def test_paths_that_lead_out_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="must be relative to the workspace"):
        relative_parts(path)
