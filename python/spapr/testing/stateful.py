"""A machine's life as a Hypothesis state machine: run, snapshot, fork, checkpoint, migrate, in any order, and nothing may be lost.

```python
TestMine = MachineLife.TestCase
TestMine.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
```

Subclass `MachineLife` for machines of your own: `config` says which, `payload` what their guest does. Needs `hypothesis`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import spapr
from spapr.testing import Payload, counter

__all__ = ["MachineLife"]


class MachineLife(RuleBasedStateMachine):
    """One guest that lives on through everything that may be done to its machine. Between the rules the machine stands."""

    config: ClassVar[spapr.MachineConfig] = spapr.MachineConfig(smp=2)
    """What the machine is; the payload adds its kernel."""
    payload: ClassVar[Payload] = counter(rate=20_000, mib=1)
    """What the guest does, and how it knows whether it is whole."""

    vm: spapr.Machine

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.writes = 0

    @initialize()
    def begin(self) -> None:
        """The guest sets out."""
        settings = {name: value for name, value in self.payload.settings().items()}
        self.vm = spapr.Machine(self.config, **settings)  # type: ignore[arg-type]
        self.payload.prepare(self.vm)

    @rule(instructions=st.integers(1, 400_000))
    def run(self, instructions: int) -> None:
        """It runs for a while, and stops wherever it happens to be."""
        stop = self.vm.run(max_instructions=instructions, timeout=60)
        assert stop.reason == "instructions"

    @rule()
    def ask(self) -> None:
        """It looks at itself, and has not forgotten anything."""
        found = self.payload.check(self.vm)
        self.vm.pause()
        assert found.get("writes", 0) >= self.writes
        self.writes = found.get("writes", 0)

    @rule()
    def go_on_in_a_fork(self) -> None:
        """A fork is in the same state, and takes over."""
        before = self.vm.state_digest()
        with self.vm.snapshot("taken") as snapshot:
            assert self.vm.state_digest() == before
            self._become(snapshot.fork(), before)

    @rule(instructions=st.integers(1, 100_000))
    def a_fork_lives_by_itself(self, instructions: int) -> None:
        """What a fork does is no concern of its machine's, nor the other way round."""
        before = self.vm.state_digest()
        with self.vm.snapshot() as snapshot, snapshot.fork() as other:
            other.run(max_instructions=instructions, timeout=60)
            assert self.vm.state_digest() == before
            with snapshot.fork() as again:
                assert again.state_digest() == before

    @rule(compress=st.sampled_from([None, "lz4"]))
    def go_on_from_a_file(self, compress: str | None) -> None:
        """A checkpoint is the same state, too."""
        before = self.vm.state_digest()
        path = Path(self.folder.name) / "checkpoint"
        self.vm.save_checkpoint(path, compress=compress, sync=False)
        self._become(spapr.load_checkpoint(path), before)

    @rule()
    def go_on_elsewhere(self) -> None:
        """It moves to another machine."""
        before = self.vm.state_digest()
        settings = {name: value for name, value in self.payload.settings().items()}
        there = spapr.Machine(self.config, incoming=True, **settings)  # type: ignore[arg-type]
        try:
            assert self.vm.migrate(there, timeout=60).status == "completed"
        except BaseException:
            there.close()
            raise
        self._become(there, before)

    def _become(self, other: spapr.Machine, digest: str) -> None:
        try:
            assert other.state_digest() == digest
        except BaseException:
            other.close()
            raise
        self.vm.close()
        self.vm = other

    @invariant()
    def stands(self) -> None:
        """Nobody has started it, and it has not ended."""
        assert not hasattr(self, "vm") or self.vm.status in ("prelaunch", "paused")

    def teardown(self) -> None:
        """The guest says at its end whether it is whole."""
        try:
            if hasattr(self, "vm"):
                self.payload.check(self.vm)
        finally:
            if hasattr(self, "vm"):
                self.vm.close()
            self.folder.cleanup()
