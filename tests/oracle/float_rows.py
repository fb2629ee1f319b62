"""Floating-point rows and what exact arithmetic (`ieee`) says of them: FPR, VSX scalar, vector and quad-precision forms.

A case is a line of assembly, registers before, and registers after with the mask of their defined bits. Targets are register 3 (r3, f3, vs3,
v3 = vs35), sources 4 to 6.
"""

import random
from collections.abc import Iterator

import ieee
from ieee import DOUBLE, QUAD, SINGLE, Format

M128 = (1 << 128) - 1
HIGH = ((1 << 64) - 1) << 64
FPSCR_MASK = (1 << 64) - 1

Case = tuple[str, dict[str, int], dict[str, tuple[int, int]]]


def defined(op: str, values: list[int], src: Format, dst: Format, mode: int, enables: int) -> ieee.Result | None:
    """As `ieee.arithmetic`, None where the book leaves the result open."""
    try:
        return ieee.arithmetic(op, values, src, dst, mode, enables)
    except ieee.Undefined:
        return None


def operand(rng: random.Random, f: Format, narrow: Format | None = None) -> int:
    """Bits of format f: specials, borders of the range, few-bit numbers, random bits; values of the format `narrow` if given."""
    g = narrow or f
    e_max, m_bits = (1 << g.exponent) - 1, g.precision - 1
    sign = rng.randrange(2)
    kind = rng.randrange(10)
    m = rng.choice([0, 1, (1 << m_bits) - 1, rng.getrandbits(m_bits), rng.getrandbits(4) << (m_bits - 4), 1 << rng.randrange(m_bits)])
    if kind == 0:
        e, m = rng.choice([(0, 0), (e_max, 0), (e_max, 1 << (m_bits - 1)), (e_max, 5)])
        if narrow and e == e_max and m == 5:
            m = 5 << 8
    elif kind == 1:
        e = rng.choice([0, 1, 2])
    elif kind == 2:
        e = e_max - rng.choice([1, 2, 3])
    elif kind <= 4:
        e = rng.randrange(e_max)
    elif kind == 5:
        e = (e_max >> 2) + rng.randrange(-2, 3) if rng.randrange(2) else (e_max >> 1) + (e_max >> 2) + rng.randrange(-2, 3)
    else:
        e = (e_max >> 1) + rng.randrange(-4, 5)
    bits = sign << (g.width - 1) | e << m_bits | m
    if not narrow or narrow == f:
        return bits
    n = ieee.unpack(bits, g)
    if n.kind == "num":
        return ieee.pack(n.sign, abs(n.value), f)
    return f.infinity(sign) | m << (f.precision - g.precision)


def fpscr(rng: random.Random, enables: bool) -> int:
    """A status with its summaries right."""
    value = rng.randrange(4) | rng.getrandbits(5) << 12 | rng.choice([0, ieee.FR, ieee.FI])
    value |= sum(bit for bit in (ieee.OX, ieee.UX, ieee.ZX, ieee.XX, ieee.VXSNAN, ieee.VXISI, ieee.FX) if not rng.randrange(4))
    if enables and not rng.randrange(2):
        value |= sum(bit for bit in (ieee.VE, ieee.OE, ieee.UE, ieee.ZE, ieee.XE) if rng.randrange(2))
    return ieee.summary(value)


def usual(before: dict[str, int], name: str, r: ieee.Result, place, known: int = M128, fprf: bool = True) -> dict[str, tuple[int, int]]:
    """Target and FPSCR (and CR1) after a scalar result; `place` puts its bits into a register."""
    mask = FPSCR_MASK & ~(0 if r.fr_known else ieee.FR) & ~(0 if fprf else ieee.FPRF)
    status = ieee.status(before["fpscr"], r)
    after = {"fpscr": (status, mask)}
    if r.bits is not None:
        target, value = place(r.bits)
        after[target] = (value, known)
    if name.endswith("."):
        after["cr"] = (0x10345678 | (status >> 28 & 15) << 24, 0xFFFFFFFF)
    return after


def scalar(rng: random.Random, each: int) -> Iterator[Case]:
    """fadd to fnmsubs, frsp, and their VSX kin."""
    ops = ["add", "sub", "mul", "div", "sqrt", "madd", "msub", "nmadd", "nmsub", "round"]
    for op in ops:
        for dst in (DOUBLE, SINGLE):
            if op == "round":
                names = ["frsp", "frsp.", "xsrsp"] if dst is SINGLE else []
            else:
                tail = "" if dst is DOUBLE else "s"
                forms = ("a", "m") if "m" in op and op != "mul" else ("",)
                names = [f"f{op}{tail}", f"f{op}{tail}."] + [f"xs{op}{form}{'d' if dst is DOUBLE else 's'}p" for form in forms]
            for name in names:
                yield from _scalar_row(rng, each, op, name, dst)


def _scalar_row(rng: random.Random, each: int, op: str, name: str, dst: Format) -> Iterator[Case]:
    count = 1 if op in ("sqrt", "round") else 3 if "m" in op and op != "mul" else 2
    vsx = name.startswith("xs")
    for _ in range(each):
        values = [operand(rng, DOUBLE, dst if op != "round" else None) for _ in range(count)]
        if count > 1 and not rng.randrange(4):
            values[1] = values[0] ^ rng.choice([0, 1 << 63])
        before = {"fpscr": fpscr(rng, True)}
        if count == 3 and vsx:  # the addend, or a factor, is the target
            a, b, c = values
            line = f"{name} 3,4,5"
            regs = {"vs4": a, "vs3": b, "vs5": c} if name[-3] == "a" else {"vs4": a, "vs5": b, "vs3": c}
        elif count == 3:
            line, regs = f"{name} 3,4,6,5", {"vs4": values[0], "vs5": values[1], "vs6": values[2]}
        elif count == 2:
            line, regs = f"{name} 3,4,5", {"vs4": values[0], "vs5": values[1]}
        else:
            line, regs = f"{name} 3,5", {"vs5": values[0]}
        before |= {k: v << 64 for k, v in regs.items()}
        r = defined(op, values, DOUBLE, dst, before["fpscr"] & 3, before["fpscr"])
        if r is None:
            continue
        yield line, before, usual(before, name, r, lambda bits: ("vs3", bits << 64), M128 if vsx else HIGH)


def quad(rng: random.Random, each: int) -> Iterator[Case]:
    """Quad precision, rounded as FPSCR says or to odd."""
    for op in ["add", "sub", "mul", "div", "sqrt", "madd", "msub", "nmadd", "nmsub"]:
        for odd in ("", "o"):
            name = f"xs{op}qp{odd}"
            for _ in range(each):
                values = [operand(rng, QUAD) for _ in range(1 if op == "sqrt" else 3 if "m" in op and op != "mul" else 2)]
                before = {"fpscr": fpscr(rng, not odd)}
                regs = {1: ["vs37"], 2: ["vs36", "vs37"], 3: ["vs36", "vs35", "vs37"]}[len(values)]
                before |= dict(zip(regs, values, strict=True))
                mode = ieee.ODD if odd else before["fpscr"] & 3
                r = defined(op, values, QUAD, QUAD, mode, before["fpscr"])
                if r is None:
                    continue
                r.fr_known &= not odd
                line = f"{name} 3,5" if op == "sqrt" else f"{name} 3,4,5"
                yield line, before, usual(before, name, r, lambda bits: ("vs35", bits))


def vector(rng: random.Random, each: int) -> Iterator[Case]:
    """xv rows: every element by itself, all their exceptions, FR, FI and FPRF left alone."""
    for op in ["add", "sub", "mul", "div", "sqrt", "madd", "msub", "nmadd", "nmsub"]:
        for f, tail in ((DOUBLE, "dp"), (SINGLE, "sp")):
            for form in ("a", "m") if "m" in op and op != "mul" else ("",):
                name = f"xv{op}{form}{tail}"
                for _ in range(each):
                    yield _vector_case(rng, op, name, f, form)


def _vector_case(rng: random.Random, op: str, name: str, f: Format, form: str) -> Case:
    lanes = 128 // f.width
    count = 1 if op == "sqrt" else 3 if form else 2
    before = {"fpscr": fpscr(rng, False)}
    flags, out, columns = 0, 0, [0] * count
    for _ in range(lanes):
        values = [operand(rng, f) for _ in range(count)]
        columns = [column << f.width | v for column, v in zip(columns, values, strict=True)]
        r = ieee.arithmetic(op, values, f, f, before["fpscr"] & 3, 0)
        flags, out = flags | r.flags, out << f.width | r.bits
    regs = {"": ["vs4", "vs5"] if count == 2 else ["vs5"], "a": ["vs4", "vs3", "vs5"], "m": ["vs4", "vs5", "vs3"]}[form]
    before |= dict(zip(regs, columns, strict=True))
    status = ieee.status(before["fpscr"], ieee.Result(None, flags), touches_rounding=False)
    line = f"{name} 3,5" if count == 1 else f"{name} 3,4,5"
    return line, before, {"vs3": (out, M128), "fpscr": (status, FPSCR_MASK)}


def conversions(rng: random.Random, each: int) -> Iterator[Case]:
    """Integers to floating point and back. FPRF is undefined after the latter, and so is the high half of a word's doubleword."""
    into = {"fcfid": "sd", "fcfidu": "ud", "fcfids": "ss", "fcfidus": "us", "xscvsxddp": "sd", "xscvuxddp": "ud", "xscvsxdsp": "ss", "xscvuxdsp": "us"}
    for name, kind in into.items():
        for _ in range(each):
            raw = rng.choice([rng.getrandbits(64), rng.getrandbits(rng.randrange(1, 64)), -rng.getrandbits(40)]) & ((1 << 64) - 1)
            value = raw - (1 << 64) if kind[0] == "s" and raw >> 63 else raw
            before = {"fpscr": fpscr(rng, False), "vs5": raw << 64}
            r = ieee.from_integer(value, DOUBLE if kind[1] == "d" else SINGLE, DOUBLE, before["fpscr"] & 3)
            yield f"{name} 3,5", before, usual(before, name, r, lambda bits: ("vs3", bits << 64), HIGH if name[0] == "f" else M128)
    out = {
        "fctid": (64, True, 0), "fctidz": (64, True, 1), "fctidu": (64, False, 0), "fctiduz": (64, False, 1), "fctiw": (32, True, 0),
        "fctiwz": (32, True, 1), "fctiwu": (32, False, 0), "fctiwuz": (32, False, 1), "xscvdpsxds": (64, True, 1),
        "xscvdpuxds": (64, False, 1), "xscvdpsxws": (32, True, 1), "xscvdpuxws": (32, False, 1),
    }  # fmt: skip
    for name, (width, sign, truncates) in out.items():
        for _ in range(each):
            before = {"fpscr": fpscr(rng, True), "vs5": operand(rng, DOUBLE) << 64}
            if rng.randrange(2):
                e = 1023 + rng.choice([-1, 0, 1, 30, 31, 32, 62, 63, rng.randrange(64)])
                before["vs5"] = (rng.randrange(2) << 63 | e << 52 | rng.getrandbits(52) & -(1 << rng.randrange(52))) << 64
            mode = ieee.ZERO if truncates else before["fpscr"] & 3
            r = ieee.to_integer(before["vs5"] >> 64, DOUBLE, width, sign, mode, before["fpscr"])
            known = ((1 << width) - 1) << 64
            yield f"{name} 3,5", before, usual(before, name, r, lambda bits: ("vs3", bits << 64), known, fprf=False)


def comparisons(rng: random.Random, each: int) -> Iterator[Case]:
    """fcmpu, fcmpo, xscmpudp, xscmpodp: FR, FI and C stay."""
    for name in ("fcmpu", "fcmpo", "xscmpudp", "xscmpodp"):
        for _ in range(each):
            a, b = operand(rng, DOUBLE), operand(rng, DOUBLE)
            before = {"fpscr": fpscr(rng, True), "vs4": a << 64, "vs5": b << 64}
            x, y = ieee.unpack(a, DOUBLE), ieee.unpack(b, DOUBLE)
            key = lambda n: (n.value, 0) if n.kind == "num" else (0, -1 if n.sign else 1)  # noqa: E731
            flags = ieee.VXSNAN if "snan" in (x.kind, y.kind) else 0
            if x.nan or y.nan:
                code = 1
                if "o" in name[-3:] and (flags == 0 or not before["fpscr"] & ieee.VE):
                    flags |= ieee.VXVC
            else:
                infinite = [n.kind == "inf" for n in (x, y)]
                p, q = key(x), key(y)
                order = (p[1] - q[1]) if any(infinite) else (p[0] > q[0]) - (p[0] < q[0])
                code = 8 if order < 0 else 4 if order > 0 else 2
            status = ieee.status(before["fpscr"] & ~0xF000 | code << 12, ieee.Result(None, flags), touches_rounding=False)
            yield f"{name} 3,4,5", before, {"fpscr": (status, FPSCR_MASK), "cr": (0x12305678 & ~0xF0000 | code << 16, 0xFFFFFFFF)}


def estimates(rng: random.Random, each: int) -> Iterator[Case]:
    """Reciprocal estimates of what has no estimate: zeros, infinities, NaNs, negative numbers under a root."""
    for name in ("fre", "fres", "frsqrte", "frsqrtes", "xsredp", "xsresp", "xsrsqrtedp", "xsrsqrtesp"):
        rooted = "sqrt" in name
        single = name in ("fres", "frsqrtes", "xsresp", "xsrsqrtesp")
        for value in (0, 1 << 63, 0x7FF << 52, 0xFFF << 52, 0x7FF8 << 48 | 5 << 32, 0x7FF0 << 48 | 5 << 32, 0xC000 << 48):
            n = ieee.unpack(value, DOUBLE)
            if n.kind == "num" and n.value and not rooted:
                continue
            before = {"fpscr": fpscr(rng, True), "vs5": value << 64}
            if rooted and n.sign and not n.nan and not n.zero:
                r = ieee.arithmetic("sqrt", [value], DOUBLE, SINGLE if single else DOUBLE, 0, before["fpscr"])
            else:
                r = ieee.arithmetic("div", [0x3FF << 52, value], DOUBLE, SINGLE if single else DOUBLE, 0, before["fpscr"])
            after = usual(before, name, r, lambda bits: ("vs3", bits << 64), HIGH if name[0] == "f" else M128)
            after["fpscr"] = (after["fpscr"][0], FPSCR_MASK & ~(ieee.FR | ieee.FI))
            yield f"{name} 3,5", before, after
    for name, f in (("xvredp", DOUBLE), ("xvresp", SINGLE), ("xvrsqrtedp", DOUBLE), ("xvrsqrtesp", SINGLE)):
        zero = 1 << (f.width - 1) if f is DOUBLE else 0
        line = {"fpscr": fpscr(rng, False), "vs5": sum(zero << (f.width * k) for k in range(128 // f.width))}
        status = ieee.status(line["fpscr"], ieee.Result(None, ieee.ZX), touches_rounding=False)
        out = sum(f.infinity(1 if zero else 0) << (f.width * k) for k in range(128 // f.width))
        yield f"{name} 3,5", line, {"vs3": (out, M128), "fpscr": (status, FPSCR_MASK)}


def quad_integral(rng: random.Random, each: int) -> Iterator[Case]:
    """xsrqpi[x], all eight ways to round, and xsrqpxp (to 64 bits of precision) of numbers in its range."""
    modes = {(0, 0): ieee.AWAY, (1, 0): ieee.NEAREST, (1, 1): ieee.ZERO, (1, 2): ieee.UP, (1, 3): ieee.DOWN}
    for name in ("xsrqpi", "xsrqpix", "xsrqpxp"):
        for way in [*modes, (0, 3)]:
            for _ in range(each):
                e = 16383 + rng.choice([-2, -1, 0, 1, 2, 20, 50, 63, 64, 110, 111, 112])
                value = rng.randrange(2) << 127 | e << 112 | rng.choice([rng.getrandbits(112), 1 << 111, 3 << 110, (1 << 112) - 1])
                before = {"fpscr": fpscr(rng, False), "vs37": value}
                mode = modes.get(way, before["fpscr"] & 3)
                n = ieee.unpack(value, QUAD)
                quantum = ieee.exponent(abs(n.value)) - 63 if name == "xsrqpxp" else 0
                magnitude, up, inexact = ieee.quantize(n.sign, abs(n.value), quantum, mode)
                if name == "xsrqpi":
                    up = inexact = False
                r = ieee.Result(ieee.pack(n.sign, magnitude, QUAD), ieee.XX if inexact else 0, up, inexact)
                ieee.classed(r, QUAD, QUAD)
                yield f"{name} {way[0]},3,5,{way[1]}", before, usual(before, name, r, lambda bits: ("vs35", bits))


def cases(rng: random.Random, each: int) -> Iterator[Case]:
    """All of them."""
    for group in (scalar, quad, vector, conversions, comparisons, estimates, quad_integral):
        yield from group(rng, each)
