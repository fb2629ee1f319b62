//! Settings that are refused, with what the refusal says, and settings that start.

use proptest::prelude::any;
use proptest::prelude::proptest;

use crate::spapr::caps::Cap;
use crate::spapr::options::IcMode;
use crate::spapr::options::ResizeHpt;
use crate::spapr::smp::SmpSettings;
use crate::spapr::spec::LMB_BYTES;
use crate::spapr::spec::MachineSpec;
use crate::spapr::spec::NodeSettings;
use crate::spapr::spec::Settings;
use crate::spapr::spec::check;
use crate::spapr::version::Version;
use crate::units::CoreId;
use crate::units::UnitAddress;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The default settings with some changed.
fn with(change: impl FnOnce(&mut Settings)) -> Result<MachineSpec, String> {
    let mut settings = Settings::default();
    change(&mut settings);
    check(&settings).map_err(|error| error.to_string())
}

fn smp(text: &str) -> SmpSettings {
    SmpSettings::parse(text).unwrap()
}

fn caps(given: &[(&str, &str)]) -> Vec<(String, String)> {
    given.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// Nodes of so many MiB each, with these cores.
fn nodes(given: &[(u64, &[u32])]) -> Vec<NodeSettings> {
    given.iter().map(|(mib, cores)| NodeSettings { memory: Some(mib * MIB), cores: cores.to_vec() }).collect()
}

#[test]
fn nothing_given_is_the_newest_machine() {
    let spec = with(|_| {}).unwrap();
    assert_eq!((spec.version, spec.cpu.name, spec.ic), (Version::latest(), "power10_v2.0", IcMode::Dual));
    assert_eq!((spec.ram, spec.maxmem, spec.rma, spec.smp.cpus), (512 * MIB, 512 * MIB, 512 * MIB, 1));
    assert_eq!((spec.vtys, spec.nvram_at, spec.nvram_bytes), (vec![UnitAddress(0x7100_0000)], UnitAddress(0x7100_0001), 64 << 10));
    assert_eq!((spec.vsmt.stride(), spec.vsmt.origin().text()), (1, "default: threads"));
    assert_eq!(spec.resize_hpt, ResizeHpt::Enabled);
    let muted: Vec<&str> = spec.warnings.iter().map(|w| w.message.as_str()).collect();
    assert!(muted.is_empty(), "{muted:?}");
}

#[test]
fn every_version_starts_with_what_it_is_told_to() {
    for version in Version::all() {
        let spec = with(|s| {
            s.machine = version.to_string();
            // TM was on by default until 2.11, and POWER8 has it.
            s.caps = caps(&[("htm", "off")]);
        })
        .unwrap_or_else(|error| panic!("{version}: {error}"));
        assert_eq!(spec.resize_hpt, spec.compat.resize_hpt);
        assert_eq!(spec.caps.get(Cap::Fwnmi), u8::from(version >= Version::new(5, 0)), "{version}");
    }
}

#[test]
fn memory_is_cut_into_nodes_and_a_real_mode_area() {
    let rma = |mib: u64, machine: &str| with(|s| (s.memory, s.machine) = (mib * MIB, machine.to_string())).unwrap().rma;
    assert_eq!((rma(1280, "10.2"), rma(65536, "10.2"), rma(65536, "4.2")), (GIB, 64 * GIB, 16 * GIB));
    let two = with(|s| {
        s.memory = GIB;
        s.smp = smp("16,threads=4,cores=2,sockets=2");
        s.nodes = vec![NodeSettings::default(); 2];
    })
    .unwrap();
    assert_eq!(two.nodes.iter().map(|n| n.memory).collect::<Vec<_>>(), [512 * MIB, 512 * MIB]);
    assert_eq!(two.nodes[1].cpus, [CoreId(2), CoreId(3)]);
    assert_eq!((two.distances, two.rma), (vec![vec![10, 20], vec![20, 10]], 512 * MIB));
    let far = with(|s| {
        s.smp = smp("2");
        s.nodes = nodes(&[(256, &[1]), (256, &[0])]);
        s.distances = vec![(0, 1, 80)];
    })
    .unwrap();
    assert_eq!((far.distances[1][0], far.nodes[0].cpus.as_slice()), (80, [CoreId(1)].as_slice()));
    // Without memory blocks any whole page will do.
    assert_eq!(with(|s| (s.memory, s.machine) = (200 * MIB, "2.4".to_string())).unwrap().rma, 128 * MIB);
}

#[test]
fn homeless_cores_are_warned_of() {
    let spec = with(|s| {
        s.smp = smp("2");
        s.nodes = nodes(&[(256, &[]), (256, &[1])]);
    })
    .unwrap();
    assert_eq!(spec.nodes[0].cpus, [CoreId(0)]);
    assert!(spec.warnings.iter().any(|w| w.message == "CPU(s) not present in any NUMA nodes: core 0"));
}

#[test]
fn terminals_take_free_addresses() {
    let spec = with(|s| s.vtys = vec![None, Some(0x7100_0000), None, Some(0x3000_0000)]).unwrap();
    let at: Vec<u32> = spec.vtys.iter().map(|at| at.0).collect();
    assert_eq!((at.as_slice(), spec.nvram_at.0), ([0x7100_0001, 0x7100_0000, 0x7100_0002, 0x3000_0000].as_slice(), 0x7100_0003));
    assert_eq!(with(|s| s.vtys.clear()).unwrap().nvram_at, UnitAddress(0x7100_0000));
}

/// A name for the case, the settings, and what the refusal must say.
type Refusal = (&'static str, fn(&mut Settings), &'static [&'static str]);

/// Every refusal, with the setting it names and what it offers.
const REFUSALS: &[Refusal] = &[
    ("machine", |s| s.machine = "pseries-4.3".into(), &["machine: ", "did you mean \"pseries-4.2\"?"]),
    ("cpu", |s| s.cpu = Some("power8_v2.1".into()), &["cpu: unable to find CPU model 'power8_v2.1'", "did you mean power8_v2.0?"]),
    ("cpu host", |s| s.cpu = Some("host".into()), &["cpu: ", "accel=\"kvm\""]),
    ("cpu property", |s| s.cpu = Some("power9,compat=power8".into()), &["max_cpu_compat"]),
    ("capability", |s| s.caps = caps(&[("hmt", "off")]), &["caps: ", "did you mean htm?"]),
    ("capability value", |s| s.caps = caps(&[("cfpc", "fixd")]), &["caps[\"cfpc\"]: Invalid capability mode \"fixd\"", "\"fixed\"?"]),
    ("capability twice", |s| s.caps = caps(&[("vsx", "on"), ("cap-vsx", "off")]), &["given twice"]),
    (
        "contradiction",
        |s| s.caps = caps(&[("nested-hv", "on"), ("nested-papr", "on")]),
        &["caps[\"nested-hv\"]: ", "mutually exclusive", "use caps={\"nested-hv\": \"off\"}"],
    ),
    (
        "beyond compat",
        |s| (s.max_cpu_compat, s.caps) = (Some("power8".into()), caps(&[("dawr1", "on")])),
        &["DAWR1 supported only on POWER10"],
    ),
    ("htm of 2.11", |s| s.machine = "pseries-2.11".into(), &["No Transactional Memory support in TCG; use caps={\"htm\": \"off\"}"]),
    (
        "compat name",
        |s| s.max_cpu_compat = Some("power12".into()),
        &["max_cpu_compat: Invalid compatibility mode \"power12\"", "did you mean"],
    ),
    (
        "compat too new",
        |s| (s.cpu, s.max_cpu_compat) = (Some("power8".into()), Some("power9".into())),
        &["Compatibility PVR 0x0f000005 (power9) not valid for CPU power8_v2.0"],
    ),
    ("vsmt < threads", |s| (s.smp, s.vsmt) = (smp("8,threads=8"), Some(4)), &["vsmt: ", "must be >= threads/core (8); use vsmt=8"]),
    ("vsmt negative", |s| s.vsmt = Some(-8), &["vsmt: Parameter 'vsmt' expects uint32_t"]),
    ("vsmt odd", |s| s.vsmt = Some(3), &["vsmt: ", "use vsmt=4"]),
    ("vsmt absurd", |s| (s.vsmt, s.ic_mode) = (Some(1 << 31), Some("xics".into())), &["vsmt: ", "2^28"]),
    ("vsmt of old", |s| (s.machine, s.vsmt) = ("2.7".into(), Some(8)), &["vsmt: Property '.vsmt' not found", "ruleset=\"qemu-2.12\""]),
    ("servers", |s| (s.smp, s.vsmt) = (smp("513"), Some(8)), &["vsmt: IRQ 4096 is not free", "use vsmt=4 or less", "ic_mode=\"xics\""]),
    ("threads 3", |s| s.smp = smp("3,threads=3"), &["smp: Cannot support 3 threads/core", "use threads=1, 2, 4, 8"]),
    ("threads 16", |s| s.smp = smp("16,threads=16"), &["smp: TCG cannot support more than 8 threads/core", "use threads=8 or less"]),
    ("SMT of POWER7", |s| (s.cpu, s.smp) = (Some("power7".into()), smp("2,threads=2")), &["TCG only supports SMT on POWER8"]),
    ("cpus", |s| s.smp = smp("5000"), &["smp: Invalid SMP CPUs 5000", "use maxcpus=4096 or less"]),
    ("cpus of 4.1", |s| (s.machine, s.smp) = ("pseries-4.1".into(), smp("1025")), &["supported by machine 'pseries-4.1' is 1024"]),
    (
        "xive of POWER8",
        |s| (s.cpu, s.ic_mode) = (Some("power8".into()), Some("xive".into())),
        &["ic_mode: XIVE-only machines require a POWER9 CPU"],
    ),
    ("ic-mode of 3.0", |s| (s.machine, s.ic_mode) = ("3.0".into(), Some("xics".into())), &["ic_mode: ", "don't pass ic-mode"]),
    ("ic-mode", |s| s.ic_mode = Some("xive2".into()), &["ic_mode: ", "did you mean xive?"]),
    ("resize-hpt", |s| s.resize_hpt = Some("enable".into()), &["resize_hpt: ", "did you mean enabled?"]),
    ("ruleset", |s| s.ruleset = Some("qemu-2.13".into()), &["ruleset: ", "did you mean qemu-2.1"]),
    ("memory", |s| s.memory = 300 * MIB, &["memory: Memory size 0x12c00000 is not aligned to 256 MiB; use memory=\"256M\" or \"512M\""]),
    ("memory 0", |s| s.memory = 0, &["memory: "]),
    ("RMA", |s| s.memory = 100 * MIB, &["memory: ", "128MiB guest RMA", "use memory=\"256M\""]),
    ("RMA of a node", |s| s.nodes = nodes(&[(64, &[]), (448, &[])]), &["numa[0].memory: ", "128MiB guest RMA"]),
    (
        "maxmem",
        |s| s.maxmem = Some(256 * MIB),
        &["maxmem: ", "must be at least the initial memory size (0x20000000); use maxmem=\"512M\" or more"],
    ),
    ("maxmem alignment", |s| s.maxmem = Some(GIB + 1), &["maxmem: Maximum memory size 0x40000001 is not aligned"]),
    ("node", |s| s.nodes = nodes(&[(200, &[]), (312, &[])]), &["numa[0].memory: Node 0 memory size 0xc800000 is not aligned to 256 MiB"]),
    (
        "sum of nodes",
        |s| s.nodes = nodes(&[(256, &[])]),
        &["numa: total memory for NUMA nodes (0x10000000) should equal RAM size (0x20000000)"],
    ),
    ("core of no node", |s| s.nodes = nodes(&[(256, &[0]), (256, &[7])]), &["numa[1].cores: there is no core 7"]),
    ("core of two nodes", |s| s.nodes = nodes(&[(256, &[0]), (256, &[0])]), &["numa[1].cores: core 0 is already in node 0"]),
    (
        "distance within",
        |s| (s.nodes, s.distances) = (nodes(&[(256, &[]), (256, &[])]), vec![(0, 0, 20)]),
        &["numa distance: Local distance of node 0 should be 10"],
    ),
    (
        "distance too small",
        |s| (s.nodes, s.distances) = (vec![NodeSettings::default(); 2], vec![(0, 1, 9)]),
        &["NUMA distance (9) is invalid, it shouldn't be less than 10"],
    ),
    (
        "distance missing",
        |s| (s.nodes, s.distances) = (vec![NodeSettings::default(); 2], vec![(0, 0, 10)]),
        &["numa distance: the distance between nodes 0 and 1 is missing"],
    ),
    ("vtys", |s| s.vtys = vec![Some(0)], &["vtys: unit address 0x0"]),
    ("vtys alike", |s| s.vtys = vec![Some(0x3000_0000); 2], &["vtys: devices conflict at address 0x30000000"]),
    (
        "vtys of one interrupt",
        |s| s.vtys = vec![Some(0x7100_0000), Some(0x7100_0100)],
        &["vtys: devices at 0x71000000 and 0x71000100 have one interrupt, 0x1100"],
    ),
    ("vtys many", |s| s.vtys = vec![None; 17], &["vtys: ", "use vtys=16 or less"]),
    ("nvram", |s| s.nvram_bytes = Some(1), &["nvram_bytes: "]),
    ("uuid", |s| s.uuid = Some("1234".into()), &["uuid: "]),
    ("append", |s| s.append = "a\0b".into(), &["append: ", "zero byte"]),
    ("initrd alone", |s| s.initrd = Some("initrd".into()), &["initrd: "]),
    (
        "processor of another host",
        |s| (s.host, s.cpu) = (Some("kvm-hv/power9".into()), Some("power8".into())),
        &["cpu: ", "only \"-cpu host\" is possible", "use cpu=\"power9_v2.2\" with max_cpu_compat=\"power8\""],
    ),
    (
        "capability of a host",
        |s| (s.host, s.caps) = (Some("kvm-hv/power10".into()), caps(&[("htm", "on")])),
        &["KVM implementation does not support Transactional Memory; use caps={\"htm\": \"off\"}"],
    ),
    (
        "pages of a host",
        |s| (s.host, s.caps) = (Some("kvm-hv/power8".into()), caps(&[("hpt-max-page-size", "16M")])),
        &["Can't support 16384 kiB guest pages with 64 kiB host pages", "use caps={\"hpt-max-page-size\": \"64K\"}"],
    ),
    (
        "vcpus of a host",
        |s| (s.host, s.smp) = (Some("kvm-hv/power9".into()), smp("2049")),
        &["smp: Number of SMP cpus requested (2049) exceeds the maximum cpus supported by KVM (2048); use cpus=2048 or less"],
    ),
    (
        "radix of a host",
        |s| (s.host, s.max_cpu_compat) = (Some("kvm-hv/power9-nested".into()), Some("power8".into())),
        &["max_cpu_compat: ", "radix alone"],
    ),
    ("kernel_addr", |s| s.kernel_addr = Some(1 << 40), &["kernel_addr: ", "use kernel_addr=0x400000"]),
];

/// All refusals as users read them; `UPDATE=1 cargo test` writes the file anew.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/errors.md");

#[test]
fn every_refusal_is_worded_as_in_the_golden_file() {
    let mut text = String::from(
        "# What is refused, and what to write instead\n\nOne example of each: `<setting>: <what is wrong>; <what to write>`.\n\n",
    );
    for (case, change, _) in REFUSALS {
        text.push_str(&format!("* {case}: `{}`\n", with(change).unwrap_err()));
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert!(golden == text, "tests/golden/errors.md differs; if that is meant, run with UPDATE=1");
}

#[test]
fn every_refusal_names_the_setting_and_offers_another() {
    for (case, change, says) in REFUSALS {
        let refused = with(change).err().unwrap_or_else(|| panic!("{case}: was not refused"));
        for words in *says {
            assert!(refused.contains(words), "{case}: {words:?} is not in {refused:?}");
        }
        let hint = refused.rsplit("; ").next().unwrap();
        assert!(hint.contains('=') || hint.contains("use ") || hint.contains("leave"), "{case}: no hint in {refused:?}");
    }
}

#[test]
fn a_uuid_is_sixteen_bytes() {
    let uuid = with(|s| s.uuid = Some("00112233-4455-6677-8899-AABBccddeeff".into())).unwrap().uuid.unwrap();
    assert_eq!(uuid[..], (0..16).map(|i| i * 0x11).collect::<Vec<u8>>()[..]);
}

proptest! {
    /// Whatever numbers come in, an answer comes out; what is accepted keeps the promises of [`MachineSpec`].
    #[test]
    fn any_numbers_get_an_answer(
        version in 0usize..36,
        counts in any::<[Option<u16>; 5]>(),
        wide in any::<[Option<u32>; 2]>(),
        vsmt in any::<Option<i64>>(),
        small in any::<Option<u8>>(),
        blocks in 0u64..2000,
        odd in any::<u64>(),
        split in any::<[Option<u16>; 3]>(),
        distances in any::<[(u8, u8, u8); 4]>(),
        nvram in any::<Option<u64>>(),
    ) {
        let [cpus, sockets, cores, threads, maxcpus] = counts.map(|n| n.map(|n| u32::from(n % 9)));
        let nodes = split.iter().flatten().map(|n| NodeSettings { memory: None, cores: vec![u32::from(*n) % 8] });
        let settings = Settings {
            machine: Version::all().nth(version).unwrap().to_string(),
            caps: caps(&[("htm", "off")]),
            smp: SmpSettings { cpus: wide[0].or(cpus), sockets, cores, threads, maxcpus: wide[1].or(maxcpus) },
            vsmt: small.map(|n| 1i64 << (n % 34)).or(vsmt),
            memory: if odd % 4 == 0 { odd } else { blocks * LMB_BYTES },
            maxmem: (odd % 3 == 0).then_some(odd),
            nodes: nodes.collect(),
            distances: if odd % 5 == 0 { distances.map(|(a, b, d)| (u32::from(a % 4), u32::from(b % 4), d)).to_vec() } else { Vec::new() },
            nvram_bytes: nvram,
            ..Settings::default()
        };
        if let Ok(spec) = check(&settings) {
            assert_eq!(spec.nodes.iter().map(|n| n.memory).sum::<u64>(), spec.ram);
            assert_eq!(spec.nodes.iter().map(|n| n.cpus.len()).sum::<usize>(), spec.smp.max_cores() as usize);
            assert!(spec.rma.is_power_of_two() || spec.rma == spec.ram);
            assert!(spec.maxmem >= spec.ram && spec.smp.maxcpus >= spec.smp.cpus);
            let ids: Vec<_> = spec.vsmt.vcpu_ids().collect();
            assert!(ids.is_sorted_by(|a, b| a < b) && ids.len() == spec.smp.cpus as usize);
            assert!(ids.iter().all(|id| id.0 < spec.vsmt.max_server_number()));
        }
    }
}
