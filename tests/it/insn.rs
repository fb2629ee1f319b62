//! Instructions by example: the lines of `tests/insn/*.ins`.
//!
//! ```text
//! @power8 @le [7c 64 2a 14] "add r3,r4,r5" r4 = 1, r5 = 2 => r3 = 3
//! ```
//!
//! - Tags: a CPU model (`@power8`; without one, power10), `@le` (little-endian), `@32bit` (MSR SF off), `@user` (problem state), `@nofp`, `@novec`, `@novsx`.
//! - In brackets one or more instruction words as the book prints them, and in quotes their disassembly, separated by `;`. They lie at 0x1000.
//! - State before, then after `=>`. Everything that is not named is zero before, and *must not change*, memory included.
//! - Names: `r0` to `r31`, `cr`, `cr0` to `cr7`, `xer`, `lr`, `ctr`, `nip`, `msr`, `fpscr`, `vscr`, `f0`, `v0`, `vs0` and so on, an SPR's name, and
//!   `mem[address:bytes]`, a number in the guest's byte order. Values are decimal, or hexadecimal with `0x`; `_` may group digits.
//! - An interrupt is named after `=>`, with its reason for program interrupts: `program trap`, `program illegal`, `program privileged`,
//!   `program fp`, `alignment`, `data storage`, `fp unavailable` … Then nothing may have changed but what is named (SRR0, SRR1, DAR and DSISR apart).

use spapr::accel::Parts;
use spapr::accel::Vcpu;
use spapr::accel::interp::Interp;
#[cfg(target_arch = "x86_64")]
use spapr::accel::tcg::Options;
#[cfg(target_arch = "x86_64")]
use spapr::accel::tcg::Tcg;
use spapr::cpu::CpuState;
use spapr::cpu::state::Cr;
use spapr::cpu::state::Vsr;
use spapr::cpu::state::Xer;
use spapr::isa::Insn;
use spapr::isa::cpu_model::MODELS;
use spapr::isa::decode::is_prefix;
use spapr::isa::disasm::disassemble;
use spapr::isa::regs::Fpscr;
use spapr::isa::regs::Msr;
use spapr::isa::regs::SRR1_FP;
use spapr::isa::regs::SRR1_ILLEGAL;
use spapr::isa::regs::SRR1_PRIVILEGED;
use spapr::isa::regs::SRR1_TRAP;
use spapr::isa::spr;
use spapr::isa::vectors;
use spapr::memory::GuestMemory;
use spapr::mmu::partition::Partition;
use spapr::units::Ra;
use std::fmt::Write;
use std::sync::Arc;

const AT: u64 = 0x1000;
const RAM: u64 = 0x1_0000;

/// What a line says.
struct Line<'a> {
    tags: Vec<&'a str>,
    words: Vec<u32>,
    text: &'a str,
    before: Vec<(&'a str, u128)>,
    interrupt: Option<&'a str>,
    after: Vec<(&'a str, u128)>,
}

fn number(text: &str) -> Result<u128, String> {
    let digits = text.trim().replace('_', "");
    let (negative, digits) = digits.strip_prefix('-').map_or((false, digits.as_str()), |d| (true, d));
    let parsed = digits.strip_prefix("0x").map_or_else(|| digits.parse(), |hex| u128::from_str_radix(hex, 16));
    let v = parsed.map_err(|_| format!("`{text}` is not a number"))?;
    Ok(if negative { u128::from((v as u64).wrapping_neg()) } else { v })
}

/// `name = value, …`; an item without `=` is an interrupt.
fn settings(text: &str) -> Result<(Vec<(&str, u128)>, Option<&str>), String> {
    let (mut list, mut interrupt) = (Vec::new(), None);
    for item in text.split(',').map(str::trim).filter(|i| !i.is_empty()) {
        match item.split_once('=') {
            Some((name, value)) => list.push((name.trim(), number(value)?)),
            None => interrupt = Some(item),
        }
    }
    Ok((list, interrupt))
}

fn parse(line: &str) -> Result<Line<'_>, String> {
    let (head, rest) = line.split_once('[').ok_or("no [bytes]")?;
    let (bytes, rest) = rest.split_once(']').ok_or("no ] after the bytes")?;
    let text = rest.split('"').nth(1).ok_or("no \"disassembly\"")?;
    let rest = rest.rsplit_once('"').map_or("", |(_, r)| r);
    let (before, after) = rest.split_once("=>").ok_or("no =>")?;
    let bytes: Vec<u8> = bytes
        .split_whitespace()
        .map(|b| u8::from_str_radix(b, 16).map_err(|_| format!("`{b}` is not a byte")))
        .collect::<Result<_, _>>()?;
    let words =
        bytes.chunks(4).map(|w| w.try_into().map(u32::from_be_bytes).map_err(|_| "the bytes are not words")).collect::<Result<_, _>>()?;
    let (before, _) = settings(before)?;
    let (after, interrupt) = settings(after)?;
    Ok(Line { tags: head.split_whitespace().collect(), words, text, before, interrupt, after })
}

/// A register or memory operand set to a value.
fn set(s: &mut CpuState, memory: &mut [u8], name: &str, v: u128) -> Result<(), String> {
    let register = |prefix: &str, n: usize| name.strip_prefix(prefix).and_then(|d| d.parse::<usize>().ok()).filter(|d| *d < n);
    let v64 = v as u64;
    if let Some(place) = name.strip_prefix("mem[").and_then(|r| r.strip_suffix(']')) {
        let (at, bytes) = place.split_once(':').ok_or("mem[address:bytes]")?;
        let (at, bytes) = (number(at)? as usize, number(bytes)? as usize);
        let value = v.to_be_bytes();
        let slot = memory.get_mut(at..at + bytes).ok_or("outside memory")?;
        slot.copy_from_slice(&value[16 - bytes..]);
        if s.msr.has(Msr::LE) {
            slot.reverse();
        }
        return Ok(());
    }
    match name {
        "cr" => s.cr = Cr::unpack(v64 as u32),
        "xer" => s.xer = Xer::unpack(v64),
        "lr" => s.lr = v64,
        "ctr" => s.ctr = v64,
        "nip" => s.nip = v64,
        "msr" => s.msr = Msr(v64),
        "fpscr" => s.fpscr = Fpscr(v64),
        "vscr" => s.vscr = v64 as u32,
        _ => {
            if let Some(n) = register("r", 32) {
                s.gpr[n] = v64;
            } else if let Some(n) = register("cr", 8) {
                s.cr.set_field(n, v64 as u8);
            } else if let Some(n) = register("vs", 64) {
                s.vsr[n] = Vsr::new(v);
            } else if let Some(n) = register("v", 32) {
                s.set_vr(n, Vsr::new(v));
            } else if let Some(n) = register("f", 32) {
                s.vsr[n].0[0] = v64;
            } else if let Some(row) = spr::by_name(name) {
                s.spr[usize::from(row.number)] = v64;
            } else {
                return Err(format!("there is no `{name}`"));
            }
        }
    }
    Ok(())
}

/// Every register that must stay as it is, named.
fn shown(s: &CpuState) -> Vec<(String, u128)> {
    let mut v: Vec<(String, u128)> = s.gpr.iter().enumerate().map(|(n, g)| (format!("r{n}"), u128::from(*g))).collect();
    v.extend(s.vsr.iter().enumerate().map(|(n, x)| (format!("vs{n}"), x.value())));
    let more = [("cr", u64::from(s.cr.pack())), ("xer", s.xer.pack()), ("lr", s.lr), ("ctr", s.ctr), ("nip", s.nip), ("msr", s.msr.0)];
    v.extend(more.map(|(n, x)| (n.to_string(), u128::from(x))));
    v.extend([("fpscr", s.fpscr.0), ("vscr", u64::from(s.vscr))].map(|(n, x)| (n.to_string(), u128::from(x))));
    v
}

fn start_msr(tags: &[&str]) -> u64 {
    let has = |t: &str| tags.contains(&t);
    let mut msr = Msr::SF | Msr::FP | Msr::VEC | Msr::VSX;
    for (tag, on, off) in [
        ("@le", Msr::LE, 0),
        ("@user", Msr::PR, 0),
        ("@32bit", 0, Msr::SF),
        ("@nofp", 0, Msr::FP),
        ("@novec", 0, Msr::VEC),
        ("@novsx", 0, Msr::VSX),
    ] {
        if has(tag) {
            msr = (msr | on) & !off;
        }
    }
    msr
}

/// The interrupt that the machine took, as the lines name it.
fn taken(s: &CpuState) -> Option<String> {
    let row = vectors::TABLE.iter().find(|r| r.offset == s.nip && s.nip != 0)?;
    let why = s.spr[spr::SRR1];
    let reason = [(SRR1_TRAP, "trap"), (SRR1_ILLEGAL, "illegal"), (SRR1_PRIVILEGED, "privileged"), (SRR1_FP, "fp")];
    let reason = reason.iter().filter(|_| row.name == "program").find(|(bit, _)| why & bit != 0).map_or("", |(_, n)| *n);
    Some(format!("{} {reason}", row.name).trim().to_string())
}

fn disassembly(words: &[u32]) -> (String, u64) {
    let (mut list, mut k) = (Vec::new(), 0);
    while k < words.len() {
        let prefixed = is_prefix(words[k]) && k + 1 < words.len();
        let insn = if prefixed { Insn((u64::from(words[k]) << 32) | u64::from(words[k + 1])) } else { Insn(u64::from(words[k])) };
        list.push(disassemble(insn, AT + 4 * k as u64));
        k += if prefixed { 2 } else { 1 };
    }
    (list.join("; "), list.len() as u64)
}

/// Runs one line; the differences found.
fn check(line: &str, make: fn(Parts) -> Box<dyn Vcpu>) -> Result<String, String> {
    let l = parse(line)?;
    let (text, count) = disassembly(&l.words);
    let mut wrong = String::new();
    if text != l.text {
        writeln!(wrong, "    disassembles as \"{text}\"").unwrap();
    }
    let named = l.tags.iter().filter_map(|t| MODELS.iter().find(|m| m.name.starts_with(&format!("{}_", &t[1..])))).next();
    let ram = Arc::new(GuestMemory::new(RAM).unwrap());
    let parts = Parts::lone(
        named.unwrap_or_else(|| MODELS.iter().find(|m| m.name == "power10_v2.0").unwrap()),
        Arc::new(Partition::new(ram.clone())),
    );
    let mut vcpu = make(parts);
    let mut want = vcpu.state().clone();
    want.msr = Msr(start_msr(&l.tags));
    want.spr[spr::FSCR] = u64::MAX;
    let mut memory = vec![0u8; RAM as usize];
    for (k, w) in l.words.iter().enumerate() {
        let b = if want.msr.has(Msr::LE) { w.to_le_bytes() } else { w.to_be_bytes() };
        memory[AT as usize + 4 * k..][..4].copy_from_slice(&b);
    }
    want.nip = AT;
    l.before.iter().try_for_each(|(n, v)| set(&mut want, &mut memory, n, *v))?;
    *vcpu.state_mut() = want.clone();
    ram.write(Ra(0), &memory).unwrap();
    vcpu.run(Some(count)).unwrap();
    let got = vcpu.state();
    let interrupt = taken(got);
    if interrupt.as_deref() != l.interrupt {
        writeln!(wrong, "    interrupt: {interrupt:?}, not {:?}", l.interrupt).unwrap();
    }
    want.nip += 4 * l.words.len() as u64;
    l.after.iter().try_for_each(|(n, v)| set(&mut want, &mut memory, n, *v))?;
    let special = l.interrupt.is_some() || interrupt.is_some();
    for ((name, g), (_, w)) in shown(got).into_iter().zip(shown(&want)) {
        if g != w && !(special && (name == "nip" || name == "msr")) {
            writeln!(wrong, "    {name} = {g:#x}, not {w:#x}").unwrap();
        }
    }
    for row in l.after.iter().filter_map(|(n, _)| spr::by_name(n)) {
        let n = usize::from(row.number);
        if got.spr[n] != want.spr[n] {
            writeln!(wrong, "    {} = {:#x}, not {:#x}", row.name, got.spr[n], want.spr[n]).unwrap();
        }
    }
    let mut found = vec![0u8; RAM as usize];
    ram.read(Ra(0), &mut found).unwrap();
    for at in (0..RAM as usize).filter(|at| found[*at] != memory[*at]) {
        writeln!(wrong, "    byte at {at:#x} = {:#04x}, not {:#04x}", found[at], memory[at]).unwrap();
    }
    Ok(wrong)
}

#[test]
fn instructions_do_as_their_lines_say() {
    every_line(|parts| Box::new(Interp::new(parts)));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn translated_instructions_do_as_their_lines_say() {
    every_line(|parts| Box::new(Tcg::new(parts, Options { longest: 1, ..Options::default() }).unwrap()));
    every_line(|parts| Box::new(Tcg::new(parts, Options::default()).unwrap()));
}

fn every_line(make: fn(Parts) -> Box<dyn Vcpu>) {
    let mut report = String::new();
    let mut count = 0;
    let mut files: Vec<_> = std::fs::read_dir("tests/insn").unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|f| f.extension().is_some_and(|x| x == "ins")) {
        let text = std::fs::read_to_string(file).unwrap();
        for (n, line) in text.lines().enumerate().map(|(n, l)| (n + 1, l.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            count += 1;
            let wrong = check(line, make).unwrap_or_else(|e| format!("    {e}\n"));
            if !wrong.is_empty() {
                write!(report, "{}:{n}: {line}\n{wrong}", file.display()).unwrap();
            }
        }
    }
    assert!(report.is_empty(), "\n{report}");
    assert!(count > 100, "tests/insn has only {count} lines");
}
