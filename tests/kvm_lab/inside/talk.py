"""What is said to the embedded guest: the same in every file of tests."""

from __future__ import annotations

import spapr


def ready(vm: spapr.Machine) -> None:
    """Starts the guest and waits for its prompt."""
    vm.start()
    vm.console.expect("ready\n> ", timeout=120)


def ask(vm: spapr.Machine, command: str, timeout: float = 60) -> str:
    """The guest's reply to a command."""
    start = len(vm.console.log)
    vm.console.sendline(command)
    vm.console.expect(r"\n(ok|error.*)\n> ", timeout=timeout)
    return str(vm.console.log)[start:]


def off(vm: spapr.Machine, timeout: float = 60) -> None:
    """Lets the guest power itself off."""
    vm.console.sendline("off")
    assert vm.wait(timeout=timeout) == "shutdown"
