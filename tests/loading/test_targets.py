# ruff: noqa: E501 - a table, one case a line
import pytest

from pytest_autoexp.loading.targets import find_target_problems

SOURCE = b"""
def one(): ...
def two():
    def inner(): ...
class A:
    def m(self): ...
    if True:
        def m(self): ...
async def many(): yield 1
value = lambda: 1
"""

FILES = {
    "pkg/a.py": SOURCE,
    "pkg/broken.py": b"def f(:\n",
    "pkg/nul.py": b"def f(): ...\0\n",
    "pkg/latin.py": "# coding: latin-1\ndef f(): 'é'\n".encode("latin-1"),
    "pkg/deep.py": b"x = " + b"-" * 100_000 + b"1\n",
    "pkg/large.py": b"#" * (4 * 1024**2 + 1),
    "data.txt": b"def f(): ...\n",
}
PYTHON = '"pkg/a.py", "pkg/broken.py", "pkg/deep.py", "pkg/large.py", "pkg/latin.py", "pkg/nul.py"'


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    for path, content in FILES.items():
        folder.joinpath(path).parent.mkdir(exist_ok=True)
        folder.joinpath(path).write_bytes(content)
    return folder


def problems(code, *targets):
    return find_target_problems(targets, code, FILES)


@pytest.mark.parametrize(
    "name", ["one", "two", "two.inner", "A.m#1", "A.m#2", "many"]
)  # fmt: skip
def test_functions_that_are_there(code, name):
    assert problems(code, f"pkg/a.py::{name}") == []


def test_other_encodings(code):
    assert problems(code, "pkg/latin.py::f") == []


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("pkg/a.py::onee", 'in "pkg/a.py": no function onee; did you mean one?'),
        ("pkg/a.py::inner", 'in "pkg/a.py": no function inner; did you mean two.inner?'),
        ("pkg/a.py::A", 'in "pkg/a.py": no function A'),
        ("pkg/a.py::value", 'in "pkg/a.py": no function value'),
        ("pkg/a.py::A.m", 'in "pkg/a.py": A.m is ambiguous; write one of A.m#1 (line 6), A.m#2 (line 8)'),
        ("pkg/a.py::one#1", 'in "pkg/a.py": no function one#1; there is one (line 2)'),
        ("pkg/b.py::one", f'the code has no file "pkg/b.py"; did you mean "pkg/a.py"? allowed: {PYTHON}'),
        ("./pkg/a.py::one", f'the code has no file "./pkg/a.py"; did you mean "pkg/a.py"? allowed: {PYTHON}'),
        ("data.txt::f", f'the code has no file "data.txt"; allowed: {PYTHON}'),
        ("pkg/large.py::f", '"pkg/large.py" is larger than 4 MiB'),
    ],
)  # fmt: skip
def test_functions_that_are_not_there(code, target, message):
    assert problems(code, target) == [(0, message)]


@pytest.mark.parametrize("file", ["broken", "nul", "deep"])
def test_files_that_do_not_parse(code, file):
    [(index, message)] = problems(code, "pkg/a.py::one", f"pkg/{file}.py::f")
    assert index == 1
    assert message.startswith(f'"pkg/{file}.py" cannot be parsed: ')


def test_code_without_python(tmp_path):
    assert find_target_problems(["a.py::f"], tmp_path, ["data.txt"]) == [
        (0, 'the code has no file "a.py"; allowed: nothing, it has none')
    ]
