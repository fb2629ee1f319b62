"""Sizes as people write them: `512M`, `2G`, or a number of bytes."""

from __future__ import annotations

import re

from spapr.errors import ConfigError

__all__ = ["format_size", "parse_size"]

_UNITS = {"": 0, "B": 0, "K": 10, "M": 20, "G": 30, "T": 40, "P": 50}
_FORM = re.compile(r"\s*(\d+(?:\.\d+)?|0[xX][0-9a-fA-F]+)\s*([BbKkMmGgTtPp]?)(?:i?[Bb])?\s*")
_LIMIT = 1 << 63


def parse_size(setting: str, value: int | str, *, default_unit: str = "") -> int:
    """A size in bytes. Units are powers of 1024; `default_unit` is that of a text without one."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ConfigError(setting, f"{value!r} is no size", f'use {setting}="512M" or a number of bytes')
    if isinstance(value, int):
        size = value
    else:
        form = _FORM.fullmatch(value)
        if form is None:
            raise ConfigError(setting, f"{value!r} is no size", f'use {setting}="512M", with K, M, G or T')
        number, unit = form.groups()
        shift = _UNITS[unit.upper() or default_unit]
        whole = int(number, 16 if number[:2] in ("0x", "0X") else 10) if "." not in number else None
        size = int(float(number) * (1 << shift)) if whole is None else whole << shift
    if not 0 <= size < _LIMIT:
        raise ConfigError(setting, f"{value!r} is out of range", f'use {setting}="512M" or another size that a machine can have')
    return size


def format_size(size: int) -> str:
    """The shortest exact form, such as `512M`."""
    for unit, shift in (("T", 40), ("G", 30), ("M", 20), ("K", 10)):
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return str(size)
