"""Talks to a guest: boots spapr's own small one, asks it things, looks into it, and lets it power off.

    .venv/bin/python examples/console.py
"""

from importlib import resources

import spapr

with resources.as_file(resources.files("spapr") / "guests" / "embedded-le.elf") as kernel:
    vm = spapr.Machine(cpu="power10", smp="4,cores=2,threads=2", vsmt=8, memory="256M", kernel=kernel)
with vm:
    vm.start()
    vm.console.expect("ready", timeout=30)
    vm.console.sendline("ids")
    print(vm.console.expect(r"(?s)(thread.*?)^ok", timeout=30).group(1))

    with vm.paused():
        print(vm, *vm.cpus, sep="\n")
        print(*vm.disassemble(vm.cpus[0].nip, 4), sep="\n")

    with vm.trace() as trace:
        vm.console.sendline("ipi 8")
        vm.console.expect("^ok", timeout=30)
        print(dict(trace.counts()))

    vm.console.sendline("off")
    print(vm.wait(timeout=30))
