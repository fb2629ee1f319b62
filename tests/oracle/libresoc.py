"""Runs single fixed-point instructions in Libre-SOC's simulator, which executes the pseudocode of Power ISA 3.0B.

The package is an external oracle: nothing of it is kept here, and only `generate.py` needs it (docs/oracles.md says how to
install it). The module papers over its age (written for Python 3.7) and its chatter, and hides its generator-driven decoder.
"""

import builtins
import collections
import collections.abc
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field

# Names that Python 3.10 moved.
for _name in ("MutableSet", "MutableMapping", "Mapping", "Sequence", "Iterable", "Callable", "Hashable"):
    if not hasattr(collections, _name):
        setattr(collections, _name, getattr(collections.abc, _name))

# Generated floating-point helpers that the released archive forgot; no fixed-point instruction calls them.
_missing = types.ModuleType("openpower.decoder.isafunctions.fpfromint")
_missing.INT2FP = None
sys.modules.update({"openpower.decoder.isafunctions": types.ModuleType("isafunctions"), _missing.__name__: _missing})


@dataclass
class State:
    """Registers before or after an instruction: r0 to r31, CR (32 bits) and XER."""

    gpr: list[int] = field(default_factory=lambda: [0] * 32)
    cr: int = 0
    xer: int = 0


def run(cases: list[tuple[str, int, State]]) -> Iterator[State | None]:
    """Executes (mnemonic, image, state before) one by one; the state after each, or None where the simulator cannot do it."""
    speak, builtins.print = builtins.print, lambda *_, **__: None
    try:
        yield from _run(cases)
    finally:
        builtins.print = speak


def _run(cases: list[tuple[str, int, State]]) -> list[State | None]:
    import nmigen.tracer

    # Names of signals are for waveforms alone, and nmigen finds them in the bytecode of older Pythons.
    nmigen.tracer.get_var_name = lambda depth=2, default="signal": default if isinstance(default, str) else "signal"
    from nmigen import Module, Signal
    from nmigen.back.pysim import Settle, Simulator
    from openpower.decoder.isa.all import ISA
    from openpower.decoder.power_decoder import create_pdecode
    from openpower.decoder.power_decoder2 import PowerDecode2
    from openpower.decoder.selectable_int import SelectableInt

    module, instruction = Module(), Signal(32)
    decoder = PowerDecode2(create_pdecode())
    module.submodules.decoder = decoder
    module.d.comb += decoder.dec.raw_opcode_in.eq(instruction)
    names = [name for name, _, _ in cases]
    isa = ISA(decoder, [0] * 32, initial_insns=[image for _, image, _ in cases], respect_pc=True, disassembly=names, bigendian=0)
    after: list[State | None] = []

    def one(k: int, before: State):
        for n, value in enumerate(before.gpr):
            isa.gpr[n] = SelectableInt(value, 64)
        for n in range(8):
            isa.crl[n].eq(SelectableInt(before.cr >> (28 - 4 * n) & 15, 4))
        isa.spr["XER"] = SelectableInt(before.xer, 64)
        isa.set_pc(4 * k)
        isa.pc.CIA.value = 4 * k
        yield from isa.setup_one()
        yield Settle()
        yield from isa.execute_one()
        if isa.pc.CIA.value != 4 * k + 4:
            return None  # it took an instruction that it knows for an illegal one
        cr = 0
        for n in range(8):
            cr = cr << 4 | isa.crl[n].get_range().value
        return State([isa.gpr[n].value for n in range(32)], cr, isa.spr["XER"].value)

    def process():
        yield decoder.dec.bigendian.eq(0)
        for k, (_, _, before) in enumerate(cases):
            try:
                after.append((yield from one(k, before)))
            except (AssertionError, KeyError, NameError, TypeError, AttributeError, ValueError):
                after.append(None)

    simulator = Simulator(module)
    simulator.add_process(process)
    simulator.run()
    return after
