"""Guest RAM, by guest real address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spapr import _spapr
from spapr.errors import GuestMemoryError
from spapr.sizes import format_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike, NDArray

__all__ = ["Ram"]


class Ram:
    """Guest RAM. `read` and `write` copy at any time; `view` shows it in place while the machine does not run."""

    def __init__(self, vm: _spapr.Vm) -> None:
        self._ram = vm.ram()

    def __len__(self) -> int:
        return self._ram.size()

    def __getitem__(self, at: slice) -> bytes:
        """A copy of `ram[start:end]`."""
        start, size = self._range(at)
        return self.read(start, size)

    def __setitem__(self, at: slice, data: bytes | bytearray | memoryview | NDArray[Any]) -> None:
        """Copies as many bytes as `ram[start:end]` has."""
        start, size = self._range(at)
        if len(bytes(data)) != size:
            raise ValueError(f"{len(bytes(data))} bytes do not fill {size}; use ram.write({start:#x}, data)")
        self.write(start, data)

    def _range(self, at: slice) -> tuple[int, int]:
        if not isinstance(at, slice) or at.step not in (None, 1):
            raise TypeError(f"{at!r} is no range of addresses; use ram[0x1000:0x1008], or ram.read_int(0x1000)")
        start = 0 if at.start is None else at.start
        end = len(self) if at.stop is None else at.stop
        return start, max(0, end - start)

    def _check(self, address: int, size: int) -> None:
        if address < 0 or size < 0 or address + size > 1 << 64:
            raise GuestMemoryError(address, size, len(self))

    def read(self, address: int, size: int) -> bytes:
        """A copy of `size` bytes."""
        self._check(address, size)
        return self._ram.read(address, size)

    def write(self, address: int, data: bytes | bytearray | memoryview | NDArray[Any]) -> None:
        """Copies `data` into RAM."""
        self._check(address, 0)
        self._ram.write(address, bytes(data))

    def view(self, address: int = 0, size: int | None = None, dtype: DTypeLike = "u1") -> NDArray[Any]:
        """RAM in place, as a read-only array: no copy, whatever its size.

        Only while the machine does not run; and it does not run (`BufferError`) while a view is alive. `dtype=">u8"` are the guest's
        big-endian doublewords. `size` is in bytes; None: all there is from `address`.
        """
        import numpy as np

        if size is None:
            size = max(0, len(self) - address)
        self._check(address, size)
        # A view is a buffer, which its generated type does not say before Python 3.12.
        array: NDArray[Any] = np.frombuffer(self._ram.view(address, size), dtype=np.dtype(dtype))  # type: ignore[call-overload]
        return array

    def read_int(self, address: int, size: int = 8, *, little_endian: bool = False) -> int:
        """An unsigned integer of `size` bytes."""
        return int.from_bytes(self.read(address, size), "little" if little_endian else "big")

    def __repr__(self) -> str:
        return f"<spapr.Ram {format_size(len(self))}>"
