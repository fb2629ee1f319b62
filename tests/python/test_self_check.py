"""The translator beside the interpreter, block by block, in whole guests."""

from __future__ import annotations

import pytest
from accel import accelerators
from linux import Linux

import spapr
from spapr.testing import embedded_guest

pytestmark = pytest.mark.skipif("tcg" not in accelerators(), reason="there is no translator for this host")


def test_a_guest_passes() -> None:
    with spapr.Machine(accel="tcg,self-check=1", icount=True, smp=4, memory="256M", kernel=embedded_guest("be")) as vm:
        for command in ("ids", "sprs", "ipi 0"):
            assert vm.run(until=r"^> ", timeout=120).reason == "console", vm.status_text
            vm.console.sendline(command)
        assert vm.run(until=r"^ok\n> ", timeout=120).reason == "console", vm.status_text
        assert vm.accel_stats()["blocks checked"] > 1000


def test_vcpus_beside_each_other_are_refused() -> None:
    with pytest.raises(spapr.ConfigError, match="icount=True"):
        spapr.Machine(accel="tcg,self-check=100", smp=2, memory="256M")
    with pytest.raises(spapr.ConfigError, match="self-check=100"):
        spapr.Machine(accel="tcg,self-check=0", memory="256M")


@pytest.mark.linux
def test_linux_boots_with_a_block_in_ten_thousand_checked() -> None:
    with Linux(accel="tcg,self-check=10000") as guest:
        assert not guest.complaints()
        guest.vm.pause()
        assert guest.vm.accel_stats()["blocks checked"] > 5_000
