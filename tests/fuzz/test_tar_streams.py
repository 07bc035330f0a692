"""Tar streams out of a sandbox: nothing is written but files and folders below the destination."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
import tarfile
import tempfile
from pathlib import Path

from fuzz.harness import damaged, fuzz, often
from hypothesis import strategies as st

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.tree import unpack_checked

MAX_BYTES = 20_000
MAX_FILES = 12
HOLDER = tempfile.TemporaryDirectory(prefix="fuzz-")
AROUND = Path(HOLDER.name) / "around"
"""The folder around the destination, made anew for every stream."""

parts = st.sampled_from(
    ["a", "b", "c", "..", ".", "", "dest", "outside", "a\n", "\udcff", "é", "x" * 300]
)
names = often(
    st.lists(parts, min_size=1, max_size=4).map("/".join),
    st.sampled_from(
        ["/etc/x", "//x", f"{AROUND}/outside/x", f"{AROUND}/y", "a/" * 400 + "a", "C:\\x"]
    )
    | st.sampled_from(
        ["a\0b", "../" * 30 + f"{AROUND}/z", "a/../../outside/x", "./../y", "~/x", "-x"]
    ),
)
KINDS = [
    *(tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE),
    *(tarfile.LNKTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE),
    *(tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, b"V", b"Z"),
]
numbers = st.integers(0, 600) | st.sampled_from([-1, -512, 8**11 - 1, 2**40, 2**70, -(2**62)])
PAX = {
    "path": names,
    "linkpath": names,
    "size": st.sampled_from(["0", "5", "-1", "x", "1e3", "nan", "inf", "9" * 30, "9" * 5000]),
    "mtime": st.sampled_from(["1.5", "nan", "inf", "1e999", "x", "-1"]),
    "uid": st.sampled_from(["-1", "9" * 30, "x"]),
    "hdrcharset": st.sampled_from(["BINARY", "ISO-IR 10646 2000 UTF-8", "x"]),
    "GNU.sparse.major": st.sampled_from(["0", "1", "x"]),
    "GNU.sparse.minor": st.sampled_from(["0", "1", "x"]),
    "GNU.sparse.name": names,
    "GNU.sparse.realsize": st.sampled_from(["10", "-5", "x", "9" * 20]),
    "GNU.sparse.size": st.sampled_from(["10", "-5", "x", "9" * 20]),
    "GNU.sparse.map": st.sampled_from(
        ["0,5", "0", "a,b", "", "5,-9,0,9999999999", "9" * 5000 + ",1"]
    ),
    "GNU.sparse.numblocks": st.sampled_from(["1", "x", "-1"]),
    "GNU.sparse.offset": st.sampled_from(["1", "x", "-1"]),
    "GNU.sparse.numbytes": st.sampled_from(["1", "x", "-1"]),
}


@st.composite
def members(draw: st.DrawFn) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(draw(names))
    member.type = draw(st.sampled_from(KINDS))
    member.linkname = draw(names)
    member.mode = draw(st.sampled_from([0o644, 0o755, 0, 0o4777, 0o7777]))
    content = draw(st.binary(max_size=40) | st.integers(0, 9000).map(lambda n: b"x" * n))
    member.size = len(content)
    if draw(st.integers(0, 9)) == 0:
        member.size = draw(numbers)
    if draw(st.integers(0, 3)) == 0:
        keys = draw(st.lists(st.sampled_from(sorted(PAX)), min_size=1, max_size=4, unique=True))
        member.pax_headers = {key: draw(PAX[key]) for key in keys}
    return member, content


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Streams such as only an attacker would write; half of them are cut off or damaged."""
    out = io.BytesIO()
    for member, content in draw(st.lists(members(), min_size=1, max_size=15)):
        way = tarfile.PAX_FORMAT if member.pax_headers else tarfile.GNU_FORMAT
        with contextlib.suppress(ValueError):  # a number that fits no field
            out.write(member.tobuf(way, "utf-8", "surrogateescape"))
            out.write(content + bytes(-len(content) % 512))
    whole = out.getvalue() + bytes(1024)
    if draw(st.booleans()):
        return whole
    return draw(damaged(whole) | st.integers(0, len(whole)).map(lambda size: whole[:size]))


def state(folder: Path, without: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of everything in a folder, but for one folder."""
    return {
        str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
        if path != without and without not in path.parents
    }


@fuzz(streams())
def test_a_stream_writes_nothing_but_files_and_folders_below_its_destination(
    content: bytes,
) -> None:
    shutil.rmtree(AROUND, ignore_errors=True)
    dest, outside = AROUND / "dest", AROUND / "outside"
    outside.mkdir(parents=True)
    outside.joinpath("x").write_bytes(b"as it was")
    before = state(AROUND, dest)
    with contextlib.suppress(InfrastructureError):
        left = unpack_checked(io.BytesIO(content), dest, max_bytes=MAX_BYTES, max_files=MAX_FILES)
        assert all(line.isprintable() for line in left)
    assert state(AROUND, dest) == before
    paths = [Path(at, name) for at, folders, files in os.walk(dest) for name in folders + files]
    modes = [path.lstat() for path in paths]
    assert all(stat.S_ISREG(m.st_mode) or stat.S_ISDIR(m.st_mode) for m in modes)
    assert all(m.st_nlink == 1 and not m.st_mode & 0o7022 for m in modes if stat.S_ISREG(m.st_mode))
    assert sum(m.st_size for m in modes if stat.S_ISREG(m.st_mode)) <= MAX_BYTES
    assert sum(stat.S_ISREG(m.st_mode) for m in modes) <= MAX_FILES
