//! Special purpose registers: one row per SPR, with who may use it.
//!
//! The numbers are the `spr` field of mfspr and mtspr with its halves swapped back (ISA III, SPR table).

use crate::isa::Isa;

/// Who may do something with an SPR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// Anybody.
    Problem,
    /// The operating system.
    Privileged,
    /// The hypervisor only: a guest's access is a no-operation (or an interrupt, as for an undefined SPR).
    Hypervisor,
    /// Nobody: there is no such access.
    Nobody,
}

/// One SPR.
#[derive(Debug)]
pub struct Spr {
    /// Number as instructions encode it.
    pub number: u16,
    /// Name as the book prints it.
    pub name: &'static str,
    /// Who may read it.
    pub read: Who,
    /// Who may write it.
    pub write: Who,
    /// First edition (for our purposes) that has it.
    pub since: Isa,
    /// Edition from which on it is gone.
    pub until: Option<Isa>,
}

macro_rules! sprs {
    ($($(#[$meta:meta])* $number:literal $name:ident $read:ident $write:ident $since:ident $(until $until:ident)?;)*) => {
        $($(#[$meta])* pub const $name: usize = $number;)*
        /// Every SPR that some supported CPU has, ascending.
        pub static TABLE: &[Spr] = &[$(Spr {
            number: $number, name: stringify!($name), read: Who::$read, write: Who::$write, since: Isa::$since,
            until: { #[allow(unused_mut, unused_assignments, reason = "only some rows have an end")] let mut u = None; $(u = Some(Isa::$until);)? u },
        }),*];
    };
}

sprs! {
    /// Fixed-point exception register (kept unpacked; see `cpu::state`).
    1 XER Problem Problem V2_03;
    /// Data stream control, problem-state access.
    3 DSCR_U Problem Problem V2_06;
    /// Link register (kept apart).
    8 LR Problem Problem V2_03;
    /// Count register (kept apart).
    9 CTR Problem Problem V2_03;
    /// Authority mask, problem-state access.
    13 AMR_U Problem Problem V2_06;
    /// Data stream control.
    17 DSCR Privileged Privileged V2_06;
    /// Data storage interrupt status.
    18 DSISR Privileged Privileged V2_03;
    /// Data address.
    19 DAR Privileged Privileged V2_03;
    /// Decrementer.
    22 DEC Privileged Privileged V2_03;
    /// HPT base (hypervisor).
    25 SDR1 Hypervisor Hypervisor V2_03;
    /// Save/restore 0.
    26 SRR0 Privileged Privileged V2_03;
    /// Save/restore 1.
    27 SRR1 Privileged Privileged V2_03;
    /// Come-from address.
    28 CFAR Privileged Privileged V2_06;
    /// Authority mask.
    29 AMR Privileged Privileged V2_06;
    /// Process id.
    48 PIDR Privileged Privileged V3_0;
    /// Instruction authority mask.
    61 IAMR Privileged Privileged V2_07;
    /// Transaction failure handler address.
    128 TFHAR Problem Problem V2_07;
    /// Transaction failure instruction address.
    129 TFIAR Problem Problem V2_07;
    /// Transaction exception and summary.
    130 TEXASR Problem Problem V2_07;
    /// Transaction exception and summary, upper.
    131 TEXASRU Problem Problem V2_07;
    /// Control register, read.
    136 CTRL_R Problem Nobody V2_03;
    /// Thread id.
    144 TIDR Privileged Privileged V3_0;
    /// Control register, write.
    152 CTRL_W Nobody Privileged V2_03;
    /// Facility status and control.
    153 FSCR Privileged Privileged V2_07;
    /// User authority mask override.
    157 UAMOR Privileged Privileged V2_06;
    /// Problem state priority boost.
    159 PSPB Privileged Privileged V2_07;
    /// Directed privileged doorbell exception state.
    176 DPDES Privileged Hypervisor V2_07;
    /// Data address watchpoint 0.
    180 DAWR0 Hypervisor Hypervisor V2_07;
    /// Data address watchpoint 1.
    181 DAWR1 Hypervisor Hypervisor V3_1;
    /// Relative priority.
    186 RPR Hypervisor Hypervisor V2_07;
    /// Completed instruction address breakpoint.
    187 CIABR Hypervisor Hypervisor V2_07;
    /// Data address watchpoint extension 0.
    188 DAWRX0 Hypervisor Hypervisor V2_07;
    /// Data address watchpoint extension 1.
    189 DAWRX1 Hypervisor Hypervisor V3_1;
    /// Hypervisor facility status and control.
    190 HFSCR Hypervisor Hypervisor V2_07;
    /// VR save mask.
    256 VRSAVE Problem Problem V2_03;
    /// SPRG3, problem-state read.
    259 USPRG3 Problem Nobody V2_03;
    /// Timebase.
    268 TB Problem Nobody V2_03;
    /// Timebase, upper half.
    269 TBU Problem Nobody V2_03;
    /// Software-use 0.
    272 SPRG0 Privileged Privileged V2_03;
    /// Software-use 1.
    273 SPRG1 Privileged Privileged V2_03;
    /// Software-use 2.
    274 SPRG2 Privileged Privileged V2_03;
    /// Software-use 3.
    275 SPRG3 Privileged Privileged V2_03;
    /// External access.
    282 EAR Privileged Privileged V2_03 until V2_06;
    /// Timebase lower, write.
    284 TBL_W Nobody Hypervisor V2_03;
    /// Timebase upper, write.
    285 TBU_W Nobody Hypervisor V2_03;
    /// Timebase upper 40 bits, write.
    286 TBU40 Nobody Hypervisor V2_05;
    /// Processor version.
    287 PVR Privileged Nobody V2_03;
    /// Hypervisor software-use 0.
    304 HSPRG0 Hypervisor Hypervisor V2_03;
    /// Hypervisor software-use 1.
    305 HSPRG1 Hypervisor Hypervisor V2_03;
    /// Hypervisor data storage interrupt status.
    306 HDSISR Hypervisor Hypervisor V2_06;
    /// Hypervisor data address.
    307 HDAR Hypervisor Hypervisor V2_06;
    /// Scaled PURR.
    308 SPURR Privileged Hypervisor V2_05;
    /// Processor utilisation of resources.
    309 PURR Privileged Hypervisor V2_03;
    /// Hypervisor decrementer.
    310 HDEC Hypervisor Hypervisor V2_03;
    /// Real mode offset.
    312 RMOR Hypervisor Hypervisor V2_03;
    /// Hypervisor real mode offset.
    313 HRMOR Hypervisor Hypervisor V2_03;
    /// Hypervisor save/restore 0.
    314 HSRR0 Hypervisor Hypervisor V2_03;
    /// Hypervisor save/restore 1.
    315 HSRR1 Hypervisor Hypervisor V2_03;
    /// Logical partitioning control.
    318 LPCR Hypervisor Hypervisor V2_03;
    /// Logical partition id.
    319 LPIDR Hypervisor Hypervisor V2_05;
    /// Hypervisor maintenance exception.
    336 HMER Hypervisor Hypervisor V2_05;
    /// Hypervisor maintenance exception enable.
    337 HMEER Hypervisor Hypervisor V2_05;
    /// Processor compatibility.
    338 PCR Hypervisor Hypervisor V2_05;
    /// Hypervisor emulated instruction.
    339 HEIR Hypervisor Hypervisor V2_06;
    /// Authority mask override.
    349 AMOR Hypervisor Hypervisor V2_06;
    /// Thread id register.
    446 TIR Privileged Nobody V2_07;
    /// Partition table control.
    464 PTCR Hypervisor Hypervisor V3_0;
    /// HASHKEYR.
    496 HASHKEYR Privileged Privileged V3_1;
    /// HASHPKEYR.
    497 HASHPKEYR Hypervisor Hypervisor V3_1;
    /// SIER2, problem-state read.
    736 USIER2 Problem Nobody V3_1;
    /// SIER3, problem-state read.
    737 USIER3 Problem Nobody V3_1;
    /// MMCR3, problem-state access.
    738 UMMCR3 Problem Problem V3_1;
    /// Sampled instruction event 2.
    752 SIER2 Privileged Privileged V3_1;
    /// Sampled instruction event 3.
    753 SIER3 Privileged Privileged V3_1;
    /// Monitor mode control 3.
    754 MMCR3 Privileged Privileged V3_1;
    /// SIER, problem-state read.
    768 USIER Problem Nobody V2_07;
    /// MMCR2, problem-state access.
    769 UMMCR2 Problem Problem V2_07;
    /// MMCRA, problem-state access.
    770 UMMCRA Problem Problem V2_03;
    /// PMC1, problem-state access.
    771 UPMC1 Problem Problem V2_03;
    /// PMC2, problem-state access.
    772 UPMC2 Problem Problem V2_03;
    /// PMC3, problem-state access.
    773 UPMC3 Problem Problem V2_03;
    /// PMC4, problem-state access.
    774 UPMC4 Problem Problem V2_03;
    /// PMC5, problem-state access.
    775 UPMC5 Problem Problem V2_03;
    /// PMC6, problem-state access.
    776 UPMC6 Problem Problem V2_03;
    /// MMCR0, problem-state access.
    779 UMMCR0 Problem Problem V2_03;
    /// SIAR, problem-state read.
    780 USIAR Problem Nobody V2_03;
    /// SDAR, problem-state read.
    781 USDAR Problem Nobody V2_03;
    /// MMCR1, problem-state read.
    782 UMMCR1 Problem Nobody V2_03;
    /// Sampled instruction event.
    784 SIER Privileged Privileged V2_07;
    /// Monitor mode control 2.
    785 MMCR2 Privileged Privileged V2_07;
    /// Monitor mode control A.
    786 MMCRA Privileged Privileged V2_03;
    /// Performance monitor counter 1.
    787 PMC1 Privileged Privileged V2_03;
    /// Performance monitor counter 2.
    788 PMC2 Privileged Privileged V2_03;
    /// Performance monitor counter 3.
    789 PMC3 Privileged Privileged V2_03;
    /// Performance monitor counter 4.
    790 PMC4 Privileged Privileged V2_03;
    /// Performance monitor counter 5.
    791 PMC5 Privileged Privileged V2_03;
    /// Performance monitor counter 6.
    792 PMC6 Privileged Privileged V2_03;
    /// Monitor mode control 0.
    795 MMCR0 Privileged Privileged V2_03;
    /// Sampled instruction address.
    796 SIAR Privileged Privileged V2_03;
    /// Sampled data address.
    797 SDAR Privileged Privileged V2_03;
    /// Monitor mode control 1.
    798 MMCR1 Privileged Privileged V2_03;
    /// In-memory collection.
    799 IMC Hypervisor Hypervisor V2_03;
    /// Branch event status, set.
    800 BESCRS Problem Problem V2_07;
    /// Branch event status upper, set.
    801 BESCRSU Problem Problem V2_07;
    /// Branch event status, reset.
    802 BESCRR Problem Problem V2_07;
    /// Branch event status upper, reset.
    803 BESCRRU Problem Problem V2_07;
    /// Event-based branch handler.
    804 EBBHR Problem Problem V2_07;
    /// Event-based branch return.
    805 EBBRR Problem Problem V2_07;
    /// Branch event status and control.
    806 BESCR Problem Problem V2_07;
    /// Reserved no-operation.
    808 RESERVED_808 Problem Problem V2_07;
    /// Reserved no-operation.
    809 RESERVED_809 Problem Problem V2_07;
    /// Reserved no-operation.
    810 RESERVED_810 Problem Problem V2_07;
    /// Reserved no-operation.
    811 RESERVED_811 Problem Problem V2_07;
    /// Target address.
    815 TAR Problem Problem V2_07;
    /// Access segment descriptor.
    816 ASDR Hypervisor Hypervisor V3_0;
    /// Processor stop status and control, supervisor access.
    823 PSSCR_S Privileged Privileged V3_0;
    /// Instruction counter.
    848 IC Privileged Hypervisor V2_07;
    /// Virtual timebase.
    849 VTB Privileged Hypervisor V2_07;
    /// IMC base.
    850 LDBAR Hypervisor Hypervisor V2_07;
    /// Monitor mode control C.
    851 MMCRC Hypervisor Hypervisor V2_07;
    /// Power management status.
    853 PMSR Hypervisor Nobody V2_07;
    /// Processor stop status and control.
    855 PSSCR Hypervisor Hypervisor V3_0;
    /// L2 quality of service.
    861 L2QOSR Hypervisor Hypervisor V2_07;
    /// Trigger 0.
    881 TRIG0 Hypervisor Hypervisor V2_07;
    /// Trigger 1.
    882 TRIG1 Hypervisor Hypervisor V2_07;
    /// Power management control.
    884 PMCR Hypervisor Hypervisor V2_07;
    /// Region-weighted mode.
    885 RWMR Hypervisor Hypervisor V2_07;
    /// Workload optimisation register.
    895 WORT Privileged Privileged V2_07 until V3_0;
    /// Program priority.
    896 PPR Problem Problem V2_06;
    /// Program priority, 32 bits.
    898 PPR32 Problem Problem V2_06;
    /// Hardware implementation 0.
    1008 HID0 Hypervisor Hypervisor V2_03;
    /// Data address breakpoint.
    1013 DABR Hypervisor Hypervisor V2_03 until V2_07;
    /// Data address breakpoint extension.
    1015 DABRX Hypervisor Hypervisor V2_03 until V2_07;
    /// Processor id.
    1023 PIR Privileged Nobody V2_03;
}

/// The SPR of this number, whatever the edition.
pub fn by_number(number: u32) -> Option<&'static Spr> {
    TABLE.binary_search_by_key(&number, |s| u32::from(s.number)).ok().map(|i| &TABLE[i])
}

/// The SPR of this name (case does not matter).
pub fn by_name(name: &str) -> Option<&'static Spr> {
    TABLE.iter().find(|s| s.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_ascend() {
        assert!(TABLE.windows(2).all(|w| w[0].number < w[1].number));
        assert_eq!(by_name("srr0").map(|s| s.number), Some(26));
    }
}
