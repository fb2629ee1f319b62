"""What the Python tests share, beyond what spapr's own pytest plugin gives everybody."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import spapr
from spapr.pytest_plugin import MachineFactory
from spapr.testing import TIMEOUT, Guest, embedded_guest

__all__ = ["GUESTS", "ROOT", "TIMEOUT", "Guest", "lacking", "tool"]

ROOT = Path(__file__).resolve().parents[2]
GUESTS = ROOT / "python" / "spapr" / "guests"


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI"):
        config.option.spapr_strict = True
    # A shell's background job ignores Ctrl-C, and so would everything that the tests start and then interrupt.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture
def machine(spapr_machine: MachineFactory) -> Callable[..., spapr.Machine]:
    """A factory of machines with the embedded guest, that have not started."""

    def make(endian: str = "be", **settings: Any) -> spapr.Machine:
        base: Any = {"memory": "256M", "kernel": embedded_guest("le" if endian == "le" else "be")}
        return spapr_machine(**(base | settings))

    return make


@pytest.fixture
def guest(machine: Callable[..., spapr.Machine]) -> Callable[..., Guest]:
    """A factory of embedded guests that are ready."""
    return lambda *args, **settings: Guest(machine(*args, **settings))
