//! Hypercalls at the machine's door, without any CPU.

use crate::platform::RAM;
use crate::platform::call;
use crate::platform::hcall;
use crate::platform::machine;
use crate::platform::settings;
use proptest::prelude::*;
use spapr::intc::Active;
use spapr::isa::regs::Lpcr;
use spapr::isa::regs::Msr;
use spapr::isa::spr;
use spapr::signal::PROD;
use spapr::spapr::hcall;
use spapr::spapr::hcall::Caller;
use spapr::spapr::hcall::Change;
use spapr::spapr::hcall::Dispatched;
use spapr::spapr::hcall::H;
use spapr::spapr::hcall::Outcome;
use spapr::spapr::hcall::TABLE;
use spapr::spapr::hcall::Who;
use spapr::spapr::machine::Machine;
use spapr::spapr::machine::MachineEvent;
use spapr::spapr::machine::MmuMode;
use spapr::spapr::machine::RunState;
use spapr::spapr::rtas;
use spapr::spapr::smp::SmpSettings;
use spapr::spapr::spec::Settings;
use spapr::units::CpuIndex;
use spapr::units::Ra;
use std::fmt::Write;
use std::fs;
use std::time::Duration;
use std::time::Instant;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/hcalls.md");

#[test]
fn the_tables_are_the_golden_ones() {
    let mut text = String::from(
        "# Hypercalls and RTAS calls\n\nWritten by `UPDATE=1 cargo test --test it hcall` from the tables that dispatch them.\n\n\
         | number | hypercall | ibm,hypertas-functions |\n|---|---|---|\n",
    );
    for row in TABLE {
        writeln!(text, "| {:#x} | {} | {} |", row.number, row.name, row.hypertas.unwrap_or("")).unwrap();
    }
    text.push_str("\n| token | RTAS call | arguments and results |\n|---|---|---|\n");
    for row in rtas::TABLE {
        writeln!(text, "| {:#x} | {} | {:?} |", row.token(), row.name, row.counts).unwrap();
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(GOLDEN, &text).unwrap();
    }
    assert!(fs::read_to_string(GOLDEN).unwrap_or_default() == text, "tests/golden/hcalls.md differs; if that is meant, run with UPDATE=1");
}

/// (number, arguments, status): calls whose whole answer is a status, each on a fresh machine that starts with XICS and hash.
#[rustfmt::skip]
const STATUSES: &[(u64, &[u64], H)] = &[
    (0x10,   &[],                                    H::Function),
    (0x460,  &[],                                    H::Function),
    (0xf800, &[],                                    H::Function),
    (0xef10, &[],                                    H::Function),
    (0x374,  &[],                                    H::Function),
    // Page table: ptex out of the table, wrong WIMG, wrong page size, nothing there.
    (0x08,   &[0, 1 << 40, 1, 0x10],                 H::Parameter),
    (0x08,   &[0, 0, 1, 0],                          H::Parameter),
    (0x08,   &[0, 0, 1, 0x8000_0000],                H::Parameter),
    (0x08,   &[0, 0, 5, 0x3_8010],                   H::Parameter),
    (0x04,   &[0, u64::MAX, 0],                      H::Parameter),
    (0x04,   &[0, 0, 0],                             H::NotFound),
    (0x18,   &[0, 8, 0],                             H::NotFound),
    (0x0c,   &[0, u64::MAX],                         H::Parameter),
    // Resizing.
    (0x36c,  &[1, 20],                               H::Parameter),
    (0x36c,  &[0, 17],                               H::Parameter),
    (0x36c,  &[0, 47],                               H::Parameter),
    (0x36c,  &[0, 40],                               H::Resource),
    (0x36c,  &[0, 0],                                H::Success),
    (0x36c,  &[0, 22],                               H::Success),
    (0x370,  &[0, 22],                               H::Closed),
    (0x370,  &[1, 22],                               H::Parameter),
    // Processor.
    (0x28,   &[0],                                   H::Hardware),
    (0x134,  &[0, 3],                                H::Hardware),
    (0x31c,  &[1, 1, 0, 0],                          H::UnsupportedFlag),
    (0x31c,  &[0, 1, 0, 1],                          H::P4),
    (0x31c,  &[0, 1, 3, 0],                          H::P3),
    (0x31c,  &[0, 2, 0, 4],                          H::P4),
    (0x31c,  &[1, 3, 0, 0],                          H::UnsupportedFlag),
    (0x31c,  &[2, 3, 0, 0],                          H::UnsupportedFlag),
    (0x31c,  &[3, 3, 1, 0],                          H::P3),
    (0x31c,  &[2, 4, 0, 0],                          H::UnsupportedFlag),
    (0x31c,  &[0, 5, 0, 0],                          H::P2),
    (0x31c,  &[0, 6, 0, 0],                          H::P2),
    (0x380,  &[-3_i64 as u64],                       H::Parameter),
    (0x380,  &[2],                                   H::Parameter),
    (0x2ec,  &[0, 0],                                H::Function),
    (0x2ec,  &[1, 5],                                H::P2),
    // Storage.
    (0x3c,   &[3, 0],                                H::Parameter),
    (0x3c,   &[8, RAM - 7],                          H::Parameter),
    (0x40,   &[4, u64::MAX, 0],                      H::Parameter),
    (0x40,   &[8, RAM - 8, 1],                       H::Success),
    (0x2c,   &[1, 0, 0],                             H::Parameter),
    (0x2c,   &[1 << 15, 0x800, 0],                   H::Parameter),
    (0x2c,   &[1 << 15, RAM, 0],                     H::Parameter),
    (0x2c,   &[1 << 14, 0, RAM],                     H::Parameter),
    (0x2c,   &[1 << 14 | 1 << 23, 0, 0x1000],        H::Success),
    (0x4c,   &[],                                    H::Success),
    (0xf001, &[0, 0, 0, 0x8000_0001, 0],             H::Parameter),
    (0xf001, &[0, 0, 4, 1, 0],                       H::Parameter),
    (0xf001, &[0, 0, 0, 1, 2],                       H::Parameter),
    (0xf001, &[4, 0, 3, 1, 0],                       H::Parameter),
    (0xf001, &[0, 8, 3, RAM / 8, 0],                 H::Parameter),
    (0xf001, &[64 << 20, 64 << 20, 0, 0x8000_0000, 0], H::Parameter),
    (0xf001, &[0x1000, 0, 3, 16, 1],                 H::Success),
    // Terminals.
    (0x54,   &[0x1234],                              H::Parameter),
    (0x54,   &[0x1_7100_0000],                       H::Parameter),
    (0x58,   &[0, 17, 0, 0],                         H::Parameter),
    (0x58,   &[0x7100_0000, 16, 0, 0],               H::Success),
    // XICS; XIVE is not in charge.
    (0x6c,   &[2, 0],                                H::Parameter),
    (0x6c,   &[9, 4],                                H::Success),
    (0x70,   &[u64::MAX],                            H::Parameter),
    (0x3a8,  &[0, 0x1000],                           H::Function),
    (0x3d0,  &[0],                                   H::Function),
    // Shared processor.
    (0xdc,   &[1, 0, 0x1000],                        H::Parameter),
    (0xdc,   &[1 << 45, 2, 0x1000],                  H::Parameter),
    (0xdc,   &[4 << 45, 0, 0x1000],                  H::Parameter),
    (0xdc,   &[1 << 45, 0, 0],                       H::Hardware),
    (0xdc,   &[1 << 45, 0, 0x1040],                  H::Parameter),
    (0xdc,   &[1 << 45, 0, 0x1000],                  H::Parameter),
    (0xdc,   &[1 << 45, 0, RAM],                     H::Parameter),
    (0xdc,   &[5 << 45, 0, 0],                       H::Success),
    (0xe4,   &[3, 0],                                H::Parameter),
    (0xe4,   &[9, 0],                                H::Success),
    (0xe8,   &[u64::MAX],                            H::Parameter),
    (0xe8,   &[9],                                   H::Success),
    // Devices that are not there, and those that have no queue.
    (0xfc,   &[0x1000, 0, 0x1000],                   H::Parameter),
    (0xfc,   &[0x7100_0000, 0, 0x100],               H::Parameter),
    (0xfc,   &[0x7100_0000, 0, 0x1000],              H::NotFound),
    (0x100,  &[0x7100_0000],                         H::Success),
    (0x104,  &[0x7100_0000, 1],                      H::Parameter),
    (0x108,  &[0x7100_0000, 0, 0],                   H::Hardware),
    (0x114,  &[0x1000],                              H::Parameter),
    (0x20,   &[0x8000_0000, 0, 3],                   H::Parameter),
    (0x3ec,  &[0x9000_0000, 0, 1, u64::MAX, 0],      H::Parameter),
    // Watchdogs.
    (0x45c,  &[0x2_0000 | 0x101, 1, 100],            H::Parameter),
    (0x45c,  &[0x101, 0, 100],                       H::P2),
    (0x45c,  &[0x101, 5, 100],                       H::P2),
    (0x45c,  &[0x101, 1, 1],                         H::P3),
    (0x45c,  &[0x104, 1, 100],                       H::Parameter),
    (0x45c,  &[0x101, 4, u64::MAX],                  H::Success),
    (0x45c,  &[0x200, 1],                            H::Noop),
    (0x45c,  &[0x200, 0],                            H::P2),
    (0x45c,  &[0x200, u64::MAX],                     H::Noop),
    (0x45c,  &[0x500, 1],                            H::Parameter),
    // Process tables.
    (0x37c,  &[0x20, 0, 0, 0],                       H::Parameter),
    (0x37c,  &[0x1c, 0x800, 0, 0],                   H::P2),
    (0x37c,  &[0x1c, 1 << 60, 0, 0],                 H::P2),
    (0x37c,  &[0x1c, 0, 1, 0],                       H::P3),
    (0x37c,  &[0x1c, 0, 0, 25],                      H::P4),
    (0x37c,  &[0x1a, 0, 0, 0],                       H::Parameter),
    (0x37c,  &[0x18, 1 << 38, 0, 0],                 H::P2),
    (0x37c,  &[0x18, 0, 8, 0],                       H::P3),
    (0x37c,  &[0x04, 0, 0, 0],                       H::Parameter),
    // Firmware.
    (0xf000, &[RAM - 8],                             H::Parameter),
    (0xf002, &[0, 0, 3],                             H::Parameter),
    (0xf002, &[RAM, 0, 0x1000],                      H::Parameter),
    (0xf003, &[0x1000],                              H::Parameter),
    (0xf003, &[u64::MAX],                            H::Parameter),
    (0xf005, &[0],                                   H::Function),
];

#[test]
fn each_refusal_is_the_one_that_papr_and_qemu_give() {
    for (number, args, status) in STATUSES {
        let mut m = machine(&settings());
        assert_eq!(call(&mut m, *number, args).0, *status, "{number:#x} {args:x?}");
    }
}

#[test]
fn a_radix_guest_has_no_hash_table() {
    let mut m = machine(&settings());
    let mask = Lpcr::UPRT | Lpcr::HR | Lpcr::GTSE;
    let all = |value| Outcome::OnVcpus { who: Who::All, change: Change::Lpcr { mask, value }, status: H::Success };
    assert_eq!(hcall(&mut m, 0x37c, &[0x1d, 0x1_0000, 0, 4]), all(mask));
    assert_eq!((m.mmu, m.partition.hpt().is_none(), m.partition.process_table()), (MmuMode::Radix, true, 0x1_0004));
    for (number, args) in [(0x08, vec![0, 0, 1, 0x10]), (0x04, vec![0, 0, 0]), (0x0c, vec![0, 0]), (0x18, vec![0, 0, 0])] {
        assert_eq!(call(&mut m, number, &args).0, H::Parameter, "{number:#x}");
    }
    assert_eq!(call(&mut m, 0x36c, &[0, 20]).0, H::NotAvailable);
    assert_eq!(call(&mut m, 0x37c, &[0x01, 0, 0, 0]).0, H::Parameter, "still radix");
    assert_eq!(hcall(&mut m, 0x37c, &[0x10, 0, 0, 0]), all(0));
    assert_eq!((m.mmu, m.partition.process_table()), (MmuMode::Radix, 0));
    assert_eq!(hcall(&mut m, 0x37c, &[0x18, 0, 0, 0]), all(0));
    assert!(m.mmu == MmuMode::Hash && m.partition.hpt().is_some());
    let mut old = machine(&Settings { cpu: Some("power8".into()), ..settings() });
    assert_eq!(call(&mut old, 0x37c, &[0x1c, 0, 0, 0]).0, H::Parameter, "no radix on POWER8");
}

#[test]
fn page_table_entries_live_as_papr_says() {
    const AVPN: u64 = 1 << 31;
    const ANDCOND: u64 = 1 << 30;
    let mut m = machine(&settings());
    let (v, r) = (0x1_2345_0000 | 0x10 | 1, 0x4000 | 0x10);
    assert_eq!(call(&mut m, 0x08, &[0, 0x4d, v | 0x60, r]), (H::Success, vec![0x48]), "the first slot of the group");
    assert_eq!(call(&mut m, 0x08, &[1 << 39, 0x4d, v, r]), (H::Success, vec![0x4d]), "exact");
    assert_eq!(call(&mut m, 0x08, &[1 << 39, 0x4d, v, r]).0, H::PtegFull);
    assert_eq!(call(&mut m, 0x0c, &[0, 0x48]), (H::Success, vec![v | 0x40, r]));
    let four = call(&mut m, 0x0c, &[1 << 37, 0x4e]).1;
    assert_eq!(four, [0, 0, v | 0x40, r, 0, 0, 0, 0]);
    for _ in 0..6 {
        assert_eq!(call(&mut m, 0x08, &[0, 0x48, v, r]).0, H::Success);
    }
    assert_eq!(call(&mut m, 0x08, &[0, 0x48, v, r]).0, H::PtegFull);
    // PP0 and key high are elsewhere in the flags; R and C stay.
    assert_eq!(call(&mut m, 0x18, &[AVPN | 0x100 | 0x3000 | 0x200 | 4 | 1, 0x48, v & !0x7f]).0, H::Success);
    assert_eq!(call(&mut m, 0x0c, &[0, 0x48]).1, [v | 0x40, 1 << 63 | 3 << 60 | r | 0x200 | 4 | 1]);
    assert_eq!(call(&mut m, 0x18, &[AVPN, 0x48, 0]).0, H::NotFound);
    assert_eq!(call(&mut m, 0x04, &[AVPN, 0x49, 0]).0, H::NotFound);
    assert_eq!(call(&mut m, 0x04, &[ANDCOND, 0x49, 0x10]).0, H::NotFound);
    assert_eq!(call(&mut m, 0x04, &[AVPN, 0x49, v & !0x7f]), (H::Success, vec![v | 0x40, r]));
    assert_eq!(call(&mut m, 0x04, &[0, 0x49, 0]).0, H::NotFound);
}

#[test]
fn bulk_removal_answers_in_place() {
    let mut m = machine(&settings());
    let (v, rc) = (0x1_2345_0000 | 1, 0x180);
    for slot in 0..3 {
        assert_eq!(call(&mut m, 0x08, &[0, 0, v, 0x4010 | rc]).1, [slot]);
    }
    let request = |flags: u64, ptex: u64| 1 << 62 | flags << 56 | ptex;
    let (status, regs) = call(&mut m, 0x124, &[request(0, 0), 7, request(2, 1), v & !0x7f, request(0, 5), 0, 3 << 62, 9]);
    assert_eq!(status, H::Success);
    let done = |flags: u64, code: u64, rc: u64, ptex: u64| 2 << 62 | code << 60 | rc << 58 | flags << 56 | ptex;
    assert_eq!(regs, [done(0, 0, 3, 0), 7, done(2, 0, 3, 1), v & !0x7f, done(0, 1, 0, 5), 0, 3 << 62, 9]);
    let (status, regs) = call(&mut m, 0x124, &[request(3, 2), 0, request(0, 2), 0]);
    assert_eq!((status, regs[0], regs[2]), (H::Parameter, done(3, 2, 0, 2), request(0, 2)), "stops at a wrong one");
    assert_eq!(call(&mut m, 0x124, &[0]).0, H::Parameter);
    assert_eq!(call(&mut m, 0x124, &[request(0, 1 << 50)]).0, H::Parameter);
    assert_eq!(call(&mut m, 0x04, &[0, 2, 0]).0, H::Success, "was left alone");
}

#[test]
fn a_resized_table_keeps_bolted_entries_where_their_hash_says() {
    let mut m = machine(&settings());
    let old = m.partition.hpt().unwrap();
    assert_eq!(old.shift(), 21);
    // 256 MiB segments, VSID n, a page of 4 KiB whose low bits only the group tells; primary and secondary.
    let mut entries = Vec::new();
    for (n, vsid) in [0x123_u64, 0x5_4321, 0xfff_ffff].into_iter().enumerate() {
        let page = 0x2f7 * (n as u64 + 1);
        let hash = vsid ^ page;
        let avpn = vsid << 5 | page >> 11;
        for secondary in [0, 1] {
            let hash = if secondary == 1 { !hash } else { hash };
            let v = avpn << 7 | 0x10 | secondary << 1 | 1;
            assert_eq!(call(&mut m, 0x08, &[0, (hash & old.group_mask()) * 8, v, (0x1000 * n as u64) | 0x10]).0, H::Success);
            entries.push((hash, v));
        }
    }
    assert_eq!(call(&mut m, 0x08, &[0, 0, 0x7777_7780 | 1, 0x10]).0, H::Success, "not bolted");
    for shift in [22, 18] {
        assert_eq!((call(&mut m, 0x36c, &[0, shift]).0, call(&mut m, 0x36c, &[0, shift]).0), (H::Success, H::Success));
        assert_eq!(call(&mut m, 0x370, &[0, shift + 1]).0, H::Closed);
        assert_eq!(call(&mut m, 0x370, &[0, shift]).0, H::Success);
        let new = m.partition.hpt().unwrap();
        assert_eq!(u64::from(new.shift()), shift);
        for (hash, v) in &entries {
            let group = (hash & new.group_mask()) * 8;
            assert!((group..group + 8).any(|ptex| new.get(ptex).v == v | 0x40), "{v:x} in a table of 2^{shift}");
        }
        assert_eq!((0..new.entries()).filter(|&ptex| new.get(ptex).valid()).count(), entries.len());
    }
    let mut fixed = machine(&Settings { resize_hpt: Some("disabled".into()), ..settings() });
    assert_eq!((call(&mut fixed, 0x36c, &[0, 20]).0, call(&mut fixed, 0x370, &[0, 20]).0), (H::Authority, H::Authority));
}

#[test]
fn registers_are_changed_by_the_run_loop() {
    let mut m = machine(&settings());
    let sprs = |first, second| Outcome::OnVcpus { who: Who::Caller, change: Change::Sprs([first, second]), status: H::Success };
    assert_eq!(hcall(&mut m, 0x24, &[7]), sprs((spr::SPRG0, 7), (spr::SPRG0, 7)));
    assert_eq!(hcall(&mut m, 0x31c, &[0, 2, 0x1000, 3]), sprs((spr::DAWR0, 0x1000), (spr::DAWRX0, 3)));
    let lpcr = |mask, value| Outcome::OnVcpus { who: Who::All, change: Change::Lpcr { mask, value }, status: H::Success };
    assert_eq!(hcall(&mut m, 0x31c, &[3, 3, 0, 0]), lpcr(Lpcr::AIL0 | Lpcr::AIL1, Lpcr::AIL0 | Lpcr::AIL1));
    assert_eq!(hcall(&mut m, 0x31c, &[1, 4, 0, 0]), lpcr(Lpcr::ILE, Lpcr::ILE));
    let reset = |who| Outcome::OnVcpus { who, change: Change::SystemReset, status: H::Success };
    assert_eq!(hcall(&mut m, 0x380, &[9]), reset(Who::One(CpuIndex(3))));
    assert_eq!(hcall(&mut m, 0x380, &[-1_i64 as u64]), reset(Who::All));
    assert_eq!(hcall(&mut m, 0x380, &[-2_i64 as u64]), reset(Who::Others));
    let smp = SmpSettings { cpus: Some(1), ..SmpSettings::default() };
    let mut p7 = machine(&Settings { cpu: Some("power7".into()), smp, ..settings() });
    assert_eq!(hcall(&mut p7, 0x28, &[8]), sprs((spr::DABR, 8), (spr::DABRX, 3)));
    assert_eq!(call(&mut p7, 0x134, &[8, 4]).0, H::Parameter);
    assert_eq!(call(&mut p7, 0x31c, &[3, 3, 0, 0]).0, H::P2);
}

#[test]
fn characteristics_follow_the_capabilities() {
    let with = |caps: &[(&str, &str)]| {
        let caps = caps.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        call(&mut machine(&Settings { caps, ..settings() }), 0x1c8, &[]).1
    };
    assert_eq!(with(&[]), [0xbc40_0000_0000_0000, 0xe400_0000_0000_0000]);
    let broken = [("cfpc", "broken"), ("sbbc", "broken"), ("ibs", "broken")];
    assert_eq!(with(&broken), [0x0400_0000_0000_0000, 0xe000_0000_0000_0000]);
}

#[test]
fn who_sleeps_is_woken_once() {
    let mut m = machine(&settings());
    let go_on = Outcome::OnVcpus { who: Who::Caller, change: Change::EnableExternal, status: H::Success };
    assert_eq!(hcall(&mut m, 0xe0, &[]), Outcome::Cede);
    assert_eq!(call(&mut m, 0xe8, &[0]).0, H::Success);
    assert_eq!(m.vcpus[0].signals.pending() & PROD, PROD);
    assert_eq!(hcall(&mut m, 0xe0, &[]), go_on, "the prod is used up");
    assert_eq!(hcall(&mut m, 0xe0, &[]), Outcome::Cede);
    assert_eq!(hcall(&mut m, 0xe4, &[0, 0]), Outcome::AwaitProd);
    assert_eq!(hcall(&mut m, 0xe4, &[u64::MAX, 0]), Outcome::Yield);
    // H_JOIN: the last one goes on.
    let with_interrupts = Caller { cpu: CpuIndex(0), msr: Msr(Msr::EE) };
    assert_eq!(hcall::dispatch(&mut m, with_interrupts, 0x298, [0; 9]), H::BadMode.into());
    m.vcpus[1].run = RunState::Running;
    assert_eq!(hcall(&mut m, 0x298, &[]), Outcome::AwaitProd);
    let second = Caller { cpu: CpuIndex(1), msr: Msr(0) };
    assert_eq!(hcall::dispatch(&mut m, second, 0x298, [0; 9]), H::Continue.into());
    assert_eq!(call(&mut m, 0xe8, &[0]).0, H::Success);
    assert_eq!(m.vcpus[0].run, RunState::Running);
    assert_eq!(hcall::dispatch(&mut m, second, 0x298, [0; 9]), Outcome::AwaitProd, "vCPU 0 runs again");
}

#[test]
fn areas_are_registered_in_order_and_count_dispatches() {
    let mut m = machine(&settings());
    m.memory.write_u16(Ra(0x1004), 640).unwrap();
    m.memory.write_u32(Ra(0x2004), 0x100).unwrap();
    let mut register = |code: u64, at: u64| call(&mut m, 0xdc, &[code << 45, 0, at]).0;
    assert_eq!(register(3, 0x2000), H::Resource);
    assert_eq!(register(1, 0x1000), H::Success);
    assert_eq!((register(3, 0x2000), register(2, 0x2000)), (H::Success, H::Success));
    assert_eq!(register(3, 0x2f80), H::Parameter, "over the page's end");
    assert_eq!(register(5, 0), H::Resource);
    assert_eq!(m.memory.read_u8(Ra(0x1009)), Ok(2), "shared processor");
    let count = |m: &Machine| m.memory.read_u32(Ra(0x1100)).unwrap();
    assert_eq!(hcall(&mut m, 0xe0, &[]), Outcome::Cede);
    assert_eq!(count(&m), 1);
    let second = Caller { cpu: CpuIndex(1), msr: Msr(0) };
    let confer = |m: &mut Machine, count| hcall::dispatch(m, second, 0xe4, [0, count, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!((confer(&mut m, 1), confer(&mut m, 3)), (Outcome::Yield, H::Success.into()));
    m.set_dispatched(CpuIndex(0), Dispatched::Yes);
    assert_eq!((count(&m), confer(&mut m, 2)), (2, H::Success.into()));
    for code in [6, 7, 5] {
        assert_eq!(call(&mut m, 0xdc, &[code << 45, 0, 0]).0, H::Success);
    }
    assert_eq!(m.vcpus[0].vpa, None);
}

#[test]
fn terminals_carry_text_both_ways() {
    let mut m = machine(&Settings { vtys: vec![Some(0x3000_1000), Some(0x3000_0000)], ..settings() });
    let text = u128::from_be_bytes(*b"hello, world! 16");
    assert_eq!(call(&mut m, 0x58, &[0, 5, (text >> 64) as u64, text as u64]).0, H::Success);
    let consoles = m.consoles();
    assert_eq!(consoles[1].output(0, 100), b"hello", "unit 0 is the lowest");
    consoles[0].push_input(b"ab");
    m.poll_input();
    assert_eq!(call(&mut m, 0x54, &[0x3000_1000]), (H::Success, vec![2, 0x6162_0000_0000_0000, 0]));
    assert_eq!(call(&mut m, 0x54, &[0]), (H::Success, vec![0, 0, 0]));
}

#[test]
fn interrupts_are_the_active_controllers() {
    let mut m = machine(&settings());
    assert_eq!(call(&mut m, 0x68, &[0xff]).0, H::Success);
    assert_eq!(call(&mut m, 0x6c, &[0, 5]).0, H::Success);
    assert_eq!(call(&mut m, 0x70, &[0]).1, [0xff00_0002, 5]);
    assert_eq!(call(&mut m, 0x2fc, &[]).1[0], 0xff00_0002);
    assert_eq!(call(&mut m, 0x6c, &[0, 0xff]).0, H::Success);
    assert_eq!(call(&mut m, 0x64, &[0xff00_0002]).0, H::Success);
    assert_eq!(call(&mut m, 0x74, &[]).1, [0xff00_0000]);
    m.intc.switch(Active::Xive);
    for (number, args) in [(0x64, vec![0]), (0x68, vec![0]), (0x6c, vec![0, 0]), (0x74, vec![]), (0x2fc, vec![])] {
        assert_eq!(call(&mut m, number, &args).0, H::Hardware, "{number:#x}");
    }
    assert_eq!(call(&mut m, 0x3a8, &[0, 0x1100]).1, [0, 0x0006_0100_2201_0000, 0x0006_0100_2200_0000, 16]);
    assert_eq!(call(&mut m, 0x3ac, &[2, 0x1100, 9, 6, 0x77]).0, H::Success);
    assert_eq!(call(&mut m, 0x3b0, &[0, 0x1100]).1, [9, 6, 0x77]);
    assert_eq!(call(&mut m, 0x3b8, &[1, 9, 6, 0x1_0000, 16]).0, H::Success);
    assert_eq!(call(&mut m, 0x3bc, &[0, 9, 6]).1, [1, 0x1_0000, 16, 0]);
    assert_eq!(call(&mut m, 0x3c0, &[]).0, H::Function);
    // The same registers through the guest's loads and stores.
    assert_eq!(call(&mut m, 0x3c, &[8, 0x0006_0100_2201_0800]).1, [1], "PQ is off");
    let only = machine(&Settings { ic_mode: Some("xive".into()), ..settings() });
    let mut only = only;
    assert_eq!(call(&mut only, 0x74, &[]).0, H::Function);
}

#[test]
fn watchdogs_bite_on_virtual_time() {
    let mut m = machine(&settings());
    assert_eq!(call(&mut m, 0x45c, &[0x300]).1, [0x0001_0004_0000_0000]);
    assert_eq!(call(&mut m, 0x45c, &[0x400, 1]), (H::Success, vec![2]));
    assert_eq!(call(&mut m, 0x45c, &[0x102, 1, 2]).0, H::Success);
    assert_eq!(m.next_deadline(), Some(Duration::from_millis(2)));
    std::thread::sleep(Duration::from_millis(3));
    assert_eq!(m.tick(), None, "the machine is paused");
    m.clock.start();
    std::thread::sleep(Duration::from_millis(3));
    assert!(matches!(m.tick(), Some(MachineEvent::Reset(_))));
    assert_eq!((m.tick(), m.next_deadline()), (None, None));
}

#[test]
fn long_copies_are_done_in_portions() {
    let mut m = machine(&settings());
    let (from, bytes) = (0x100_0000, 48_u64 << 20);
    let pattern = |at: u64| (at ^ at >> 12) as u8;
    for at in (0..bytes).step_by(4096) {
        m.memory.write(Ra(from + at), &[pattern(at); 8]).unwrap();
    }
    // Overlapping, upwards: what is read last must not be overwritten first.
    let to = from + 0x10_0000;
    let mut args = vec![to, from, 3, bytes / 8, 0];
    let mut portions = 1;
    loop {
        let start = Instant::now();
        let outcome = hcall(&mut m, 0xf001, &args);
        assert!(start.elapsed() < Duration::from_millis(500));
        match outcome {
            Outcome::Again(regs) => args = regs[..5].to_vec(),
            other => {
                assert_eq!(other, H::Success.into());
                break;
            }
        }
        portions += 1;
    }
    assert_eq!(portions, 12);
    for at in (0..bytes).step_by(4096) {
        assert_eq!(m.memory.read_u8(Ra(to + at)), Ok(pattern(at)), "{at:#x}");
    }
}

#[test]
fn home_node_and_random() {
    let mut m = machine(&settings());
    let ones = u64::MAX;
    assert_eq!(call(&mut m, 0x2ec, &[1, 9]).1, [0, 0, 9 << 32 | 0xffff_ffff, ones, ones, ones]);
    let (a, b) = (call(&mut m, 0x300, &[]).1, call(&mut m, 0x300, &[]).1);
    assert_ne!(a, b);
    let mut without = machine(&Settings { rng: false, ..settings() });
    assert_eq!(call(&mut without, 0x300, &[]).0, H::Function);
}

/// Numbers that are more interesting than random ones.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0_u64..0x100,
        (0_u32..64).prop_map(|n| 1 << n),
        (0_u32..64).prop_map(|n| !0 << n),
        (0_u64..RAM).prop_map(|at| at & !0x7),
        (-64_i64..64).prop_map(|n| RAM.wrapping_add_signed(n)),
        (0_u64..0x40).prop_map(|n| 0x0006_0100_0000_0000 + n * 0x8000),
        (0_u64..0x40).prop_map(|n| 0x0006_0302_0318_0000 + n * 0x1_0011),
        Just(0x7100_0000),
        Just(0x1000_0008),
        Just(0x8000_0000),
    ]
}

/// A call's number and arguments; RTAS calls get a block that is nearly right.
fn any_call() -> impl Strategy<Value = (u64, Vec<u64>)> {
    let number = prop_oneof![(0..TABLE.len()).prop_map(|n| TABLE[n].number), any::<u64>(), 0_u64..0x500];
    (number, proptest::collection::vec(word(), 9))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a guest calls, in whatever order, an answer comes, and soon.
    #[test]
    fn nothing_a_guest_calls_harms_the_machine(
        calls in proptest::collection::vec((any_call(), 0_u32..4, any::<u64>()), 64),
        xive in any::<bool>(),
    ) {
        let mut m = machine(&Settings { maxmem: Some(4 * RAM), ..settings() });
        if xive {
            m.intc.switch(Active::Xive);
        }
        for ((number, args), cpu, msr) in calls {
            let start = Instant::now();
            let args: [u64; 9] = args.try_into().unwrap();
            let caller = Caller { cpu: CpuIndex(cpu), msr: Msr(msr) };
            let outcome = hcall::dispatch(&mut m, caller, number, args);
            prop_assert!(start.elapsed() < Duration::from_secs(1), "{number:#x} {args:x?} took {:?}", start.elapsed());
            if let Outcome::OnVcpus { who: Who::One(cpu), .. } = outcome {
                prop_assert!(cpu.0 < 4);
            }
            m.tick();
            m.poll_input();
        }
    }
}
