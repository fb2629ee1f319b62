"""The embedded guests in the package are what their source makes.

Needs Debian 12's cross compiler. Without it the test is skipped, except under CI (environment variable `CI`), where a
skip would let binary and source drift apart unseen.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from conftest import lacking

GUESTS = Path(__file__).resolve().parents[2] / "python" / "spapr" / "guests"


def load_build_script() -> ModuleType:
    # By path: the test must not need the extension module that `import spapr` loads.
    spec = importlib.util.spec_from_file_location("spapr_guests_build", GUESTS / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load_build_script()


def reference_compiler() -> None:
    version = build.compiler_version()
    if version == build.REFERENCE_VERSION:
        return
    have = "is missing" if version is None else f"is {version}"
    reason = f"{build.COMPILER} {have}; install Debian 12's package {build.PACKAGE} ({build.REFERENCE_VERSION}) to check the embedded guests"
    lacking(reason)


def test_binaries_are_what_the_source_makes(tmp_path: Path) -> None:
    reference_compiler()
    for made in build.build(tmp_path):
        kept = GUESTS / made.name
        assert made.read_bytes() == kept.read_bytes(), f"{kept.name} is not what src/ makes; run python3 {GUESTS / 'build.py'} and commit"


@pytest.mark.parametrize(("name", "data"), [("embedded-be.elf", 2), ("embedded-le.elf", 1)])
def test_binaries_are_small_and_say_their_endianness(name: str, data: int) -> None:
    elf = (GUESTS / name).read_bytes()
    assert elf[:5] == b"\x7fELF\x02"
    assert elf[5] == data
    assert len(elf) < 64 * 1024
