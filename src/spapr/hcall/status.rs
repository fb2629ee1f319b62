//! The status a hypercall returns in r3.

/// PAPR return codes; the numbers are the ABI (PAPR, hypervisor call return codes).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(i64)]
#[expect(missing_docs, reason = "the names are PAPR's own and say what they mean")]
pub enum H {
    Success = 0,
    Busy = 1,
    Closed = 2,
    NotAvailable = 3,
    Constrained = 4,
    Partial = 5,
    InProgress = 14,
    PageRegistered = 15,
    PartialStore = 16,
    Pending = 17,
    Continue = 18,
    LongBusy1Msec = 9900,
    LongBusy10Msec = 9901,
    LongBusy100Msec = 9902,
    LongBusy1Sec = 9903,
    LongBusy10Sec = 9904,
    LongBusy100Sec = 9905,
    Hardware = -1,
    Function = -2,
    Privilege = -3,
    Parameter = -4,
    BadMode = -5,
    PtegFull = -6,
    NotFound = -7,
    ReservedDabr = -8,
    NoMem = -9,
    Authority = -10,
    Permission = -11,
    Dropped = -12,
    SourceParm = -13,
    DestParm = -14,
    RemoteParm = -15,
    Resource = -16,
    AdapterParm = -17,
    P2 = -55,
    P3 = -56,
    P4 = -57,
    P5 = -58,
    P6 = -59,
    P7 = -60,
    P8 = -61,
    P9 = -62,
    Noop = -63,
    Unsupported = -67,
    Overlap = -68,
    State = -75,
    InUse = -77,
    InvalidElementValue = -81,
    UnsupportedFlag = -256,
    MultiThreadsActive = -9005,
}

impl H {
    /// r3.
    pub const fn code(self) -> i64 {
        self as i64
    }
}
