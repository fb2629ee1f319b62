"""What the Python tests share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUESTS = ROOT / "python" / "spapr" / "guests"


def lacking(what: str) -> None:
    """Skips the test for want of `what`; under CI, where nothing may be missing, it fails."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def tool(name: str, package: str) -> str:
    """The path of a program, or the test is skipped."""
    path = shutil.which(name)
    if path is None:
        lacking(f"{name} is missing; install Debian's package {package}")
        raise AssertionError
    return path
