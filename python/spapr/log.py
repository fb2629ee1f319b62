"""The engine's log, handed on to Python's `logging`: loggers `spapr.vm`, `spapr.accel.interp`, …

The engine's threads never wait for Python, so what they log is collected and comes when a machine is next waited for or looked at.
"""

from __future__ import annotations

from spapr import _spapr

__all__ = ["forward"]


def forward() -> None:
    """Hands on what the engine has logged since the last time."""
    records = _spapr.take_log()
    if not records:
        return
    import logging

    for level, name, text in records:
        logging.getLogger(name).log(getattr(logging, {"WARN": "WARNING"}.get(level, level), logging.DEBUG), "%s", text)
