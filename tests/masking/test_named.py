"""Which modules a file names."""

from __future__ import annotations

import pytest

from pytest_autoexp.masking.named import named_modules

MODULES = ("core.sums_ref", "exact")


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("import exact", ["exact"]),
        ("import exact.deep as e", ["exact"]),
        ("from exact import fsum", ["exact"]),
        ("def f():\n    from core import one, sums_ref as s", ["core.sums_ref"]),
        ("from core.sums_ref import total", ["core.sums_ref"]),
        ("from . import sums_ref", ["core.sums_ref"]),
        ("from .sums_ref import total", ["core.sums_ref"]),
        ("import core\ncore.sums_ref.total(1)", ["core.sums_ref"]),
        ("__import__('exact')", ["exact"]),
        ("open('core/sums_ref.py')", ["core.sums_ref"]),
        ("open('./core/sums_ref.py')", ["core.sums_ref"]),
        ("import core.sums, other.exact, exactly", []),
        ("from .exact import x", []),
        ("exact = 1; exact.real; self.exact", []),
        ("'''Not exact.'''; 'exactly'; f(2).exact  # import exact", []),
        ("row['exact']; 'exact.json'; open('data/exact/x'); f('exact'); 'exact.total'", []),
        ("import_module('exact'); importlib.util.find_spec(name='core')", ["exact"]),
        ("__import__('core', fromlist=['sums_ref'])", ["core.sums_ref"]),
        ("sys.modules['exact']", ["exact"]),
        ("open('exact/table.csv')", ["exact"]),
        ("runpy.run_path('exact.py')", ["exact"]),
        ("f'{here}/exact.py'", ["exact"]),
        ("open('/workspace/code/exact/table.csv'); '../code/core/x'", ["exact"]),
        ("open('data/../exact.py')", ["exact"]),
        ("import_module('.sums_ref', package='core')", ["core.sums_ref"]),
        ("import sums_ref", ["core.sums_ref"]),
        ("from sums_ref import total", ["core.sums_ref"]),
        ("open(here / 'sums_ref.py')", ["core.sums_ref"]),
        ("'sums_ref'; from_.sums_ref; a.core.sums_ref.b", []),
        ("x = (\n exact", ["exact"]),
        ("x = (\n exactly", []),
        ("\0sums_ref", ["core.sums_ref"]),
    ],
)
def test_what_is_named(source: str, named: list[str]) -> None:
    assert named_modules("core/sums.py", source.encode(), MODULES) == named


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("from toystats.exact_ref import mean", ["src.toystats.exact_ref"]),
        ("import toystats.exact_ref", ["src.toystats.exact_ref"]),
        ("import toystats\ntoystats.exact_ref.mean", ["src.toystats.exact_ref"]),
        ("name = 'toystats.exact_ref'", ["src.toystats.exact_ref"]),
        ("open('toystats/exact_ref.py')", ["src.toystats.exact_ref"]),
        ("import toystats.exact, other.exact_ref, src", []),
        ("from tools.utils import f", ["tools.utils"]),
        ("import utils, sub.utils, sub\nutils.sub.f('sub/utils.py')", []),
        ("import statistics", []),
        ("import src.statistics", ["src.statistics"]),
    ],
)
def test_names_from_another_root_count_unless_the_code_has_them(
    source: str, named: list[str]
) -> None:
    overlay = ("src.toystats.exact_ref", "src.statistics", "tools.utils", "tools.sub")
    code = ("main.py", "lib/utils.py", "src/toystats/moments.py", "lib/sub/x.csv")
    assert named_modules("main.py", source.encode(), overlay, code) == named
