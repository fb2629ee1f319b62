"""Binary floating point as the book defines it, computed with exact rational numbers: values, FPSCR flags, FR, FI and FPRF.

A result is the exact quotient, sum or root, rounded once by integer division. That is far from the bit shuffling of an implementation (ours,
QEMU's and SoftFloat's alike), and it yields what those do not keep: whether the magnitude was rounded up (FR), tininess before rounding, and
the results of enabled exceptions. Power ISA 3.1 I 4.3, 4.4, 7.3.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import isqrt

# FPSCR, bit numbers from the right (the book counts from the left: 63 minus these).
FX, FEX, VX, OX, UX, ZX, XX = (1 << n for n in (31, 30, 29, 28, 27, 26, 25))
VXSNAN, VXISI, VXIDI, VXZDZ, VXIMZ, VXVC = (1 << n for n in (24, 23, 22, 21, 20, 19))
FR, FI, VXSOFT, VXSQRT, VXCVI = (1 << n for n in (18, 17, 10, 9, 8))
VE, OE, UE, ZE, XE = (1 << n for n in (7, 6, 5, 4, 3))
FPRF = 0x1F000
INVALID = VXSNAN | VXISI | VXIDI | VXZDZ | VXIMZ | VXVC | VXSOFT | VXSQRT | VXCVI
STICKY = OX | UX | ZX | XX | INVALID
NEAREST, ZERO, UP, DOWN, AWAY, ODD = range(6)


@dataclass(frozen=True)
class Format:
    """A binary interchange format: bits of exponent and of precision, and how far an enabled overflow moves the exponent."""

    exponent: int
    precision: int
    adjust: int

    @property
    def width(self) -> int:
        return self.exponent + self.precision

    @property
    def emax(self) -> int:
        return (1 << (self.exponent - 1)) - 1

    @property
    def emin(self) -> int:
        return 1 - self.emax

    @property
    def default_nan(self) -> int:
        return ((1 << (self.exponent + 1)) - 1) << (self.precision - 2)

    def infinity(self, sign: int) -> int:
        return sign << (self.width - 1) | ((1 << self.exponent) - 1) << (self.precision - 1)


SINGLE, DOUBLE, QUAD = Format(8, 24, 192), Format(11, 53, 1536), Format(15, 113, 24576)


class Undefined(Exception):
    """The book does not say what these operands give."""


@dataclass
class Number:
    """What some bits mean: kind is `nan`, `snan`, `inf` or `num`; zero keeps its sign."""

    kind: str
    sign: int
    value: Fraction = Fraction(0)
    bits: int = 0

    @property
    def nan(self) -> bool:
        return self.kind in ("nan", "snan")

    @property
    def zero(self) -> bool:
        return self.kind == "num" and self.value == 0


@dataclass
class Result:
    """Bits in the target's format (None: an enabled exception leaves the target), exceptions, and FR, FI; `fr_known` unless undefined."""

    bits: int | None
    flags: int = 0
    fr: bool = False
    fi: bool = False
    fr_known: bool = True
    fprf: int | None = field(default=None)


def unpack(bits: int, f: Format) -> Number:
    """Bits of a format as a number."""
    sign = bits >> (f.width - 1) & 1
    e = bits >> (f.precision - 1) & ((1 << f.exponent) - 1)
    m = bits & ((1 << (f.precision - 1)) - 1)
    if e == (1 << f.exponent) - 1:
        quiet = m >> (f.precision - 2) & 1
        return Number("inf" if m == 0 else "nan" if quiet else "snan", sign, bits=bits)
    m, e = (m | 1 << (f.precision - 1), e) if e else (m, 1)
    value = Fraction(m) * Fraction(2) ** (e - f.emax - f.precision + 1)
    return Number("num", sign, -value if sign else value, bits)


def pack(sign: int, magnitude: Fraction, f: Format) -> int:
    """A magnitude that the format represents, as bits."""
    if magnitude == 0:
        return sign << (f.width - 1)
    e = max(exponent(magnitude), f.emin)
    m = magnitude / Fraction(2) ** (e - f.precision + 1)
    assert m.denominator == 1
    biased = e + f.emax if m.numerator >> (f.precision - 1) else 0
    return sign << (f.width - 1) | biased << (f.precision - 1) | m.numerator & ((1 << (f.precision - 1)) - 1)


def exponent(q: Fraction) -> int:
    """floor(log2 q) of a positive number."""
    e = q.numerator.bit_length() - q.denominator.bit_length()
    return e if Fraction(2) ** e <= q else e - 1


def increments(sign: int, floor: int, rest: Fraction, mode: int) -> bool:
    """Whether a magnitude whose whole quanta are `floor` is rounded up for a rest below 1."""
    if rest == 0 or mode == ZERO:
        return False
    if mode == ODD:
        return floor % 2 == 0
    if mode in (UP, DOWN):
        return sign == (mode == DOWN)
    half = Fraction(1, 2)
    return rest > half or (rest == half and (mode == AWAY or floor % 2 == 1))


def quantize(sign: int, q: Fraction, quantum: int, mode: int) -> tuple[Fraction, bool, bool]:
    """A magnitude rounded to a multiple of 2**quantum, whether it was incremented, whether it is inexact."""
    unit = Fraction(2) ** quantum
    floor = (q / unit).numerator // (q / unit).denominator
    rest = q / unit - floor
    up = increments(sign, floor, rest, mode)
    return (floor + up) * unit, up, rest != 0


def rounded(sign: int, q: Fraction, f: Format, held: Format, mode: int, enables: int) -> Result:
    """A nonzero exact result of magnitude q in format f, held in a register of format `held`."""
    flags = 0
    if exponent(q) < f.emin and enables & UE:
        flags |= UX
        q *= Fraction(2) ** f.adjust
        if exponent(q) < f.emin:
            raise Undefined("so small that even the moved exponent does not reach it")
    tiny = exponent(q) < f.emin
    value, up, inexact = quantize(sign, q, max(exponent(q), f.emin) - f.precision + 1, mode)
    if value >= Fraction(2) ** (f.emax + 1):
        flags |= OX
        if not enables & OE:
            if mode == ODD:
                raise Undefined("overflow when rounding to odd")
            largest = (Fraction(2) - Fraction(2) ** (1 - f.precision)) * Fraction(2) ** f.emax
            stays = mode == ZERO or (mode in (UP, DOWN) and sign != (mode == DOWN))
            bits = pack(sign, largest, held) if stays else held.infinity(sign)
            return classed(Result(bits, flags | XX, False, True, False), f, held)
        q /= Fraction(2) ** f.adjust
        if exponent(q) > f.emax:
            raise Undefined("so large that even the moved exponent does not reach it")
        value, up, inexact = quantize(sign, q, exponent(q) - f.precision + 1, mode)
    if tiny and inexact:
        flags |= UX
    return classed(Result(pack(sign, value, held), flags | (XX if inexact else 0), up, inexact), f, held)


def classed(r: Result, f: Format, held: Format) -> Result:
    """The result with its FPRF, the class that it has in format f."""
    n = unpack(r.bits, held)
    if n.nan:
        r.fprf = 0x11
    elif n.kind == "inf":
        r.fprf = 0x09 if n.sign else 0x05
    elif n.zero:
        r.fprf = 0x12 if n.sign else 0x02
    elif abs(n.value) < Fraction(2) ** f.emin:
        r.fprf = 0x18 if n.sign else 0x14
    else:
        r.fprf = 0x08 if n.sign else 0x04
    return r


def root(q: Fraction) -> Fraction:
    """The square root, or something between it and its neighbours that rounds as it does in any format."""
    scale = 1 << 2 * (300 + max(0, q.denominator.bit_length() - q.numerator.bit_length()))
    n = q.numerator * scale // q.denominator
    whole = isqrt(n)
    exact = whole * whole == n and n * q.denominator == q.numerator * scale
    return Fraction(2 * whole + (0 if exact else 1), 2 * isqrt(scale))


def arithmetic(op: str, operands: list[int], src: Format, dst: Format, mode: int, enables: int) -> Result:
    """add, sub, mul, div, sqrt, madd, msub, nmadd, nmsub (a * c + b), or round (to dst), in the registers' format src."""
    n = [unpack(v, src) for v in operands]
    flags = VXSNAN if any(x.kind == "snan" for x in n) else 0
    nan = next((x for x in n if x.nan), None)
    sign, value, more = _exact(op, n)
    flags |= more & ~ZX
    negate = op.startswith("nm")
    if flags & INVALID:
        if enables & VE:
            return Result(None, flags)
        bits = nan.bits | 1 << (src.precision - 2) if nan else src.default_nan
        return classed(Result(_narrow(bits, src, dst), flags), dst, src)
    if nan:
        return classed(Result(_narrow(nan.bits, src, dst)), dst, src)
    if more & ZX and enables & ZE:
        return Result(None, ZX)
    if value is None:
        return classed(Result(src.infinity(sign ^ negate), more), dst, src)
    if value == 0:
        if sign is None:
            sign = 1 if mode == DOWN else 0
        return classed(Result((sign ^ negate) << (src.width - 1)), dst, src)
    r = rounded(1 if value < 0 else 0, abs(value), dst, src, mode, enables)
    r.bits ^= negate << (src.width - 1)
    return classed(r, dst, src)


def _narrow(nan: int, src: Format, dst: Format) -> int:
    """A NaN with only the bits that the narrower format keeps."""
    return nan & ~((1 << (src.precision - dst.precision)) - 1)


def _exact(op: str, n: list[Number]) -> tuple[int | None, Fraction | None, int]:
    """Sign (of a zero or infinity; None: that of an exact cancellation), exact value (None: infinite), exceptions of numbers that are no NaNs."""
    if op in ("madd", "msub", "nmadd", "nmsub"):
        a, b, c = n
        if op.endswith("sub"):
            b = Number(b.kind, 1 - b.sign, -b.value, b.bits)
        if not a.nan and not c.nan and "inf" in (a.kind, c.kind) and (a.zero or c.zero):
            return 0, None, VXIMZ
        if any(x.nan for x in n):
            return 0, None, 0
        product = Number("inf" if "inf" in (a.kind, c.kind) else "num", a.sign ^ c.sign, a.value * c.value)
        return _sum(product, b)
    if any(x.nan for x in n):
        return 0, None, 0
    if op == "round":
        return n[0].sign, None if n[0].kind == "inf" else n[0].value, 0
    if op == "sqrt":
        a = n[0]
        if a.sign and not a.zero:
            return 0, None, VXSQRT
        return a.sign, None if a.kind == "inf" else root(a.value) if a.value else Fraction(0), 0
    a, b = n
    sign = a.sign ^ b.sign
    if op in ("add", "sub"):
        return _sum(a, Number(b.kind, 1 - b.sign, -b.value) if op == "sub" else b)
    if op == "mul":
        if "inf" in (a.kind, b.kind):
            return sign, None, VXIMZ if a.zero or b.zero else 0
        return sign, a.value * b.value, 0
    if a.kind == "inf":
        return sign, None, VXIDI if b.kind == "inf" else 0
    if b.kind == "inf":
        return sign, Fraction(0), 0
    if b.zero:
        return sign, None, VXZDZ if a.zero else ZX
    return sign, a.value / b.value, 0


def _sum(a: Number, b: Number) -> tuple[int | None, Fraction | None, int]:
    if a.kind == "inf" or b.kind == "inf":
        opposite = a.kind == b.kind and a.sign != b.sign
        return (a.sign if a.kind == "inf" else b.sign), None, VXISI if opposite else 0
    total = a.value + b.value
    return (a.sign if a.sign == b.sign else None), total, 0


def status(fpscr: int, r: Result, touches_rounding: bool = True) -> int:
    """FPSCR after a result: sticky bits, FX if one of them is new, the summaries VX and FEX, and FR, FI, FPRF of a scalar."""
    new = fpscr | r.flags
    if r.flags & ~fpscr & STICKY:
        new |= FX
    if touches_rounding:
        new = new & ~(FR | FI) | (FR if r.fr else 0) | (FI if r.fi else 0)
        if r.fprf is not None:
            new = new & ~FPRF | r.fprf << 12
    return summary(new)


def summary(fpscr: int) -> int:
    """FPSCR with VX and FEX made of the other bits."""
    fpscr = fpscr & ~(VX | FEX) | (VX if fpscr & INVALID else 0)
    enabled = ((VX, VE), (OX, OE), (UX, UE), (ZX, ZE), (XX, XE))
    return fpscr | (FEX if any(fpscr & e and fpscr & on for e, on in enabled) else 0)


def to_integer(bits: int, src: Format, width: int, sign: bool, mode: int, enables: int) -> Result:
    """A number converted to an integer of `width` bits, as the low bits of a doubleword; FPRF is undefined."""
    n = unpack(bits, src)
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if sign else (0, (1 << width) - 1)
    value, up, inexact = Fraction(0), False, False
    if n.kind == "num":
        value, up, inexact = quantize(n.sign, abs(n.value), 0, mode)
        value = -value if n.sign else value
    if n.kind == "num" and low <= value <= high:
        return Result(int(value) & ((1 << width) - 1), XX if inexact else 0, up, inexact)
    flags = VXCVI | (VXSNAN if n.kind == "snan" else 0)
    bound = low if n.nan or n.sign else high
    return Result(None if enables & VE else bound & ((1 << width) - 1), flags)


def from_integer(value: int, dst: Format, held: Format, mode: int) -> Result:
    """An integer as a floating-point number."""
    if value == 0:
        return classed(Result(0), dst, held)
    return rounded(1 if value < 0 else 0, Fraction(abs(value)), dst, held, mode, 0)
