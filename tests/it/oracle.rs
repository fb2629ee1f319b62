//! Repeats what witnesses other than QEMU say about single instructions: `tests/golden/oracle/*.txt`.
//!
//! QEMU is wrong now and then, and where the differential test leaves a row out for that reason somebody else must speak for the interpreter.
//! docs/oracles.md names the witnesses and says how the files are made. A line is `image before = after`, both lists of `register=value` in
//! hexadecimal. What is not named before has its usual value (CR is 12345678, all else 0), what is not named after must not have changed,
//! and `r3&mask=value` compares only the bits of the mask.

use crate::differential::QEMU_DIFFERS;
use crate::differential::among;
use spapr::accel::Exit;
use spapr::accel::Parts;
use spapr::accel::Vcpu;
use spapr::accel::interp::Interp;
use spapr::cpu::CpuState;
use spapr::cpu::state::Cr;
use spapr::cpu::state::Vsr;
use spapr::cpu::state::Xer;
use spapr::isa::cpu_model;
use spapr::isa::decode::decode;
use spapr::isa::disasm::disassemble;
use spapr::isa::insn::Insn;
use spapr::isa::regs::Fpscr;
use spapr::isa::regs::Msr;
use spapr::memory::GuestMemory;
use spapr::mmu::partition::Partition;
use spapr::units::Ra;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Where the instruction is.
const AT: u64 = 0x1000;

/// Registers by name: `r0` to `r31`, `vs0` to `vs63`, `cr`, `xer`, `fpscr`, `vscr`, `lr`, `ctr`.
type Registers = BTreeMap<String, u128>;

fn usual() -> CpuState {
    let msr = Msr(Msr::SF | Msr::LE | Msr::FP | Msr::VEC | Msr::VSX | Msr::PR);
    CpuState { cr: Cr::unpack(0x1234_5678), msr, nip: AT, ..CpuState::default() }
}

fn number(name: &str, prefix: &str) -> Option<usize> {
    name.strip_prefix(prefix).and_then(|n| n.parse().ok())
}

fn set(s: &mut CpuState, name: &str, value: u128) {
    let low = value as u64;
    match name {
        "cr" => s.cr = Cr::unpack(low as u32),
        "xer" => s.xer = Xer::unpack(low),
        "fpscr" => s.fpscr = Fpscr(low),
        "vscr" => s.vscr = low as u32,
        "lr" => s.lr = low,
        "ctr" => s.ctr = low,
        _ => match (number(name, "vs"), number(name, "r")) {
            (Some(n), _) => s.vsr[n] = Vsr::new(value),
            (_, Some(n)) => s.gpr[n] = low,
            (None, None) => panic!("no register {name}"),
        },
    }
}

fn all(s: &CpuState) -> Registers {
    let one = |name: &str, value: u64| (name.to_string(), u128::from(value));
    let fixed = s.gpr.iter().enumerate().map(|(n, v)| one(&format!("r{n}"), *v));
    let vector = s.vsr.iter().enumerate().map(|(n, v)| (format!("vs{n}"), v.value()));
    let single = [("cr", u64::from(s.cr.pack())), ("xer", s.xer.pack()), ("fpscr", s.fpscr.0), ("vscr", u64::from(s.vscr))];
    let jumps = [one("lr", s.lr), one("ctr", s.ctr)];
    fixed.chain(vector).chain(single.into_iter().map(|(name, v)| one(name, v))).chain(jumps).collect()
}

/// `name=value` or `name&mask=value`: name, mask, value.
fn parse(word: &str) -> (&str, u128, u128) {
    let hex = |text: &str| u128::from_str_radix(text, 16).unwrap_or_else(|_| panic!("{word}: no hexadecimal number"));
    let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("{word}: write register=value"));
    let (name, mask) = name.split_once('&').map_or((name, u128::MAX), |(name, mask)| (name, hex(mask)));
    (name, mask, hex(value))
}

fn machine() -> (Interp, Arc<GuestMemory>) {
    let memory = Arc::new(GuestMemory::new(1 << 20).unwrap());
    let interp = Interp::new(Parts::lone(cpu_model::by_name("power10_v2.0").unwrap(), Arc::new(Partition::new(memory.clone()))));
    (interp, memory)
}

/// What is other than the line says, empty if nothing is.
fn wrong(vcpu: &mut Interp, memory: &GuestMemory, line: &str) -> String {
    let (before, after) = line.split_once(" =").expect("a line has an equals sign between spaces");
    let mut words = before.split_whitespace();
    let image = u32::from_str_radix(words.next().unwrap(), 16).unwrap();
    memory.write(Ra(AT), &image.to_le_bytes()).unwrap();
    let mut given = usual();
    words.for_each(|w| set(&mut given, parse(w).0, parse(w).2));
    *vcpu.state_mut() = given.clone();
    let exit = vcpu.run(Some(1)).unwrap();
    if exit != Exit::Budget || vcpu.state().nip != AT + 4 {
        return format!("  {exit:?} at {:#x}\n", vcpu.state().nip);
    }
    let mut want = all(&given);
    let mut masks: BTreeMap<&str, u128> = BTreeMap::new();
    for (name, mask, value) in after.split_whitespace().map(parse) {
        want.insert(name.into(), value);
        masks.insert(name, mask);
    }
    let got = all(vcpu.state());
    let mask = |name: &str| masks.get(name).copied().unwrap_or(u128::MAX);
    let differing = want.iter().filter(|(name, value)| (got[*name] ^ **value) & mask(name) != 0);
    differing.map(|(name, value)| format!("  {name}: ours {:x}, expected {value:x}\n", got[name])).collect()
}

/// The name of the row of a line.
fn row_of(line: &str) -> &'static str {
    decode(Insn(u64::from_str_radix(&line[..8], 16).unwrap())).unwrap_or_else(|| panic!("{line}: no row")).name
}

fn repeat(text: &str, least: usize) {
    let (mut vcpu, memory) = machine();
    let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
    assert!(lines.len() >= least, "the file shrank to {} lines", lines.len());
    let mut report: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    for line in lines {
        let found = wrong(&mut vcpu, &memory, line);
        if !found.is_empty() {
            let shown = disassemble(Insn(u64::from_str_radix(&line[..8], 16).unwrap()), 0);
            report.entry(row_of(line)).or_insert_with(|| (0, format!("{shown}\n  {line}\n{found}"))).0 += 1;
        }
    }
    let shown: Vec<String> = report.values().map(|(n, text)| format!("{n} lines like {text}")).collect();
    assert!(report.is_empty(), "{} rows differ from the witness:\n{}", report.len(), shown.join("\n"));
}

const FIXED: &str = include_str!("../golden/oracle/fixed.txt");
const FLOAT: &str = include_str!("../golden/oracle/float.txt");
const MISC: &str = include_str!("../golden/oracle/misc.txt");

/// Rows on which QEMU differs that no witness here knows: decimal floating point has its own tests beside its functions.
const NO_WITNESS: &str = "drdpq denbcd denbcdq drrnd drrndq drsp dscli dscliq dscri dscriq ddedpd ddedpdq";

#[test]
fn fixed_point_agrees_with_libre_soc_and_exact_arithmetic() {
    repeat(FIXED, 1000);
}

#[test]
fn floating_point_agrees_with_exact_rationals() {
    repeat(FLOAT, 900);
}

#[test]
fn rows_that_qemu_gets_wrong_are_as_the_book_says() {
    repeat(MISC, 250);
}

#[test]
fn every_row_that_is_not_compared_with_qemu_has_another_witness() {
    let lines = [FIXED, FLOAT, MISC].into_iter().flat_map(str::lines).filter(|l| !l.starts_with('#'));
    let seen: BTreeSet<&str> = lines.map(row_of).collect();
    let excluded = |name: &str| QEMU_DIFFERS.iter().any(|(names, _)| among(names, name));
    let alone = spapr::isa::table::rows().map(|r| r.name).filter(|n| excluded(n) && !seen.contains(n) && !among(NO_WITNESS, n));
    assert_eq!(alone.collect::<Vec<_>>(), Vec::<&str>::new());
}
