"""Snapshots in memory, and the machines that are forked from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spapr import _spapr
    from spapr.config import MachineConfig
    from spapr.machine import Machine

__all__ = ["Snapshot"]


class Snapshot:
    """A machine's state at one moment. It never changes; any number of machines can go on from it.

    Memory is shared: a snapshot costs little, a fork costs what it writes. A context manager: its end lets the frozen memory go. Machines that were forked keep
    theirs.

    ```python
    with vm.snapshot("booted") as booted:
        for case in cases:
            with booted.fork() as machine:
                machine.start()
                machine.console.sendline(case)
    ```
    """

    def __init__(self, inner: _spapr.Snapshot, name: str | None, config: MachineConfig, build: Callable[..., Machine]) -> None:
        self._inner = inner
        self._build = build
        self.name = name
        """What the user calls it."""
        self.config = config
        """The configuration of its machine."""

    def fork(self, *, accel: str | None = None) -> Machine:
        """A machine that goes on from here, run by `accel` (left out: as the one that was frozen). It stands until `start()` or `resume()`. Its consoles
        begin empty.
        """
        config = self.config if accel is None else self.config.replace(accel=accel)
        return self._build(config, self._inner.fork(accel))

    def close(self) -> None:
        """Lets the frozen memory go. Does nothing the second time."""
        self._inner.close()

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<spapr.Snapshot {self.name or 'without a name'} of {self.config.machine}>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a snapshot can't be pickled; use vm.save_checkpoint(path) and spapr.load_checkpoint(path)")
