"""How far a migration is, told to whoever waits: `src.migrate(dst, on_progress=spapr.progress.bar())`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from spapr.migration import MigrationInfo

__all__ = ["bar"]

_WIDTH = 24
_GOING = ("setup", "active", "device", "postcopy-active", "postcopy-paused")


def bar(file: TextIO | None = None) -> Callable[[MigrationInfo], None]:
    """A line that is written over and over: what is left to send, how fast it goes, how much the guest changes meanwhile, what the downtime would be now.

    On standard error unless `file` says otherwise; in a terminal and in a notebook alike.
    """
    longest = 0

    def show(info: MigrationInfo) -> None:
        nonlocal longest
        out = sys.stderr if file is None else file
        ram = info.ram
        done = 1.0 if info.status == "completed" else 1 - min(1.0, ram.remaining / ram.total) if ram.total else 0.0
        filled = round(done * _WIDTH)
        words = [f"{'█' * filled}{'░' * (_WIDTH - filled)} {info.status}", f"{ram.remaining / 2**20:.0f} MiB left", f"{ram.mbps / 8.388608:.0f} MiB/s"]
        words.append(f"changes {ram.dirty_pages_rate * ram.page_size / 2**20:.0f} MiB/s")
        if (downtime := info.expected_downtime if info.downtime is None else info.downtime) is not None:
            words.append(f"downtime {downtime:.0f} ms")
        line = ", ".join(words)
        longest = max(longest, len(line))
        out.write(f"\r{line:<{longest}}{'' if info.status in _GOING else chr(10)}")
        out.flush()

    return show
