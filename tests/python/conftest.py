"""What the Python tests share."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import spapr

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


class Guest:
    """A machine with the embedded guest, that has said it is ready."""

    def __init__(self, vm: spapr.Machine) -> None:
        self.vm = vm
        vm.start()
        self.greeting = vm.console.expect(r"(?s)^(spapr-guest 1 .*)^ready\n> ", timeout=TIMEOUT).group(1)

    def ask(self, command: str) -> str:
        """The guest's answer to a command, without the closing `ok`."""
        self.vm.console.sendline(command)
        return self.vm.console.expect(r"(?s)^\n?(.*?)^ok\n> ", fail_on="^error .*", timeout=TIMEOUT).group(1)


TIMEOUT = 60.0
"""Seconds that the embedded guest may take for anything, on a machine that has better things to do."""


@pytest.fixture
def machine() -> Iterator[Callable[..., spapr.Machine]]:
    """A factory of machines with the embedded guest; they end with the test."""
    with contextlib.ExitStack() as stack:

        def make(endian: str = "be", **settings: Any) -> spapr.Machine:
            base = spapr.MachineConfig(memory="256M", kernel=GUESTS / f"embedded-{endian}.elf")
            return stack.enter_context(spapr.Machine(base, **settings))

        yield make


@pytest.fixture
def guest(machine: Callable[..., spapr.Machine]) -> Callable[..., Guest]:
    """A factory of embedded guests that are ready."""
    return lambda *args, **settings: Guest(machine(*args, **settings))
