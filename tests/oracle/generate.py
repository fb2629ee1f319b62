"""Writes tests/golden/oracle/*.txt: what witnesses other than QEMU say that single instructions do. How to run it: docs/oracles.md.

A line is `image before = after`. Before and after are `register=value` in hexadecimal; what is not named before has its usual value (CR is
12345678, all else 0) and what is not named after must not change. `r3&mask=value` compares only some bits: the rest is undefined.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import exact
import fixed_rows
import float_rows
import misc_rows

OUT = Path(__file__).resolve().parent.parent / "golden" / "oracle"
CR = 0x12345678
XER_BITS = [exact.SO, exact.OV, exact.CA, exact.OV32, exact.CA32]



def assemble(lines: list[str]) -> list[int]:
    """Images of lines of assembly, by the cross assembler."""
    with tempfile.TemporaryDirectory() as d:
        source, obj, raw = (Path(d) / name for name in ("a.s", "a.o", "a.bin"))
        source.write_text("\n".join(lines) + "\n")
        subprocess.run(["powerpc64le-linux-gnu-as", "-mpower10", "-mregnames", "-o", obj, source], check=True)
        subprocess.run(["powerpc64le-linux-gnu-objcopy", "-O", "binary", "-j", ".text", obj, raw], check=True)
        data = raw.read_bytes()
    return [int.from_bytes(data[k : k + 4], "little") for k in range(0, len(data), 4)]


def fixed_cases(each: int):
    """(mnemonic, operands, image, state before) for every fixed-point row, the same each time."""
    from libresoc import State

    rng = random.Random(20)
    cases = []
    for text, pattern in fixed_rows.ROWS:
        for name in fixed_rows.forms(text):
            for _ in range(each):
                gpr = [0] * 32
                gpr[3:7] = [fixed_rows.operand(rng) for _ in range(4)]
                if name not in ("rlwimi", "rlwimi.", "rldimi", "rldimi."):
                    gpr[3] = 0
                if name.startswith("bpermd"):
                    gpr[4] &= 0x7F3F7F3F7FFF3F3F
                if name.startswith("divde") or name.startswith("divwe"):
                    gpr[4] = rng.choice([gpr[4], gpr[4] >> rng.randrange(64)])
                xer = sum(bit for bit in XER_BITS if rng.randrange(2)) if rng.randrange(3) else 0
                cases.append((name, fixed_rows.fields(pattern, rng), State(gpr, rng.getrandbits(32) if pattern[0] in "BN" else CR, xer)))
    images = assemble([f"{name} {operands}" for name, operands, _ in cases])
    return [(name, operands, image, state) for (name, operands, state), image in zip(cases, images, strict=True)]


def flagged(xer: int, flags: tuple[bool, bool], bits: tuple[int, int]) -> int:
    """XER with two bits as the flags say."""
    for flag, bit in zip(flags, bits, strict=True):
        xer = xer | bit if flag else xer & ~bit
    return xer


def judged(name: str, operands: str, before, after):
    """The state after as exact arithmetic has it (where that knows the row, else as the simulator has it, or None), the defined bits of r3 and CR, and whether that is other than the simulator's."""
    row = name.rstrip(".").removesuffix("o")
    words = operands.split(",")
    a, b, c = before.gpr[4], before.gpr[5], before.gpr[6]
    if row in ("addi", "addic", "subfic", "mulli"):
        b = int(words[2]) & exact.M64
    want = exact.result(row, a, b, c, before.xer)
    if want is None:
        return after, exact.M64, 0xFFFFFFFF, False
    xer = before.xer
    carrying = row.startswith(("addc", "adde", "addic", "addme", "addze", "subfc", "subfe", "subfic", "subfm", "subfz"))
    overflowing = name.rstrip(".").endswith("o")
    if carrying:
        xer = flagged(xer, want.carry, (exact.CA, exact.CA32))
    if overflowing:
        xer = flagged(xer, want.overflow, (exact.OV, exact.OV32)) | (exact.SO if want.overflow[0] else 0)
    gpr, cr, cr_defined = list(before.gpr), before.cr, 0xFFFFFFFF
    gpr[3] = want.value or 0
    if name.endswith("."):
        value = exact.signed(gpr[3], 64)
        cr0 = (8 if value < 0 else 4 if value > 0 else 2) | (1 if xer & exact.SO else 0)
        cr = cr & 0x0FFFFFFF | cr0 << 28
        if want.defined != exact.M64:
            cr_defined = 0x1FFFFFFF
    differs = after is not None and ((gpr[3] ^ after.gpr[3]) & want.defined or (cr ^ after.cr) & cr_defined or xer != after.xer)
    return type(before)(gpr, cr, xer), want.defined, cr_defined, bool(differs)


def line(image: int, before, after, defined: int, cr_defined: int) -> str:
    """One line of the file."""
    named = [(f"r{n}", v, 0) for n, v in enumerate(before.gpr)] + [("cr", before.cr, CR), ("xer", before.xer, 0)]
    given = [f"{name}={v:x}" for name, v, usual in named if v != usual]
    then = []
    pairs = [(f"r{n}", u, v, defined if n == 3 else exact.M64) for n, (u, v) in enumerate(zip(before.gpr, after.gpr, strict=True))]
    pairs += [("cr", before.cr, after.cr, cr_defined), ("xer", before.xer, after.xer, exact.M64)]
    for name, u, v, mask in pairs:
        if mask == (0xFFFFFFFF if name == "cr" else exact.M64):
            then += [f"{name}={v:x}"] if u != v else []
        else:
            then.append(f"{name}&{mask:x}={v & mask:x}")
    return " ".join([f"{image:08x}", *given, "=", *then])


def fixed(each: int) -> list[str]:
    """The lines of fixed.txt."""
    import libresoc

    cases = fixed_cases(each)
    results = list(libresoc.run([(name, image, state) for name, _, image, state in cases]))
    lines, against, dumb, last = [], {}, {}, ""
    for (name, operands, image, before), after in zip(cases, results, strict=True):
        if after is None:
            dumb[name] = dumb.get(name, 0) + 1
        after, defined, cr_defined, differs = judged(name, operands, before, after)
        if after is None:
            continue
        if differs:
            against[name] = against.get(name, 0) + 1
        if name != last:
            lines.append(f"# {name}")
            last = name
        lines.append(line(image, before, after, defined, cr_defined))
    print("exact arithmetic against Libre-SOC:", against, "\nnot run by Libre-SOC:", dumb, file=sys.stderr)
    return lines


def stated(rows) -> list[str]:
    """The lines of cases that come as (assembly, registers before, registers after with masks); a value may depend on the image."""
    cases = sorted(rows, key=lambda case: case[0].split(" ")[0].rstrip("."))
    lines, last = [], ""
    for (text, before, after), image in zip(cases, assemble([text for text, _, _ in cases]), strict=True):
        row = text.split(" ")[0].rstrip(".")
        if row != last:
            lines.append(f"# {row}")
            last = row
        given = [f"{name}={v:x}" for name, v in before.items() if v]
        then = []
        for name, (value, mask) in after.items():
            value = value(image) if callable(value) else value
            if name.startswith("vs"):
                whole = exact.M64 << 64 | exact.M64
            else:
                whole = 0xFFFFFFFF if name == "cr" else exact.M64
            if mask & whole != whole:
                then.append(f"{name}&{mask:x}={value & mask:x}")
            elif value != before.get(name, CR if name == "cr" else 0):
                then.append(f"{name}={value:x}")
        lines.append(" ".join([f"{image:08x}", *given, "=", *then]))
    return lines


def main() -> None:
    """Writes the files that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=8, help="cases of every form")
    parser.add_argument("what", nargs="*", default=["fixed", "float", "misc"], help="fixed, float, misc")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    if "fixed" in options.what:
        head = [
            "# Fixed-point rows: Libre-SOC's simulator (the pseudocode of Power ISA 3.0B), and arithmetic in unbounded integers for sums,",
            "# products and quotients. Made by tests/oracle/generate.py, which says what a line means.",
        ]
        (OUT / "fixed.txt").write_text("\n".join(head + fixed(options.each)) + "\n")
    for name, rows, title in (
        ("float", float_rows, "Binary floating point in exact rational arithmetic"),
        ("misc", misc_rows, "Rows that QEMU or Libre-SOC get wrong, from the book's words"),
    ):
        if name in options.what:
            head = f"# {title} (tests/oracle/{name}_rows.py). Made by tests/oracle/generate.py, which says what a line means."
            (OUT / f"{name}.txt").write_text("\n".join([head, *stated(rows.cases(random.Random(20), options.each))]) + "\n")


if __name__ == "__main__":
    main()
