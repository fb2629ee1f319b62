//! The host kinds: one row each.
//!
//! What a row says of SMT modes, MMU and errnos is measured where an emulated POWER host could be booted (POWER8 with 8, 4 and 2 threads, POWER9, POWER9
//! with `disable_radix`, POWER10, and guests of a pseries hypervisor; Linux 6.1), and taken from the kernel's documented behaviour elsewhere. The
//! mitigations depend on firmware: the rows stand for machines whose firmware had them, and a host without is asked about with the capability off.

use crate::spapr::host::Grants;
use crate::spapr::host::HostProfile;
use crate::spapr::host::KVM_VCPUS;
use crate::spapr::host::Kind;
use crate::spapr::host::Vcores;
use crate::spapr::options::MmuModes;

const HASH: MmuModes = MmuModes { hash: true, radix: false };
const RADIX: MmuModes = MmuModes { hash: false, radix: true };
const EITHER: MmuModes = MmuModes { hash: true, radix: true };

/// A host of KVM-HV with a kernel new enough (4.13) to set the mode.
const SETTABLE: HostProfile = HostProfile {
    name: "",
    about: "",
    kind: Kind::Hv(Vcores::Strict),
    smt: 1,
    possible: 0,
    vcpu_id_end: 8 * KVM_VCPUS,
    vcpus_max: KVM_VCPUS,
    cpu: None,
    mmu: HASH,
    grants: Grants::NOTHING,
    linux: "4.13 and later",
};
const P7: HostProfile = HostProfile {
    smt: 4,
    possible: 0x7,
    cpu: Some("power7_v2.3"),
    // Linux 5.14 and later grant H_RPT_INVALIDATE on every processor, though only radix guests can use it.
    grants: Grants { fwnmi: true, pages: Some(16), rpt_invalidate: true, ..Grants::NOTHING },
    ..SETTABLE
};
const P8: HostProfile = HostProfile {
    smt: 8,
    possible: 0xf,
    cpu: Some("power8_v2.0"),
    grants: Grants { htm: true, cfpc: 1, sbbc: 1, ibs: 3, ail_mode_3: true, ..P7.grants },
    ..SETTABLE
};
const P9: HostProfile = HostProfile {
    kind: Kind::Hv(Vcores::Loose),
    smt: 1,
    possible: 0xf,
    cpu: Some("power9_v2.2"),
    mmu: EITHER,
    grants: Grants { large_decr: true, nested_hv: true, ..P8.grants },
    ..SETTABLE
};
const P10: HostProfile = HostProfile {
    cpu: Some("power10_v2.0"),
    grants: Grants { htm: false, cfpc: 2, ibs: 1, ccf_assist: true, dawr1: true, ..P9.grants },
    ..P9
};
/// A kernel before 4.13: no mode can be set, ids end where vcpus do, and machine checks go to nobody (FWNMI came with 4.13 as well).
const OLD: HostProfile = HostProfile { possible: 0, vcpu_id_end: KVM_VCPUS, linux: "up to 4.12", ..SETTABLE };
const PR: HostProfile = HostProfile {
    kind: Kind::Pr,
    possible: 1,
    // Its pages are shadowed one by one, so a guest's may be larger than the host's.
    grants: Grants { htm: true, cfpc: 1, sbbc: 1, ibs: 3, ..Grants::NOTHING },
    ..SETTABLE
};
const EMULATED: HostProfile =
    HostProfile { vcpu_id_end: u32::MAX, vcpus_max: u32::MAX, mmu: EITHER, grants: Grants::NOTHING, linux: "", ..SETTABLE };

/// All profiles.
pub static HOSTS: [HostProfile; 18] = [
    HostProfile { name: "kvm-hv/power8", about: "KVM-HV on POWER8, Linux 4.13 or later", ..P8 },
    HostProfile {
        name: "kvm-hv/power8-old-kernel",
        about: "KVM-HV on POWER8, a kernel before 4.13: the mode cannot be set",
        grants: Grants { fwnmi: false, rpt_invalidate: false, ..P8.grants },
        smt: P8.smt,
        cpu: P8.cpu,
        ..OLD
    },
    HostProfile { name: "kvm-hv/power8-subcores-2", about: "KVM-HV on POWER8 with subcores_per_core=2", smt: 4, possible: 0x7, ..P8 },
    HostProfile { name: "kvm-hv/power8-subcores-4", about: "KVM-HV on POWER8 with subcores_per_core=4", smt: 2, possible: 0x3, ..P8 },
    HostProfile { name: "kvm-hv/power7", about: "KVM-HV on POWER7, Linux 4.13 or later", ..P7 },
    HostProfile {
        name: "kvm-hv/power7-old-kernel",
        about: "KVM-HV on POWER7, a kernel before 4.13: the mode cannot be set",
        grants: Grants { fwnmi: false, rpt_invalidate: false, ..P7.grants },
        smt: P7.smt,
        cpu: P7.cpu,
        ..OLD
    },
    HostProfile { name: "kvm-hv/power9", about: "KVM-HV on POWER9 as released", ..P9 },
    HostProfile {
        name: "kvm-hv/power9-2018",
        about: "KVM-HV on POWER9 as the seed patch knew it, before its release: 4 by default",
        smt: 4,
        cpu: Some("power9_v2.0"),
        grants: Grants { htm: false, nested_hv: false, rpt_invalidate: false, ..P9.grants },
        ..P9
    },
    HostProfile {
        name: "kvm-hv/power9-old-kernel",
        about: "KVM-HV on POWER9, Linux 4.11 or 4.12, the first that ran there: one thread per core, and the mode cannot be set",
        kind: P9.kind,
        cpu: P9.cpu,
        mmu: P9.mmu,
        grants: Grants { htm: false, fwnmi: false, nested_hv: false, rpt_invalidate: false, ..P9.grants },
        linux: "4.11 and 4.12",
        ..OLD
    },
    HostProfile {
        name: "kvm-hv/power9-hash",
        about: "KVM-HV on POWER9 booted with disable_radix",
        mmu: HASH,
        grants: hash_only(P9.grants),
        ..P9
    },
    HostProfile {
        name: "kvm-hv/power9-nested",
        about: "KVM-HV in a guest of POWER9 (cap-nested-hv): radix alone",
        mmu: RADIX,
        grants: Grants { htm: false, ..P9.grants },
        linux: "4.20 and later",
        ..P9
    },
    HostProfile { name: "kvm-hv/power10", about: "KVM-HV on POWER10", ..P10 },
    HostProfile {
        name: "kvm-hv/power10-nested",
        about: "KVM-HV in a guest of POWER10 (cap-nested-hv): radix alone",
        mmu: RADIX,
        linux: "5.10 and later",
        ..P10
    },
    HostProfile {
        name: "kvm-hv/ppc970",
        about: "KVM-HV on PowerPC 970, gone from Linux before the mode could be set",
        vcpu_id_end: KVM_VCPUS,
        cpu: Some("970_v2.2"),
        grants: Grants { pages: Some(16), ..Grants::NOTHING },
        linux: "up to 4.12",
        ..SETTABLE
    },
    HostProfile {
        name: "kvm-pr",
        about: "KVM-PR on any host (here a POWER8): one id after the other, never settable",
        cpu: Some("power8_v2.0"),
        ..PR
    },
    HostProfile {
        name: "kvm-pr/power9",
        about: "KVM-PR on a POWER9 booted with disable_radix: as on POWER8, with another processor",
        cpu: Some("power9_v2.2"),
        ..PR
    },
    HostProfile {
        name: "tcg",
        about: "emulation with SMT: QEMU 8.1 and later, and spapr's own accelerators",
        kind: Kind::Emulated { max_threads: 8 },
        ..EMULATED
    },
    HostProfile { name: "tcg-7.2", about: "emulation without SMT: QEMU up to 8.0", kind: Kind::Emulated { max_threads: 1 }, ..EMULATED },
];

/// Without radix there is nobody to nest.
const fn hash_only(grants: Grants) -> Grants {
    Grants { nested_hv: false, ..grants }
}
