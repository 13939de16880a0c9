"""The source tree stays readable: layers, sizes, and no shadow over the standard library."""

import operator
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "aifactory"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 300


def test_operator_is_the_standard_librarys_module():
    assert operator.add(1, 2) == 3
    assert not Path(operator.__file__).is_relative_to(ROOT)
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_there_are_modules():
    assert len(MODULES) > 50


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_a_module_fits_in_a_readers_head(module):
    assert len(module.read_text().splitlines()) <= MOST_LINES


def test_layers_import_downwards_only():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
