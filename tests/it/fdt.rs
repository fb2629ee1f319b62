//! Device trees as files that a reviewer can read, and what must hold in the tree of every machine version.
//!
//! `UPDATE=1 cargo test --test it fdt` writes the files anew; a changed line is a guest-visible change of an old machine. What differs from
//! QEMU's trees on purpose is in `docs/device-tree.md`.

use spapr::fdt::Node;
use spapr::fdt::Tree;
use spapr::intc::Active;
use spapr::spapr::devtree;
use spapr::spapr::devtree::IsaKnowledge;
use spapr::spapr::devtree::Loaded;
use spapr::spapr::devtree::Negotiated;
use spapr::spapr::devtree::Services;
use spapr::spapr::hcall;
use spapr::spapr::ovec::OptionVector;
use spapr::spapr::rtas;
use spapr::spapr::smp::SmpSettings;
use spapr::spapr::spec::MachineSpec;
use spapr::spapr::spec::NodeSettings;
use spapr::spapr::spec::Settings;
use spapr::spapr::spec::check;
use spapr::spapr::version::Version;
use spapr::units::CoreId;
use spapr::units::CpuIndex;
use std::fs;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/fdt");

fn settings(machine: &str, cpu: &str, smp: &str) -> Settings {
    let off = |cap: &str| (cap.to_string(), "off".to_string());
    let caps = vec![off("htm"), off("ccf-assist")];
    Settings {
        machine: machine.into(),
        cpu: Some(cpu.into()),
        smp: SmpSettings::parse(smp).unwrap(),
        memory: 1 << 30,
        caps,
        ..Settings::default()
    }
}

/// The tree before negotiation, or after one that agreed on `ov5`.
fn tree(spec: &MachineSpec, ic: Active, ov5: OptionVector) -> Tree {
    let now = Negotiated { ic, ov5, compat: spec.max_compat, knows_isa_3: IsaKnowledge::Isa3, hpt_shift: 23, rng_seed: [0; 32] };
    let services = Services { rtas: rtas::services(spec), hypertas: hcall::hypertas(spec) };
    devtree::build(spec, &now, &Loaded::default(), &services)
}

fn boot_tree(settings: &Settings) -> Tree {
    tree(&check(settings).unwrap(), Active::Xics, OptionVector::default())
}

/// Compares with the golden file, or writes it.
fn golden(name: &str, tree: &Tree) {
    let (path, text) = (format!("{GOLDEN}/{name}.dts"), tree.to_dts());
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(GOLDEN).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let want = fs::read_to_string(&path).unwrap_or_default();
    let differs = want.lines().zip(text.lines()).find(|(a, b)| a != b);
    assert!(want == text, "{name}.dts: {differs:?}; if that is meant, run with UPDATE=1");
}

#[test]
fn trees_are_the_golden_ones() {
    for (version, cpu, smp) in [
        ("2.1", "970", "1"),
        ("2.7", "power7", "1"),
        ("2.12", "power8", "2,threads=2"),
        ("3.1", "power8", "1"),
        ("4.1", "power9", "8,cores=2,threads=4"),
        ("4.2", "power9", "8,cores=2,threads=4"),
        ("10.2", "power10", "1"),
    ] {
        golden(&format!("{version}-{cpu}"), &boot_tree(&settings(&format!("pseries-{version}"), cpu, smp)));
    }
}

/// Two nodes and room for more memory, on both sides of form 2.
#[test]
fn negotiated_trees_are_the_golden_ones() {
    for version in ["6.1", "6.2"] {
        let half = |cores: [u32; 1]| NodeSettings { memory: Some(512 << 20), cores: cores.to_vec() };
        let settings = Settings {
            nodes: vec![half([0]), half([1])],
            distances: vec![(0, 1, 40)],
            maxmem: Some(2 << 30),
            ..settings(&format!("pseries-{version}"), "power9", "4,cores=2,threads=2,sockets=1")
        };
        let spec = check(&settings).unwrap();
        golden(&format!("{version}-power9-negotiated"), &tree(&spec, Active::Xive, devtree::offered_ov5(&spec)));
    }
}

fn cells(node: &Node, name: &str) -> Vec<u32> {
    let value = node.get(name).unwrap_or_else(|| panic!("{} has no {name}", node.name));
    value.chunks(4).map(|c| u32::from_be_bytes(c.try_into().unwrap())).collect()
}

/// Everything in the tree that names a vcpu, against the numbering.
fn check_numbers(spec: &MachineSpec, what: &str) {
    let tree = tree(spec, Active::Xics, OptionVector::default());
    let cpus = tree.root.find("/cpus").unwrap();
    let cores: Vec<CoreId> = (0..spec.smp.boot_cores()).map(CoreId).collect();
    assert_eq!(cpus.children.len(), cores.len(), "{what}");
    for (node, &core) in cpus.children.iter().zip(&cores) {
        let id = spec.vsmt.core_id(core).0;
        let servers: Vec<u32> = (0..spec.smp.threads).map(|t| spec.vsmt.vcpu_id(CpuIndex(core.0 * spec.smp.threads + t)).0).collect();
        assert!(node.name.ends_with(&format!("@{id:x}")), "{what}: {}", node.name);
        assert_eq!((cells(node, "reg"), cells(node, "ibm,ppc-interrupt-server#s")), (vec![id], servers.clone()), "{what}");
        assert_eq!(servers[0], id, "{what}");
        let pairs: Vec<u32> = servers.iter().flat_map(|s| [*s, 0]).collect();
        assert_eq!(cells(node, "ibm,ppc-interrupt-gserver#s"), pairs, "{what}");
        let drc = spec.compat.cpu_hotplug.then(|| spec.vsmt.drc(core).0);
        assert_eq!(node.get_u32("ibm,my-drc-index"), drc, "{what}");
    }
    if spec.compat.cpu_hotplug {
        let all: Vec<u32> = (0..spec.smp.max_cores()).map(|c| 0x1000_0000 | spec.vsmt.core_id(CoreId(c)).0).collect();
        assert_eq!(cells(cpus, "ibm,drc-indexes"), [vec![all.len() as u32], all].concat(), "{what}");
    } else {
        assert!(cpus.get("ibm,drc-indexes").is_none(), "{what}");
    }
    let intc = tree.root.child("interrupt-controller").unwrap();
    let servers = spec.vsmt.max_server_number();
    assert_eq!(cells(intc, "ibm,interrupt-server-ranges"), [0, servers], "{what}");
    assert!(spec.vsmt.vcpu_ids().all(|id| id.0 < servers), "{what}");
}

#[test]
fn every_number_of_a_vcpu_follows_vsmt() {
    let mut checked = 0;
    for version in Version::all() {
        for threads in [1, 2, 4, 8] {
            for vsmt in [None, Some(1), Some(2), Some(4), Some(8), Some(16)] {
                for ruleset in [None, Some("qemu-2.12"), Some("qemu-10.2")] {
                    let smp = format!("{},maxcpus={},threads={threads}", 2 * threads, 3 * threads);
                    let machine = format!("pseries-{}", version.number());
                    let ruleset = ruleset.map(str::to_string);
                    let Ok(spec) = check(&Settings { vsmt, ruleset, ..settings(&machine, "power8", &smp) }) else { continue };
                    check_numbers(&spec, &format!("{machine} threads={threads} vsmt={vsmt:?}"));
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 500, "{checked}");
}

#[test]
fn versions_differ_where_they_should() {
    let has = |version: &str, path: &str, property: &str| {
        let tree = boot_tree(&settings(&format!("pseries-{version}"), "power8", "1"));
        tree.root.find(path).is_some_and(|n| property.is_empty() || n.get(property).is_some())
    };
    for (older, newer, path, property) in [
        ("2.4", "2.5", "/", "ibm,drc-indexes"),
        ("2.6", "2.7", "/cpus", "ibm,drc-indexes"),
        ("2.7", "2.8", "/event-sources/hot-plug-events", ""),
        ("4.1", "4.2", "/chosen", "linux,pci-probe-only"),
        ("4.2", "5.0", "/ibm,persistent-memory", ""),
    ] {
        assert_eq!((has(older, path, property), has(newer, path, property)), (false, true), "{path} {property}");
    }
    let cells_of = |version: &str, cpu: &str, path: &str, property: &str| {
        let tree = boot_tree(&settings(&format!("pseries-{version}"), cpu, "1"));
        tree.root.find(path).unwrap().get(property).map(|_| cells(tree.root.find(path).unwrap(), property))
    };
    for (version, cpu, path, property, want) in [
        ("2.7", "power8", "/vdevice/vty", "interrupts", Some(vec![0x1001, 0])),
        ("3.0", "power8", "/vdevice/vty", "interrupts", Some(vec![0x1002, 0])),
        ("3.0", "power8", "/vdevice/nvram", "interrupts", Some(vec![0x1003, 0])),
        ("3.1", "power8", "/vdevice/nvram", "interrupts", Some(vec![0x1101, 0])),
        ("3.1", "power8", "/", "ibm,drc-indexes", Some(vec![0])),
        ("3.1", "power9", "/cpus/PowerPC,POWER9", "ibm,dec-bits", None),
        ("4.0", "power9", "/cpus/PowerPC,POWER9", "ibm,dec-bits", Some(vec![56])),
        ("5.0", "power9", "/rtas", "ibm,associativity-reference-points", Some(vec![4, 4])),
        ("5.1", "power9", "/rtas", "ibm,associativity-reference-points", Some(vec![4, 4, 2])),
    ] {
        assert_eq!(cells_of(version, cpu, path, property), want, "{version} {path} {property}");
    }
}

/// Byte for byte what QEMU's trees show with the same capabilities.
#[test]
fn processor_features_are_those_of_the_edition() {
    let power7 = "0600f63fc70000c0";
    let power8 = "1800f63fc7c000f0800000000000000000008000800080000000";
    let power9 = "4200f63fc7c000f0800000000000000000008000800080000000800080008000000080\
                  00c000000000008000800080008000800080008000800080008000800080000000";
    let power10 = "4a00f63fc7c000f0800000000000000000008000800080000000800080008000000080\
                   00c0000000000080008000800080008000800080008000800080008000800080000000\
                   ce0000008000";
    let hex = |cpu: &str, compat: Option<&str>, page: &str| {
        let mut settings = Settings { max_cpu_compat: compat.map(str::to_string), ..settings("pseries-10.2", cpu, "1") };
        settings.caps.push(("hpt-max-page-size".into(), page.into()));
        let tree = boot_tree(&settings);
        let features = tree.root.find("/cpus").unwrap().children[0].get("ibm,pa-features").map(<[u8]>::to_vec);
        features.map(|f| f.iter().map(|b| format!("{b:02x}")).collect::<String>())
    };
    for (cpu, compat, want) in [
        ("970", None, None),
        ("power5+", None, None),
        ("power7", None, Some(power7)),
        ("power8", None, Some(power8)),
        ("power9", None, Some(power9)),
        ("power10", None, Some(power10)),
        ("power11", None, Some(power10)),
        ("power9", Some("power8"), Some(power8)),
        ("power9", Some("power7"), Some(power7)),
        ("power10", Some("power9"), Some(power9)),
        // (QEMU ends at an assertion here.)
        ("power10", Some("power8"), Some(power8)),
    ] {
        assert_eq!(hex(cpu, compat, "64K").as_deref(), want, "{cpu} {compat:?}");
    }
    let small = power8.replacen("f63f", "f61f", 1);
    assert_eq!(hex("power8", None, "4K"), Some(small), "no cache-inhibited large pages");
}
