"""A guest's terminal: everything it has said, and somebody who types.

Output is a log that is never emptied: `log` has all of it, `expect` and `read` go through it with a position of their own, and what
they have passed can still be looked at. Whoever waits gets the end of the log in the error if the wait was in vain.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from spapr import log
from spapr.errors import ConfigError, ConsoleClosed, ConsoleMatch, ConsoleTimeout, GuestPanic

if TYPE_CHECKING:
    from spapr import _spapr
    from spapr.machine import Machine

__all__ = ["Console", "check_timeout"]

_TAIL_LINES = 20
_TAIL_BYTES = 4096
_WHOLE = (1 << 63) - 1
Pattern = str | re.Pattern[str]


def check_timeout(timeout: float | None) -> float | None:
    """A timeout in seconds, or None for as long as it takes."""
    if timeout is not None and not (isinstance(timeout, (int, float)) and timeout >= 0):
        raise ConfigError("timeout", f"{timeout!r} seconds is no time to wait", "use timeout=60, or None to wait for ever")
    return timeout


class Console:
    """A terminal of the guest."""

    def __init__(self, machine: Machine, console: _spapr.Console, index: int) -> None:
        self._machine = machine
        self._console = console
        self._position = 0
        self.index = index
        """Which terminal, counted from 0."""

    @property
    def raw(self) -> bytes:
        """All output so far, as it came."""
        return self._console.output(0, _WHOLE)

    @property
    def log(self) -> str:
        """All output so far, as text: UTF-8, with "\\n" alone at the end of lines."""
        return _text(self.raw)

    @property
    def position(self) -> int:
        """How many bytes of the output `expect` and `read` have passed. May be set: 0 is the beginning."""
        return self._position

    @position.setter
    def position(self, value: int) -> None:
        self._position = max(0, min(value, self._console.size()))

    def tail(self, lines: int = _TAIL_LINES) -> str:
        """The last lines of the output."""
        size = self._console.size()
        start = max(0, size - max(_TAIL_BYTES, 200 * lines))
        return "\n".join(_text(self._console.output(start, _WHOLE)).splitlines()[-lines:])

    def expect(self, pattern: Pattern, *, fail_on: Pattern | None = None, timeout: float | None = 60) -> re.Match[str]:
        """Waits until the output that nobody has passed yet has a match of `pattern`, and passes it.

        Patterns are regular expressions, in which `^` and `$` stand for lines. A match of `fail_on` that ends earlier raises
        `ConsoleMatch`, the guest's panic `GuestPanic`, its end `ConsoleClosed`, and after `timeout` seconds (None: never) comes `ConsoleTimeout`. A machine that is
        paused says nothing, so a wait for it ends at once. Ctrl-C pauses the machine.
        """
        wanted, unwanted = _compiled(pattern), None if fail_on is None else _compiled(fail_on)
        check_timeout(timeout)
        try:
            return self._expect(pattern, wanted, unwanted, timeout)
        except KeyboardInterrupt:
            self._machine.pause()
            raise
        finally:
            log.forward()

    def _said(self, pattern: Pattern) -> re.Match[str] | None:
        """Passes a match that is there already."""
        data = self._console.output(self._position, _WHOLE)
        match = _compiled(pattern).search(_text(data))
        if match:
            self._position += _bytes_until(data, match.end())
        return match

    def _expect(self, pattern: Pattern, wanted: re.Pattern[str], unwanted: re.Pattern[str] | None, timeout: float | None) -> re.Match[str]:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            start = self._position
            data = self._console.output(start, _WHOLE)
            text = _text(data)
            match = wanted.search(text)
            bad = unwanted.search(text) if unwanted else None
            if bad and (match is None or bad.end() < match.end()):
                raise ConsoleMatch(f"console {self.index} said {bad.group()!r}, which is what fail_on={_words(unwanted)} names", self.tail())
            if match:
                self._position = start + _bytes_until(data, match.end())
                return match
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            size = self._console.wait(start + len(data), left)
            if size is None:
                raise ConsoleTimeout(f"console {self.index} did not say {_words(pattern)} within {timeout} s", self.tail())
            if size == start + len(data):
                self._ended(pattern)

    def _ended(self, pattern: Pattern) -> None:
        status = self._machine.status
        if status == "guest-panicked":
            raise GuestPanic(f"the guest panicked before console {self.index} said {_words(pattern)}", self.tail())
        if status in ("prelaunch", "paused"):
            raise ConsoleClosed(f"the machine is {status}, so console {self.index} will not say {_words(pattern)}; start() or resume() it first", self.tail())
        raise ConsoleClosed(f"the machine ended (status {status}) before console {self.index} said {_words(pattern)}", self.tail())

    def read(self, *, timeout: float | None = 0) -> str:
        """The output that nobody has passed yet, and passes it; waits up to `timeout` seconds for some if there is none."""
        check_timeout(timeout)
        if self._console.size() <= self._position and timeout != 0:
            self._console.wait(self._position, timeout)
        data = self._console.output(self._position, _WHOLE)
        self._position += len(data)
        return _text(data)

    def lines(self, *, timeout: float | None = None) -> Iterator[str]:
        """The lines of the output that nobody has passed yet, as they come, until the machine stops.

        After `timeout` seconds without a line comes `ConsoleTimeout`.
        """
        while True:
            try:
                yield self.expect(r"(.*)\n", timeout=timeout).group(1)
            except ConsoleClosed:
                if rest := self.read():
                    yield rest
                return

    def since(self, position: int) -> bytes:
        """The output from a position, as it came, whoever has passed it."""
        return self._console.output(position, _WHOLE)

    def wait_beyond(self, position: int, timeout: float | None) -> bool:
        """Waits until there is output beyond `position`; whether there is. Ends at once when the machine does not run."""
        size = self._console.wait(position, check_timeout(timeout))
        return size is not None and size > position

    def write(self, data: str | bytes, *, timeout: float | None = 60) -> None:
        """Types `data`. Waits only when a megabyte is untyped because the guest does not read."""
        if not isinstance(data, (str, bytes, bytearray, memoryview)):
            raise ConfigError("data", f"{data!r} cannot be typed", 'use write("text") or write(b"bytes")')
        rest = data.encode() if isinstance(data, str) else bytes(data)
        check_timeout(timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        while rest:
            rest = rest[self._console.input(rest) :]
            if not rest:
                return
            if deadline is not None and time.monotonic() >= deadline:
                raise ConsoleTimeout(f"the guest does not read: {len(rest)} bytes are still untyped on console {self.index}", self.tail())
            time.sleep(0.02)

    def sendline(self, line: str = "") -> None:
        """Types a line."""
        self.write(f"{line}\n")

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from spapr import jupyter

        return jupyter.console(self)

    def __repr__(self) -> str:
        return f"<spapr.Console {self.index}: {self._console.size()} bytes, {self._position} passed>"

    def __str__(self) -> str:
        return self.log


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def _bytes_until(data: bytes, characters: int) -> int:
    """How many bytes of `data` make the first `characters` of its text."""
    if characters == 0:
        return 0
    if data.isascii() and b"\r" not in data:
        return characters
    low, high = 0, len(data)
    while low < high:
        middle = (low + high) // 2
        if len(_text(data[:middle])) < characters:
            low = middle + 1
        else:
            high = middle
    return low + 1 if data[low - 1 : low + 1] == b"\r\n" else low


def _compiled(pattern: Pattern) -> re.Pattern[str]:
    if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        return pattern
    if not isinstance(pattern, str):
        raise ConfigError("pattern", f"{pattern!r} is neither a text nor a compiled pattern of texts", 'use expect("login:")')
    try:
        return re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise ConfigError("pattern", f"{pattern!r} is no regular expression: {error}", "use re.escape(text) to look for a text as it is") from None


def _words(pattern: Pattern | None) -> str:
    return repr(pattern.pattern if isinstance(pattern, re.Pattern) else pattern)
