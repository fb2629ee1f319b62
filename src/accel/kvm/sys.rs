//! KVM's interface as PowerPC has it: numbers and structures (Linux `include/uapi/linux/kvm.h`, `arch/powerpc/include/uapi/asm/kvm.h`).
//!
//! PowerPC encodes ioctl numbers its own way (13 bits of size, 3 of direction, none = 1, read = 2, write = 4), which the usual crates do
//! not; so the numbers are made here, and `tests/it/kvm_abi.rs` has a C compiler hold every one of them, and the sizes, against the kernel's headers.

use crate::accel::kvm::irqchip;
use std::mem::size_of;

/// Which way a structure goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// There is none; the argument is a number.
    None = 1,
    /// From the kernel.
    Read = 2,
    /// To the kernel.
    Write = 4,
    /// To the kernel and back.
    Both = 6,
}

/// One call.
#[derive(PartialEq, Eq, Debug)]
pub struct Op {
    /// The name in the headers.
    pub name: &'static str,
    /// Which way its structure goes.
    pub direction: Direction,
    /// Number within KVM's.
    pub number: u8,
    /// Bytes of the structure.
    pub size: usize,
}

impl Op {
    /// What the system call takes, on PowerPC.
    pub const fn request(&self) -> u32 {
        const KVMIO: u32 = 0xae;
        (self.direction as u32) << 29 | (self.size as u32) << 16 | KVMIO << 8 | self.number as u32
    }
}

macro_rules! ops {
    ($($name:ident $direction:ident $number:literal $size:expr;)*) => {
        $(#[doc = concat!("`KVM_", stringify!($name), "`.")]
        pub static $name: Op = Op { name: concat!("KVM_", stringify!($name)), direction: Direction::$direction, number: $number, size: $size };)*
        /// Every call.
        pub static OPS: &[&Op] = &[$(&$name),*];
    };
}

ops! {
    GET_API_VERSION None 0x00 0;
    CREATE_VM None 0x01 0;
    CHECK_EXTENSION None 0x03 0;
    GET_VCPU_MMAP_SIZE None 0x04 0;
    CREATE_VCPU None 0x41 0;
    GET_DIRTY_LOG Write 0x42 size_of::<DirtyLog>();
    SET_USER_MEMORY_REGION Write 0x46 size_of::<MemoryRegion>();
    IRQ_LINE Write 0x61 size_of::<irqchip::IrqLevel>();
    RUN None 0x80 0;
    GET_REGS Read 0x81 size_of::<Regs>();
    SET_REGS Write 0x82 size_of::<Regs>();
    GET_SREGS Read 0x83 size_of::<Sregs>();
    SET_SREGS Write 0x84 size_of::<Sregs>();
    INTERRUPT Write 0x86 size_of::<u32>();
    ENABLE_CAP Write 0xa3 size_of::<EnableCap>();
    PPC_GET_SMMU_INFO Read 0xa6 size_of::<SmmuInfo>();
    PPC_ALLOCATE_HTAB Both 0xa7 size_of::<u32>();
    PPC_GET_HTAB_FD Write 0xaa size_of::<HtabFd>();
    GET_ONE_REG Write 0xab size_of::<OneReg>();
    SET_ONE_REG Write 0xac size_of::<OneReg>();
    PPC_RTAS_DEFINE_TOKEN Write 0xac size_of::<irqchip::RtasToken>();
    PPC_RESIZE_HPT_PREPARE Read 0xad size_of::<ResizeHpt>();
    PPC_RESIZE_HPT_COMMIT Read 0xae size_of::<ResizeHpt>();
    PPC_CONFIGURE_V3_MMU Write 0xaf size_of::<MmuV3>();
    PPC_GET_CPU_CHAR Read 0xb1 size_of::<CpuChar>();
    CREATE_DEVICE Both 0xe0 size_of::<irqchip::CreateDevice>();
    SET_DEVICE_ATTR Write 0xe1 size_of::<irqchip::DeviceAttr>();
}

macro_rules! capabilities {
    ($($(#[$meta:meta])* $name:ident $number:literal;)*) => {
        $($(#[$meta])* pub const $name: u32 = $number;)*
        /// Every capability with its name in the headers.
        pub static CAPS: &[(&str, u32)] = &[$((concat!("KVM_", stringify!($name)), $name)),*];
    };
}

capabilities! {
    /// vcpus recommended.
    CAP_NR_VCPUS 9;
    /// The external interrupt can be taken back.
    CAP_PPC_UNSET_IRQ 53;
    /// KVM_ENABLE_CAP on a vcpu.
    CAP_ENABLE_CAP 54;
    /// TCE tables in the kernel.
    CAP_SPAPR_TCE 63;
    /// Spacing of vcpu ids.
    CAP_PPC_SMT 64;
    /// Most vcpus.
    CAP_MAX_VCPUS 66;
    /// Hypercalls leave as KVM_EXIT_PAPR_HCALL.
    CAP_PPC_PAPR 68;
    /// Segment and page sizes can be asked for.
    CAP_PPC_GET_SMMU_INFO 78;
    /// The hash table's size can be chosen: HV.
    CAP_PPC_ALLOC_HTAB 80;
    /// The hash table can be read and written.
    CAP_PPC_HTAB_FD 84;
    /// RTAS calls in the kernel.
    CAP_PPC_RTAS 91;
    /// XICS in the kernel.
    CAP_IRQ_XICS 92;
    /// KVM_ENABLE_CAP on a VM.
    CAP_ENABLE_CAP_VM 98;
    /// Hypercalls in the kernel can be switched.
    CAP_PPC_ENABLE_HCALL 104;
    /// H_RANDOM in the kernel.
    CAP_PPC_HWRNG 115;
    /// First vcpu id that is refused.
    CAP_MAX_VCPU_ID 128;
    /// Transactional memory for guests.
    CAP_PPC_HTM 132;
    /// The hash table can be resized.
    CAP_SPAPR_RESIZE_HPT 133;
    /// Radix guests.
    CAP_PPC_MMU_RADIX 134;
    /// Hash guests on ISA 3.0 hosts.
    CAP_PPC_MMU_HASH_V3 135;
    /// KVM_RUN returns at once when asked to.
    CAP_IMMEDIATE_EXIT 136;
    /// Machine checks are handed over.
    CAP_PPC_FWNMI 146;
    /// Modes that CAP_PPC_SMT can be set to.
    CAP_PPC_SMT_POSSIBLE 147;
    /// Mitigations can be asked for.
    CAP_PPC_GET_CPU_CHAR 151;
    /// Guests may be hypervisors.
    CAP_PPC_NESTED_HV 160;
    /// XIVE in the kernel.
    CAP_PPC_IRQ_XIVE 169;
    /// A second data watchpoint.
    CAP_PPC_DAWR1 194;
    /// H_RPT_INVALIDATE in the kernel.
    CAP_PPC_RPT_INVALIDATE 202;
}

/// KVM_CREATE_VM: whichever the kernel prefers.
pub const VM_AUTO: u64 = 0;
/// KVM_CREATE_VM: hypervisor mode.
pub const VM_HV: u64 = 1;
/// KVM_CREATE_VM: problem state.
pub const VM_PR: u64 = 2;
/// KVM_INTERRUPT: the line goes up and stays.
pub const INTERRUPT_SET_LEVEL: u32 = -3i32 as u32;
/// KVM_INTERRUPT: the line goes down.
pub const INTERRUPT_UNSET: u32 = -2i32 as u32;
/// KVM_SET_USER_MEMORY_REGION: the kernel notes which pages are written.
pub const MEM_LOG_DIRTY_PAGES: u32 = 1;
/// [`MmuV3::flags`]: radix.
pub const MMUV3_RADIX: u64 = 1;
/// [`MmuV3::flags`]: guests may invalidate translations themselves.
pub const MMUV3_GTSE: u64 = 2;
/// [`MmuV3::process_table`]: radix.
pub const PATB_GR: u64 = 1 << 63;
/// [`SmmuInfo::flags`]: a guest's pages must lie in one of the host's.
pub const PAGE_SIZES_REAL: u64 = 1;
/// [`HtabFd::flags`]: to be written.
pub const GET_HTAB_WRITE: u64 = 2;
/// KVM_EXIT reasons.
pub mod exit {
    /// The hardware gave one that KVM does not know.
    pub const UNKNOWN: u32 = 0;
    /// A breakpoint.
    pub const DEBUG: u32 = 4;
    /// Outside RAM.
    pub const MMIO: u32 = 6;
    /// A signal.
    pub const INTR: u32 = 10;
    /// The guest could not be entered.
    pub const FAIL_ENTRY: u32 = 9;
    /// A machine check of the guest's.
    pub const NMI: u32 = 16;
    /// KVM failed.
    pub const INTERNAL_ERROR: u32 = 17;
    /// A hypercall.
    pub const PAPR_HCALL: u32 = 19;
}

/// `struct kvm_regs`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "registers bear the book's names")]
pub struct Regs {
    pub pc: u64,
    pub cr: u64,
    pub ctr: u64,
    pub lr: u64,
    pub xer: u64,
    pub msr: u64,
    pub srr0: u64,
    pub srr1: u64,
    pub pid: u64,
    pub sprg: [u64; 8],
    pub gpr: [u64; 32],
}

/// `struct kvm_sregs`, as server processors have it.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sregs {
    /// Processor version.
    pub pvr: u32,
    /// Padding.
    pub pad: u32,
    /// SDR1.
    pub sdr1: u64,
    /// RB and RS of slbmte.
    pub slb: [[u64; 2]; 64],
    /// Other processors' registers.
    pub rest: [u64; 24],
}

impl Default for Sregs {
    fn default() -> Sregs {
        Sregs { pvr: 0, pad: 0, sdr1: 0, slb: [[0; 2]; 64], rest: [0; 24] }
    }
}

/// `struct kvm_enable_cap`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are the header's")]
pub struct EnableCap {
    pub cap: u32,
    pub flags: u32,
    pub args: [u64; 4],
    pub pad: [u64; 8],
}

/// `struct kvm_userspace_memory_region`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are the header's")]
pub struct MemoryRegion {
    pub slot: u32,
    pub flags: u32,
    pub guest_phys_addr: u64,
    pub memory_size: u64,
    pub userspace_addr: u64,
}

/// `struct kvm_dirty_log`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are the header's")]
pub struct DirtyLog {
    pub slot: u32,
    pub pad: u32,
    pub bitmap: u64,
}

/// `struct kvm_one_reg`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are the header's")]
pub struct OneReg {
    pub id: u64,
    pub addr: u64,
}

/// `struct kvm_ppc_mmuv3_cfg`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are the header's")]
pub struct MmuV3 {
    pub flags: u64,
    pub process_table: u64,
}

/// `struct kvm_get_htab_fd`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are the header's")]
pub struct HtabFd {
    pub flags: u64,
    pub start_index: u64,
    pub reserved: [u64; 2],
}

/// `struct kvm_ppc_resize_hpt`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are the header's")]
pub struct ResizeHpt {
    pub flags: u64,
    pub shift: u32,
    pub pad: u32,
}

/// `struct kvm_get_htab_header`, what a read or a write of the hash table's file begins each run of entries with, in the host's byte order: the number
/// of the first entry (u32), how many valid ones follow with their 16 bytes, big-endian (u16), and after those how many invalid ones, without (u16).
pub const HTAB_HEADER: usize = 8;

/// `struct kvm_ppc_cpu_char`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the fields are the header's")]
pub struct CpuChar {
    pub character: u64,
    pub behaviour: u64,
    pub character_mask: u64,
    pub behaviour_mask: u64,
}

/// `struct kvm_ppc_smmu_info`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the fields are the header's")]
pub struct SmmuInfo {
    pub flags: u64,
    pub slb_size: u32,
    pub data_keys: u16,
    pub instr_keys: u16,
    pub sps: [SegmentPages; 8],
}

/// `struct kvm_ppc_one_seg_page_size`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the fields are the header's")]
pub struct SegmentPages {
    pub page_shift: u32,
    pub slb_enc: u32,
    pub enc: [[u32; 2]; 8],
}

/// Where `struct kvm_run` has what, in bytes.
pub mod run {
    /// u8: return at once.
    pub const IMMEDIATE_EXIT: usize = 1;
    /// u32.
    pub const EXIT_REASON: usize = 8;
    /// Where the union begins.
    pub const UNION: usize = 32;
}

/// One register of KVM_GET_ONE_REG: its size is part of the number.
const fn reg(size_log2: u64, number: u64) -> u64 {
    const PPC: u64 = 0x1000_0000_0000_0000;
    PPC | size_log2 << 52 | number
}
/// A 32-bit register.
pub const fn reg32(number: u64) -> u64 {
    reg(2, number)
}
/// A 64-bit register.
pub const fn reg64(number: u64) -> u64 {
    reg(3, number)
}
/// A 128-bit register.
pub const fn reg128(number: u64) -> u64 {
    reg(4, number)
}
/// Bytes of a register.
pub const fn reg_bytes(id: u64) -> usize {
    1 << (id >> 52 & 0xf)
}

/// Timebase offset.
pub const REG_TB_OFFSET: u64 = reg64(0x9c);
/// Timebase at which the decrementer passes zero.
pub const REG_DEC_EXPIRY: u64 = reg64(0xbe);
/// Logical PVR of the compatibility mode.
pub const REG_ARCH_COMPAT: u64 = reg32(0xb7);
/// Virtual processor area: its address.
pub const REG_VPA_ADDR: u64 = reg64(0x82);
/// SLB shadow buffer: address and length.
pub const REG_VPA_SLB: u64 = reg128(0x83);
/// Dispatch trace log: address and length.
pub const REG_VPA_DTL: u64 = reg128(0x84);
/// Doorbells that are pending.
pub const REG_DPDES: u64 = reg64(0xa9);
/// Virtual timebase.
pub const REG_VTB: u64 = reg64(0xae);

const _: () = {
    assert!(size_of::<Regs>() == 0x188 && size_of::<Sregs>() == 0x4d0 && size_of::<EnableCap>() == 0x68);
    assert!(size_of::<MemoryRegion>() == 0x20 && size_of::<DirtyLog>() == 0x10 && size_of::<OneReg>() == 0x10);
    assert!(size_of::<MmuV3>() == 0x10 && size_of::<HtabFd>() == 0x20 && size_of::<ResizeHpt>() == 0x10);
    assert!(size_of::<CpuChar>() == 0x20 && size_of::<SmmuInfo>() == 0x250);
    assert!(CREATE_VM_REQUEST == 0x2000_ae01 && GET_REGS_REQUEST == 0x4188_ae81 && ALLOCATE_HTAB_REQUEST == 0xc004_aea7);
};
const CREATE_VM_REQUEST: u32 = Op { name: "", direction: Direction::None, number: 1, size: 0 }.request();
const GET_REGS_REQUEST: u32 = Op { name: "", direction: Direction::Read, number: 0x81, size: size_of::<Regs>() }.request();
const ALLOCATE_HTAB_REQUEST: u32 = Op { name: "", direction: Direction::Both, number: 0xa7, size: 4 }.request();
