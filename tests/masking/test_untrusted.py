import pytest

from pytest_autoexp.masking.source import MaskingError
from pytest_autoexp.masking.untrusted import MAX_BYTES, check_parseable


@pytest.mark.parametrize(
    "text",
    [
        "def f(): pass\n",
        "def f(:\n",  # for the parser to say
        "x = 1\0\n",
        "def f[T](x: T): pass\n",
        "x = [\n" + "  1,\n" * 10_000 + "]\n",
        "x = " + "(" * 150 + ")" * 150 + "\n",
    ],
    ids=lambda text: text[:12],
)
def test_harmless_text(text):
    check_parseable(text, 0)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "(" * 20_000,
        "x = " + "[" * 20_000 + "]" * 20_000,
        "x = " + "-" * 5_000 + "1",
        "x = a" + ".a" * 2_000,
        "x = a" + " and a" * 50_000,
        "if a: b\n" + "elif a: b\n" * 5_000,
    ],
    ids=lambda text: text[:12],
)
def test_text_that_would_overflow_the_stack(text):
    with pytest.raises(MaskingError, match="nested too deeply"):
        check_parseable(text, 0)


def test_size_is_measured_against_the_pristine_file():
    text = "#" * (MAX_BYTES + 10)
    check_parseable(text, 10)
    with pytest.raises(MaskingError, match=r"too large to be parsed \(524,298 characters\)"):
        check_parseable(text, 9)


def test_text_that_takes_too_long(monkeypatch):
    monkeypatch.setattr("pytest_autoexp.masking.untrusted.TRIAL_TIMEOUT_SEC", 0.001)
    with pytest.raises(MaskingError, match="takes too long"):
        check_parseable("def f(:\n", 0)
