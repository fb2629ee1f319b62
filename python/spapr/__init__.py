"""A pseries (PowerPC64 sPAPR) virtual machine monitor, used as a Python module.

```python
with spapr.Machine(cpu="power9", smp=4, memory="1G", kernel="vmlinux", append="console=hvc0") as vm:
    vm.start()
    vm.console.expect("login:", fail_on="Kernel panic", timeout=60)
```
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from spapr import _spapr, errors
from spapr.config import Caps, MachineConfig, NumaNode, Smp
from spapr.errors import (
    AccelUnavailable,
    BootError,
    ConfigError,
    ConsoleClosed,
    ConsoleMatch,
    ConsoleTimeout,
    GuestMemoryError,
    GuestPanic,
    GuestTimeout,
    HostError,
    SnapshotError,
    MigrationAborted,
    MigrationError,
    MigrationIncompatible,
    MigrationReason,
    MigrationUnconfirmed,
    SpaprError,
    SpaprWarning,
    StateError,
    StreamError,
)
from spapr.explanation import Explanation, explain, vcpu_id
from spapr.hosts import HostProfile, HostReport, Hosts, probe_host
from spapr.machine import Machine, Stop, console
from spapr.snapshot import Snapshot
from spapr.stream import Difference, HashEntry, Stream
from spapr.migration import Incoming, MigrationInfo, incoming
from spapr.trace import ConsoleEvent, HcallEvent
from spapr.verdict import Reason, Verdict, check

if TYPE_CHECKING:
    from spapr import jupyter as jupyter
    from spapr import matrix as matrix
    from spapr import progress as progress
    from spapr import testing as testing
    from spapr.matrix import Matrix as Matrix

__all__ = [
    "HOSTS",
    "MACHINES",
    "RULESETS",
    "AccelUnavailable",
    "BootError",
    "Caps",
    "ConfigError",
    "ConsoleClosed",
    "ConsoleEvent",
    "ConsoleMatch",
    "ConsoleTimeout",
    "Difference",
    "Explanation",
    "GuestMemoryError",
    "GuestPanic",
    "GuestTimeout",
    "HashEntry",
    "HcallEvent",
    "HostProfile",
    "HostReport",
    "HostError",
    "Incoming",
    "Machine",
    "MachineConfig",
    "Matrix",
    "MigrationAborted",
    "MigrationError",
    "MigrationIncompatible",
    "MigrationInfo",
    "MigrationReason",
    "MigrationUnconfirmed",
    "NumaNode",
    "Reason",
    "Smp",
    "Snapshot",
    "SnapshotError",
    "SpaprError",
    "SpaprWarning",
    "StateError",
    "Stop",
    "Stream",
    "StreamError",
    "Verdict",
    "check",
    "console",
    "errors",
    "explain",
    "incoming",
    "jupyter",
    "load_checkpoint",
    "matrix",
    "probe_host",
    "progress",
    "testing",
    "vcpu_id",
]

__version__ = _spapr.VERSION
load_checkpoint = Machine.load_checkpoint

HOSTS: Hosts = Hosts()
"""The kinds of host by name, for `explain`, `check` and `host=`."""
RULESETS: tuple[str, ...] = tuple(_spapr.rulesets())
"""The VSMT rulesets, oldest first."""
MACHINES: tuple[str, ...] = tuple(_spapr.machine_versions())
"""The machine versions, newest first."""

_LATER = frozenset({"jupyter", "matrix", "progress", "testing"})
"""Modules that are imported when they are first named, so that `import spapr` stays quick."""


def __getattr__(name: str) -> object:
    if name in _LATER:
        import importlib

        return importlib.import_module(f"spapr.{name}")
    if name == "Matrix":
        from spapr.matrix import Matrix

        return Matrix
    raise AttributeError(f"module 'spapr' has no attribute {name!r}", name=name, obj=sys.modules[__name__])


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
