//! Registers with named fields, numbered as the book numbers them.

use crate::reg;

reg! {
    /// Machine State Register (ISA III, MSR).
    Msr {
        /// 64-bit mode.
        SF: 0,
        /// Hypervisor state.
        HV: 3,
        /// Transactional-memory state, high bit.
        TS0: 29,
        /// Transactional-memory state, low bit.
        TS1: 30,
        /// Transactional memory available.
        TM: 31,
        /// Vector available.
        VEC: 38,
        /// VSX available.
        VSX: 40,
        /// External interrupts (and decrementer, doorbell) enabled.
        EE: 48,
        /// Problem state.
        PR: 49,
        /// Floating point available.
        FP: 50,
        /// Machine check enabled.
        ME: 51,
        /// Floating-point exception mode, high bit.
        FE0: 52,
        /// Single-step trace.
        SE: 53,
        /// Branch trace.
        BE: 54,
        /// Floating-point exception mode, low bit.
        FE1: 55,
        /// Instruction relocation.
        IR: 58,
        /// Data relocation.
        DR: 59,
        /// Performance monitor mark.
        PMM: 61,
        /// Recoverable interrupt.
        RI: 62,
        /// Little-endian mode.
        LE: 63,
    }
}

reg! {
    /// Logical Partitioning Control Register (ISA III, LPCR), the bits that a partition feels.
    Lpcr {
        /// Virtualised partition memory, VPM0.
        VPM0: 0,
        /// Virtualised partition memory, VPM1.
        VPM1: 1,
        /// Ignore SLB large page specification.
        ISL: 2,
        /// Key-based virtualisation.
        KBV: 3,
        /// Alternate interrupt location, high bit.
        AIL0: 39,
        /// Alternate interrupt location, low bit.
        AIL1: 40,
        /// Use process table (ISA 3.0).
        UPRT: 41,
        /// Enhanced virtualisation.
        EVIRT: 42,
        /// Host radix (ISA 3.0).
        HR: 43,
        /// Large decrementer (ISA 3.0).
        LD: 46,
        /// Interrupts are taken in little-endian mode.
        ILE: 38,
        /// Guest translation shootdown enabled (ISA 3.0).
        GTSE: 53,
        /// Mediated external exception request.
        MER: 52,
        /// Logical partition environment selector.
        LPES0: 60,
        /// Logical partition environment selector, low bit.
        LPES1: 61,
        /// Hypervisor decrementer enable.
        HDICE: 63,
    }
}

reg! {
    /// Facility Status and Control Register (ISA III, FSCR): the facilities that problem state may use.
    Fscr {
        /// Prefixed instructions (ISA 3.1).
        PREFIX: 50,
        /// scv (ISA 3.0).
        SCV: 51,
        /// Target address register.
        TAR: 55,
        /// Event-based branches.
        EBB: 56,
        /// Data stream control register under its problem-state number.
        DSCR: 61,
    }
}

/// Values of FSCR\[IC\], the cause of a facility unavailable interrupt (ISA III, FSCR).
impl Fscr {
    /// The field.
    pub const IC: u64 = 0xff << 56;
    /// DSCR.
    pub const IC_DSCR: u64 = 2;
    /// Performance monitor registers.
    pub const IC_PMU: u64 = 3;
    /// Branch history.
    pub const IC_BHRB: u64 = 4;
    /// Transactional memory.
    pub const IC_TM: u64 = 5;
    /// Event-based branches.
    pub const IC_EBB: u64 = 7;
    /// Target address register.
    pub const IC_TAR: u64 = 8;
    /// scv.
    pub const IC_SCV: u64 = 12;
    /// Prefixed instructions.
    pub const IC_PREFIX: u64 = 13;
}

reg! {
    /// Floating-Point Status and Control Register (ISA I, FPSCR). Bits 0..31 are the high word.
    Fpscr {
        /// FP exception summary.
        FX: 32,
        /// FP enabled exception summary.
        FEX: 33,
        /// Invalid operation summary.
        VX: 34,
        /// Overflow.
        OX: 35,
        /// Underflow.
        UX: 36,
        /// Zero divide.
        ZX: 37,
        /// Inexact.
        XX: 38,
        /// Invalid: signalling NaN.
        VXSNAN: 39,
        /// Invalid: infinity minus infinity.
        VXISI: 40,
        /// Invalid: infinity divided by infinity.
        VXIDI: 41,
        /// Invalid: zero divided by zero.
        VXZDZ: 42,
        /// Invalid: infinity times zero.
        VXIMZ: 43,
        /// Invalid: compare.
        VXVC: 44,
        /// Fraction rounded.
        FR: 45,
        /// Fraction inexact.
        FI: 46,
        /// Result class descriptor.
        C: 47,
        /// Result less than zero.
        FL: 48,
        /// Result greater than zero.
        FG: 49,
        /// Result equal to zero.
        FE: 50,
        /// Result unordered or NaN.
        FU: 51,
        /// Invalid: software-defined condition.
        VXSOFT: 53,
        /// Invalid: square root.
        VXSQRT: 54,
        /// Invalid: integer convert.
        VXCVI: 55,
        /// Invalid-operation exception enable.
        VE: 56,
        /// Overflow exception enable.
        OE: 57,
        /// Underflow exception enable.
        UE: 58,
        /// Zero-divide exception enable.
        ZE: 59,
        /// Inexact exception enable.
        XE: 60,
        /// Non-IEEE mode.
        NI: 61,
        /// Rounding control, high bit.
        RN0: 62,
        /// Rounding control, low bit.
        RN1: 63,
    }
}

reg! {
    /// Data Storage Interrupt Status Register (ISA III, DSISR) and the matching SRR1 bits, as low-word bits.
    Dsisr {
        /// No translation found (also SRR1 33).
        NOPTE: 33,
        /// Access not permitted by page protection (SRR1: 36).
        PROTFAULT: 36,
        /// The access was a store.
        STORE: 38,
        /// DAWR match.
        DAWR: 41,
        /// Virtual page class key protection.
        KEYFAULT: 42,
        /// Unsupported radix tree configuration (ISA 3.0).
        BADCONFIG: 44,
        /// Atomic R/C update impossible (ISA 3.0).
        RCFAILED: 45,
        /// lwarx-like or cache-inhibited access of the wrong kind.
        BADACCESS: 37,
    }
}

/// SRR1 of an instruction storage interrupt: the page is no-execute or guarded (bit 35).
pub const SRR1_NOEXEC: u64 = crate::bits::ibm(35);
/// SRR1 of a program interrupt: floating-point enabled exception (bit 43).
pub const SRR1_FP: u64 = crate::bits::ibm(43);
/// SRR1 of a program interrupt: illegal instruction (bit 44).
pub const SRR1_ILLEGAL: u64 = crate::bits::ibm(44);
/// SRR1 of a program interrupt: privileged instruction (bit 45).
pub const SRR1_PRIVILEGED: u64 = crate::bits::ibm(45);
/// SRR1 of a program interrupt: trap (bit 46).
pub const SRR1_TRAP: u64 = crate::bits::ibm(46);
