import pytest

from pytest_autoexp.masking.source import MaskingError
from pytest_autoexp.masking.untrusted import (
    MAX_CHARS,
    MAX_DEPTH,
    MAX_TOKENS,
    check_parseable,
)


@pytest.mark.parametrize(
    ("line", "times", "unit"),
    [
        ("x" * 1024 + "\n", MAX_CHARS // 1024, "characters"),
        ("a=1\n", MAX_TOKENS // 4, "words and signs"),
        ("a=1;", MAX_TOKENS // 4, "words and signs"),
        ("x = [1]\r", MAX_TOKENS // 6, "words and signs"),
        ("type A = int\n", MAX_TOKENS // 5, "words and signs"),
    ],
    ids=["long lines", "lines", "one line", "old newlines", "newer syntax"],
)
def test_size_is_measured_against_the_pristine_file(line, times, unit):
    text = line * (times + 1)
    with pytest.raises(MaskingError, match=rf"is too large to be parsed \([\d,]+ {unit}\)"):
        check_parseable(text, "")
    check_parseable(text, line * 2)


@pytest.mark.parametrize("text", ["def f(:\n", "x = 1\0\n", "x = " + "(" * 150 + ")" * 150])
def test_what_does_not_parse_is_for_the_parser_to_say(text):
    check_parseable(text, "")


def test_depth_is_measured_against_the_pristine_file():
    deep = "x = " + "-" * MAX_DEPTH + "1\n"
    with pytest.raises(MaskingError, match=rf"nested too deeply \({MAX_DEPTH + 3} levels\)"):
        check_parseable(deep, "x = -1\n")
    check_parseable(deep, deep)
    for code in ("-" * 20_000 + "1", "a" + ".a" * 20_000):
        with pytest.raises(MaskingError, match="nested too deeply"):
            check_parseable(f"x = {code}\n", deep)
