"""Rows of other chapters that QEMU or Libre-SOC get wrong, each with what the book says as a few lines of plain Python."""

import random
from collections.abc import Iterator

import ieee
from exact import CA, CA32, OV, OV32, signed
from fixed_rows import operand
from float_rows import FPSCR_MASK, M128, Case, fpscr
from float_rows import operand as number

M64 = (1 << 64) - 1
IMAGE_AT = 0x1000  # loads read their own image


def exactly(**registers: int) -> dict[str, tuple[int, int]]:
    """Registers after, all bits defined."""
    return {name: (value, M128) for name, value in registers.items()}


def declet(digits: int) -> int:
    """Three decimal digits densely packed (Power ISA I Appendix B)."""
    a, b, c, d, e, f, g, h, i, j, k, m = (digits >> (11 - n) & 1 for n in range(12))
    bits = {
        (0, 0, 0): (b, c, d, f, g, h, 0, j, k, m), (0, 0, 1): (b, c, d, f, g, h, 1, 0, 0, m), (0, 1, 0): (b, c, d, j, k, h, 1, 0, 1, m),
        (0, 1, 1): (b, c, d, 1, 0, h, 1, 1, 1, m), (1, 0, 0): (j, k, d, f, g, h, 1, 1, 0, m), (1, 0, 1): (f, g, d, 0, 1, h, 1, 1, 1, m),
        (1, 1, 0): (j, k, d, 0, 0, h, 1, 1, 1, m), (1, 1, 1): (0, 0, d, 1, 1, h, 1, 1, 1, m),
    }[a, e, i]  # fmt: skip
    return int("".join(map(str, bits)), 2)


def fixed(rng: random.Random, each: int) -> Iterator[Case]:
    """What Libre-SOC's simulator does not run."""
    for _ in range(2 * each):
        a, b = operand(rng), operand(rng)
        given = {"r4": a, "r5": b}
        nibbles = [0 if (a & (16 << 4 * k) - 1) + (b & (16 << 4 * k) - 1) >> 4 * k + 4 else 6 for k in range(16)]
        yield "addg6s 3,4,5", given, exactly(r3=sum(n << 4 * k for k, n in enumerate(nibbles)))
        picks = a & 0x7F3F7F3F7FFF3F3F
        bits = [b >> (63 - index) & 1 if index < 64 else 0 for index in picks.to_bytes(8, "big")]
        yield "bpermd 3,4,5", {"r4": picks, "r5": b}, exactly(r3=int("".join(map(str, bits)), 2))
        decimal = [int("".join(str(rng.randrange(10)) for _ in range(3)), 16) for _ in range(4)]
        bcd = decimal[0] << 44 | decimal[1] << 32 | decimal[2] << 12 | decimal[3]
        packed = declet(decimal[0]) << 42 | declet(decimal[1]) << 32 | declet(decimal[2]) << 10 | declet(decimal[3])
        yield "cdtbcd 3,4", {"r4": packed}, exactly(r3=bcd)
        yield "cbcdtd 3,4", {"r4": bcd}, exactly(r3=packed)
        both = rng.randrange(2)
        high2, low2, high, low = (b & 0xFFFFFFFF).to_bytes(4, "big")
        inside = low <= a & 255 <= high or (both and low2 <= a & 255 <= high2)
        yield f"cmprb 3,{both},4,5", given, exactly(cr=0x12345678 & ~0xF0000 | (4 if inside else 0) << 16)
        xer = sum(bit for bit in (OV, OV32, CA, CA32) if rng.randrange(2))
        code = sum(v for bit, v in ((OV, 8), (OV32, 4), (CA, 2), (CA32, 1)) if xer & bit)
        yield "mcrxrx 3", {"xer": xer}, exactly(cr=0x12345678 & ~0xF0000 | code << 16)
        for row, width in (("cntlzw.", 32), ("cntlzd.", 64)):
            zeros = width - (a & (1 << width) - 1).bit_length()
            yield f"{row} 3,4", given, exactly(r3=zeros, cr=0x02345678 | (4 if zeros else 2) << 28)
    for ct in range(8):
        yield f"icbt {ct},0,5", {"r5": IMAGE_AT}, {}


def masked(rng: random.Random, each: int) -> Iterator[Case]:
    """vrldmi and vrlwmi: bits outside the mask stay."""
    for row, width in (("vrldmi", 64), ("vrlwmi", 32)):
        for _ in range(each):
            a, b, t = (rng.getrandbits(128) for _ in range(3))
            out = 0
            for at in range(0, 128, width):
                x, how, old = (v >> at & ((1 << width) - 1) for v in (a, b, t))
                first, last, n = how >> 16 & (width - 1), how >> 8 & (width - 1), how & (width - 1)
                turned = (x << n | x >> (width - n)) & ((1 << width) - 1)
                inside = [p >= first and p <= last if first <= last else p >= first or p <= last for p in range(width)]
                mask = int("".join("1" if i else "0" for i in inside), 2)
                out |= (turned & mask | old & ~mask) << at
            yield f"{row} 3,4,5", {"vs36": a, "vs37": b, "vs35": t}, exactly(vs35=out)


def vector(rng: random.Random, each: int) -> Iterator[Case]:
    """mtvscr, vexptefp of zeros and infinities, and 256-bit quotients that fit."""
    for _ in range(each):
        v = rng.getrandbits(128)
        special = rng.choices([(0, 0x3F800000), (1 << 31, 0x3F800000), (0xFF800000, 0), (0x7F800000, 0x7F800000)], k=4)
        out = [sum(pair[k] << 32 * n for n, pair in enumerate(special)) for k in (0, 1)]
        yield "vexptefp 3,5", {"vs37": out[0]}, exactly(vs35=out[1])
        yield "mtvscr 5", {"vs37": v}, exactly(vscr=v & 0x10001)
    for row, sign in (("vdiveuq", False), ("vdivesq", True)):
        made = 0
        while made < each:
            a, b = rng.getrandbits(rng.randrange(1, 128)), rng.getrandbits(rng.randrange(100, 129))
            if sign and rng.randrange(2):
                a = -a & M128
            n, d = (signed(a, 128), signed(b, 128)) if sign else (a, b)
            if d == 0:
                continue
            q = (abs(n) << 128) // abs(d) * (1 if (n < 0) == (d < 0) else -1)
            if not (-(1 << 127) <= q < 1 << 127 if sign else q <= M128):
                continue
            made += 1
            yield f"{row} 3,4,5", {"vs36": a, "vs37": b}, exactly(vs35=q & M128)


def decimal(rng: random.Random, each: int) -> Iterator[Case]:
    """Shifts and truncations of packed decimal numbers: CR6 compares the source with zero, whatever is left of it."""
    for _ in range(3 * each):
        unsigned = rng.randrange(2)
        places = 32 if unsigned else 31
        source = rng.choice([0, 1, rng.randrange(10 ** rng.randrange(1, places + 1))])
        negative = not unsigned and rng.randrange(2)
        ps = rng.randrange(2)
        sign = 13 if negative else 15 if ps else 12
        packed = lambda n: int(str(n), 16) if unsigned else int(str(n), 16) << 4 | sign  # noqa: B023, E731
        count = rng.choice([0, 1, -1, 30, 31, 32, -30, -31, -32, rng.randrange(-128, 128)])
        keep = rng.choice([0, 1, 30, 31, 32, rng.randrange(40)])
        wide = source * 10**count if count > 0 else source // 10**-count
        half = source * 10**count if count > 0 else (2 * source + 10**-count) // (2 * 10**-count)
        rows = [("bcdutrunc.", source % 10**keep, keep, source >= 10**keep), ("bcdus.", wide, count & 255, wide >= 10**places)]
        if not unsigned:
            rows = [("bcdtrunc.", rows[0][1], keep, rows[0][3]), ("bcds.", *rows[1][1:]), ("bcdsr.", half, count & 255, half >= 10**places)]
        order = 2 if source == 0 else 8 if negative else 4
        other = rng.choice([0, rng.randrange(10**31)])
        code = rng.choice([10, 11, 12, 13, 14, 15])
        order_copied = 2 if other == 0 else 8 if code in (11, 13) else 4
        given = {"vs36": int(str(other), 16) << 4 | 12, "vs37": packed(source) & ~15 | code}
        yield "bcdcpsgn. 3,4,5", given, exactly(vs35=int(str(other), 16) << 4 | code, cr=0x12345608 | order_copied << 4)
        for row, value, how, lost in rows:
            cr6 = order | (1 if lost else 0)
            after = exactly(vs35=packed(value % 10**places), cr=0x12345678 & ~0xF0 | cr6 << 4)
            yield f"{row} 3,4,5" + ("" if unsigned else f",{ps}"), {"vs36": how << 64, "vs37": packed(source)}, after


def halves(rng: random.Random, each: int) -> Iterator[Case]:
    """Loads and moves into the first doubleword of a VSR, which clear the second. The loads read their own image, `{image}` below."""
    old = {"vs3": M128, "r5": IMAGE_AT}
    for row, value in (("lxsdx", lambda w: w), ("lxsiwzx", lambda w: w), ("lxsiwax", lambda w: signed(w, 32)), ("lxsibzx", lambda w: w & 255),
                       ("lxsihzx", lambda w: w & 0xFFFF), ("lxsspx", as_double)):  # fmt: skip
        yield f"{row} 3,0,5", old, {"vs3": (lambda w, value=value: (value(w) & M64) << 64, M128)}
    for _ in range(each):
        v = operand(rng)
        for row, out in (("mtvsrd", v), ("mtvsrwa", signed(v, 32) & M64), ("mtvsrwz", v & 0xFFFFFFFF)):
            yield f"{row} 3,4", {"r4": v, "vs3": M128}, exactly(vs3=out << 64)


def as_double(word: int) -> int:
    """A single's number in double format."""
    n = ieee.unpack(word, ieee.SINGLE)
    return ieee.pack(n.sign, abs(n.value), ieee.DOUBLE)


def classes(rng: random.Random, each: int) -> Iterator[Case]:
    """xststdcsp: a double taken for a single, denormal if it is below single's normal numbers."""
    smallest = [1, 1 << 51, 0x36A << 52 | 1, 0x380 << 52, 0x381 << 52, 0x380 << 52 | 1, 0x369 << 52]
    for _ in range(4 * each):
        value = rng.choice([number(rng, ieee.DOUBLE), number(rng, ieee.DOUBLE, ieee.SINGLE), rng.choice(smallest), rng.choice(smallest) | 1 << 63])
        n = ieee.unpack(value, ieee.DOUBLE)
        if n.nan:
            continue
        tiny = n.kind == "num" and not n.zero and abs(n.value) < ieee.Fraction(2) ** ieee.SINGLE.emin
        bit = 5 - n.sign if n.kind == "inf" else 3 - n.sign if n.zero else 1 - n.sign if tiny else None
        which = rng.getrandbits(7)
        match = bit is not None and which >> bit & 1
        narrow = ieee.arithmetic("round", [value], ieee.DOUBLE, ieee.SINGLE, 0, 0).bits
        code = n.sign << 3 | match << 1 | (1 if narrow != value else 0)
        before = {"fpscr": fpscr(rng, False), "vs5": value << 64}
        after = exactly(cr=0x12345678 & ~0xF0000 | code << 16)
        yield f"xststdcsp 3,5,{which}", before, after | {"fpscr": (before["fpscr"] & ~0xF000 | code << 12, FPSCR_MASK)}


def status(rng: random.Random, each: int) -> Iterator[Case]:
    """mtfsb0, mtfsb1, mtfsf, mtfsfi with exceptions enabled and not: FEX and VX follow, FX only tells of a new exception in mtfsb1."""
    def after(new: int, dot: str) -> dict[str, tuple[int, int]]:
        new = ieee.summary(new)
        return {"fpscr": (new, FPSCR_MASK)} | (exactly(cr=0x10345678 | (new >> 28 & 15) << 24) if dot else {})

    for _ in range(4 * each):
        old, dot = fpscr(rng, True), rng.choice(["", "."])
        given = {"fpscr": old}
        n = rng.choice([n for n in range(32) if n not in (1, 2, 20)])
        bit = 1 << (31 - n)
        new = old | bit | (ieee.FX if bit & ieee.STICKY and not old & bit else 0)
        yield f"mtfsb1{dot} {n}", given, after(new, dot)
        yield f"mtfsb0{dot} {n}", given, after(old & ~bit, dot)
        fields, source = rng.getrandbits(8), rng.getrandbits(32) & ~0x800
        mask = sum(15 << 4 * k for k in range(8) if fields >> k & 1)
        yield f"mtfsf{dot} {fields},5", given | {"vs5": source << 64}, after(old & ~mask | source & mask, dot)
        field, value = rng.randrange(8), rng.getrandbits(4)
        value &= 7 if field == 5 else 15
        yield f"mtfsfi{dot} {field},{value}", given, after(old & ~(15 << 28 - 4 * field) | value << 28 - 4 * field, dot)


def cases(rng: random.Random, each: int) -> Iterator[Case]:
    """All of them."""
    for group in (fixed, masked, vector, decimal, halves, classes, status):
        yield from group(rng, each)
