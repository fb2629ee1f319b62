"""The fixed-point rows that Libre-SOC's simulator knows, as lines of assembly, and operands that look for trouble.

In a line `RT` is r3 and `RA RB RC` are r4 to r6; the other words are fields that get a random value. `o` and `.` forms are spelled by `+o`
and `+.` after a name.
"""

import random
from collections.abc import Iterator

# fmt: off
ROWS = [
    ("add+o+. subf+o+. addc+o+. subfc+o+. adde+o+. subfe+o+. mullw+o+. mulld+o+. mulhw+. mulhwu+. mulhd+. mulhdu+.", "RT,RA,RB"),
    ("divw+o+. divwu+o+. divwe+o+. divweu+o+. divd+o+. divdu+o+. divde+o+. divdeu+o+. modsw moduw modsd modud addg6s", "RT,RA,RB"),
    ("addme+o+. subfme+o+. addze+o+. subfze+o+. neg+o+.", "RT,RA"),
    ("maddhd maddhdu maddld", "RT,RA,RB,RC"),
    ("addi addis addic addic. subfic mulli", "RT,RA,SI"),
    ("and+. or+. xor+. nand+. nor+. eqv+. andc+. orc+. cmpb bpermd slw+. srw+. sraw+. sld+. srd+. srad+.", "RT,RA,RB"),
    ("extsb+. extsh+. extsw+. cntlzw+. cnttzw+. cntlzd+. cnttzd+. popcntb popcntw popcntd prtyw prtyd cdtbcd cbcdtd", "RT,RA"),
    ("andi. andis. ori oris xori xoris", "RT,RA,UI"),
    ("rlwinm+. rlwimi+.", "RT,RA,N5,N5,N5"),
    ("rlwnm+.", "RT,RA,RB,N5,N5"),
    ("rldicl+. rldicr+. rldic+. rldimi+.", "RT,RA,N6,N6"),
    ("rldcl+. rldcr+.", "RT,RA,RB,N6"),
    ("srawi+.", "RT,RA,N5"),
    ("sradi+. extswsli+.", "RT,RA,N6"),
    ("cmp cmpl", "BF,L,RA,RB"),
    ("cmpi", "BF,L,RA,SI"),
    ("cmpli", "BF,L,RA,UI"),
    ("cmprb", "BF,L,RA,RB"),
    ("cmpeqb", "BF,RA,RB"),
    ("crand crnand cror crxor crnor creqv crandc crorc", "N5,N5,N5"),
    ("mcrf", "BF,BF"),
    ("isel", "RT,RA,RB,N5"),
    ("setb", "RT,BF"),
    ("mcrxrx", "BF"),
    ("mfcr", "RT"),
    ("mtcrf", "N8,RA"),
    ("mfocrf", "RT,ONE"),
    ("mtocrf", "ONE,RA"),
]
# fmt: on

CORNERS = [0, 1, 2, -1, -2, 1 << 31, (1 << 31) - 1, -(1 << 31), (1 << 32) - 1, 1 << 32, 1 << 63, (1 << 63) - 1, (1 << 63) + 1, 10, -10]


def forms(text: str) -> Iterator[str]:
    """The mnemonics of one entry: `add+o+.` is add, add., addo and addo."""
    for word in text.split(" "):
        base, *marks = word.split("+")
        names = [base]
        for mark in marks:
            names += [n + mark for n in names]
        yield from names


def operand(rng: random.Random) -> int:
    """A doubleword: a corner, near one, a random number of some length and sign, equal bytes, or decimal digits."""
    kind = rng.randrange(6)
    if kind == 0:
        v = rng.choice(CORNERS)
    elif kind == 1:
        v = rng.choice(CORNERS) + rng.randrange(-3, 4)
    elif kind == 2:
        v = rng.getrandbits(rng.randrange(1, 65))
    elif kind == 3:
        v = -rng.getrandbits(rng.randrange(1, 64))
    elif kind == 4:
        v = int.from_bytes(rng.choices([rng.getrandbits(8), rng.getrandbits(8), rng.randrange(64)], k=8), "big")
    else:
        v = rng.getrandbits(64)
    return v & ((1 << 64) - 1)


def fields(pattern: str, rng: random.Random) -> str:
    """An operand list of the assembler from a pattern of ROWS."""
    value = {
        "RT": lambda: 3, "RA": lambda: 4, "RB": lambda: 5, "RC": lambda: 6, "L": lambda: rng.randrange(2), "BF": lambda: rng.randrange(8),
        "SI": lambda: rng.choice([rng.randrange(-32768, 32768), rng.randrange(-3, 4)]), "UI": lambda: rng.getrandbits(16),
        "N5": lambda: rng.getrandbits(5), "N6": lambda: rng.getrandbits(6), "N8": lambda: rng.getrandbits(8),
        "ONE": lambda: 1 << rng.randrange(8),
    }  # fmt: skip
    return ",".join(str(value[f]()) for f in pattern.split(","))
