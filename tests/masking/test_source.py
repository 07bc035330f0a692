import pytest

from pytest_autoexp.masking.source import Edit, MaskingError, decode, encodable, encode, splice


@pytest.mark.parametrize(
    ("source", "encoding"),
    [
        (b"", "utf-8"),
        ("x = 'é'\n".encode(), "utf-8"),
        (b"\xef\xbb\xbfx = 1\r\n", "utf-8-sig"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "iso-8859-1"),
        (b"#!/bin/python\n# vim: fileencoding=cp1252\nx = '\x80'", "cp1252"),
        (b"# -*- coding: latin-1 -*-\rx = '\xe9'\r", "iso-8859-1"),
        (b"x = 1\ry = 2\r# coding: latin-1\r", "utf-8"),
    ],
)
def test_decoding_and_encoding_gives_the_same_bytes(source, encoding):
    file = decode(source)
    assert file.encoding == encoding
    assert encode(file.text, file.encoding) == source


@pytest.mark.parametrize(
    "source",
    [
        b"x = '\xe9'\n",
        b"# coding: klingon\n",
        b"# coding: rot13\n",
        b"\xef\xbb\xbf# coding: latin-1\n",
        b"# coding: iso-2022-jp\nx = '\x1b(B'\n",
    ],
)
def test_what_cannot_be_decoded_and_encoded_again_is_refused(source):
    with pytest.raises(MaskingError):
        decode(source)


def test_encodable_needs_the_same_character_back():
    assert encodable("é", "iso-8859-1")
    assert not encodable("λ", "iso-8859-1")
    assert not encodable("¥", "shift_jis")  # comes back as a backslash


def test_splice_keeps_the_order_of_insertions_at_one_place():
    edits = [Edit(3, 3, "x"), Edit(3, 3, "y"), Edit(1, 3, "B"), Edit(4, 5, "")]
    assert splice("abcdef", edits) == "aBxydf"
