"""Fixed-point arithmetic as the book defines it, in integers without bounds: sums, products and quotients with CA, OV and their 32-bit kin.

Nothing here wraps around: a result is computed exactly, and a flag says whether it fits. That is a different way from the interpreter's
(which looks at bits) and from Libre-SOC's (which compares inputs with outputs), so that an error in one shows. Power ISA 3.1 I 3.2.2, 3.3.9.
"""

from dataclasses import dataclass

M64, M32 = (1 << 64) - 1, (1 << 32) - 1
SO, OV, CA, OV32, CA32 = 1 << 31, 1 << 30, 1 << 29, 1 << 19, 1 << 18


@dataclass
class Exact:
    """A result (None: undefined) with the bits of it that are defined, and carry and overflow where the row sets them."""

    value: int | None
    defined: int = M64
    carry: tuple[bool, bool] | None = None
    overflow: tuple[bool, bool] | None = None


def signed(v: int, bits: int) -> int:
    """The two's complement number in the low `bits` of v."""
    v &= (1 << bits) - 1
    return v - (1 << bits) if v >> (bits - 1) else v


def fits(v: int, bits: int, sign: bool) -> bool:
    """Whether a number has a representation of `bits` bits."""
    return -(1 << (bits - 1)) <= v < 1 << (bits - 1) if sign else 0 <= v < 1 << bits


def _sum(x: int, y: int, carry_in: int) -> Exact:
    def over(bits: int) -> bool:
        return not fits(signed(x, bits) + signed(y, bits) + carry_in, bits, True)

    mask = lambda bits: (1 << bits) - 1  # noqa: E731
    carry = tuple((x & mask(n)) + (y & mask(n)) + carry_in > mask(n) for n in (64, 32))
    return Exact((x + y + carry_in) & M64, M64, carry, (over(64), over(32)))


def _quotient(n: int, d: int, bits: int, sign: bool) -> Exact:
    """n / d towards zero; undefined with an overflow unless it exists and fits. Only a word's low half is defined."""
    if d != 0:
        q = abs(n) // abs(d) * (1 if (n < 0) == (d < 0) else -1)
    if d == 0 or not fits(q, bits, sign):
        return Exact(None, 0, None, (True, True))
    return Exact(q & M64, (1 << bits) - 1, None, (False, False))


def _remainder(n: int, d: int, bits: int, sign: bool) -> Exact:
    if d == 0 or not fits(abs(n) // abs(d) * (1 if (n < 0) == (d < 0) else -1), bits, sign):
        return Exact(None, 0)
    return Exact((abs(n) % abs(d) * (-1 if n < 0 else 1)) & M64, (1 << bits) - 1)


def result(row: str, a: int, b: int, c: int, xer: int) -> Exact | None:
    """What `row` (without o and .) makes of RA, RB (or its extended immediate) and RC; None for rows that are not arithmetic."""
    cin = 1 if xer & CA else 0
    sums = {
        "add": (a, b, 0), "addi": (a, b, 0), "addc": (a, b, 0), "addic": (a, b, 0), "adde": (a, b, cin), "addme": (a, M64, cin),
        "addze": (a, 0, cin), "subf": (~a & M64, b, 1), "subfc": (~a & M64, b, 1), "subfic": (~a & M64, b, 1),
        "subfe": (~a & M64, b, cin), "subfme": (~a & M64, M64, cin), "subfze": (~a & M64, 0, cin), "neg": (~a & M64, 0, 1),
    }  # fmt: skip
    if row in sums:
        return _sum(*sums[row])
    a64, b64, a32, b32 = signed(a, 64), signed(b, 64), signed(a, 32), signed(b, 32)
    ua, ub = a & M32, b & M32
    products = {
        "mulli": a64 * b64, "mulld": a64 * b64, "mullw": a32 * b32, "mulhd": a64 * b64 >> 64, "mulhdu": a * b >> 64,
        "maddld": a64 * b64 + signed(c, 64), "maddhd": (a64 * b64 + signed(c, 64)) >> 64, "maddhdu": (a * b + c) >> 64,
    }  # fmt: skip
    if row in products:
        over = {"mulld": not fits(a64 * b64, 64, True), "mullw": not fits(a32 * b32, 32, True)}.get(row)
        return Exact(products[row] & M64, M64, None, None if over is None else (over, over))
    if row in ("mulhw", "mulhwu"):
        return Exact((a32 * b32 if row == "mulhw" else ua * ub) >> 32 & M32, M32)
    quotients = {
        "divw": (a32, b32, 32, True), "divwu": (ua, ub, 32, False), "divwe": (a32 << 32, b32, 32, True), "divweu": (ua << 32, ub, 32, False),
        "divd": (a64, b64, 64, True), "divdu": (a, b, 64, False), "divde": (a64 << 64, b64, 64, True), "divdeu": (a << 64, b, 64, False),
    }  # fmt: skip
    if row in quotients:
        return _quotient(*quotients[row])
    modulos = {"modsw": (a32, b32, 32, True), "moduw": (ua, ub, 32, False), "modsd": (a64, b64, 64, True), "modud": (a, b, 64, False)}
    return _remainder(*modulos[row]) if row in modulos else None
