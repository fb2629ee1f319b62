//! Everything but guest code, on a recorded kernel.

use super::script::Act;
use super::script::Is;
use super::script::POWER8;
use super::script::POWER9;
use super::script::READ;
use super::script::Script;
use super::script::WRITE;
use super::*;
use crate::accel::Exit;
use crate::accel::Kept;
use crate::accel::Parts;
use crate::accel::Reply;
use crate::accel::Vcpu;
use crate::isa::cpu_model;
use crate::isa::spr;
use crate::memory::GuestMemory;
use crate::mmu::hpt::Hpt;
use crate::mmu::hpt::Hpte;
use crate::mmu::partition::HostTables;
use crate::mmu::partition::Partition;
use crate::mmu::partition::Resize;
use crate::mmu::partition::Translation;
use crate::signal;
use crate::units::Lisn;
use crate::units::Ra;
use crate::units::Width;
use std::sync::Arc;
use std::time::Duration;
use vcpu::KvmVcpu;

#[test]
fn the_refusal_names_the_device_and_what_to_use() {
    let text = foreign().to_string();
    assert!(text.contains("/dev/kvm") && text.contains("accel=\"interp\""), "{text}");
    for (architecture, errno, says) in [
        ("powerpc64", libc::ENOENT, "this host has no /dev/kvm (is the module kvm-hv loaded, and is this machine a hypervisor?)"),
        ("powerpc64", libc::ENODEV, "is the module kvm-hv loaded"),
        ("powerpc64", libc::EACCES, "/dev/kvm may not be opened by this user (is it in the group kvm?)"),
        ("powerpc64", libc::EIO, "cannot be used: "),
        ("x86_64", libc::ENOENT, "this x86_64 host has no /dev/kvm, and KVM runs PowerPC guests on POWER hosts only"),
        ("x86_64", libc::EPERM, "/dev/kvm of this x86_64 host may not be opened, and KVM runs PowerPC guests on POWER hosts only"),
    ] {
        let text = no_device_of(architecture, errno).to_string();
        assert!(text.contains(says) && text.contains("; use accel=\"interp\"") && !text.contains(". "), "{text}");
    }
    // A kernel with neither kind of guest: no hypervisor mode, and no kvm-pr.
    let neither = probe::facts(&Script::new(POWER8).failing("KVM_CREATE_VM", 0, libc::EINVAL)).unwrap_err().to_string();
    assert!(neither.contains("KVM_CREATE_VM failed") && neither.contains("; load the module kvm-hv"), "{neither}");
}

const VALID: Hpte = Hpte { v: 0x1_2345_6780 | Hpte::VALID, r: 0x1190 };
const KEPT: Kept = Kept { vpa: Some(Ra(0x1000)), slb_shadow: Some((Ra(0x2000), 0x280)), dtl: Some((Ra(0x3000), 0x60)), doorbell: true };

/// A machine's life as far as KVM is concerned, to the guest's first exit.
fn live(kernel: &Arc<Script>) -> crate::error::Result<(KvmVcpu, Exit)> {
    let vm = Arc::new(KvmVm::new(kernel.clone())?);
    let memory = Arc::new(GuestMemory::new(1 << 20)?);
    vm.make_xics()?;
    vm.set_smt(8).map_err(|e| refused(&sys::ENABLE_CAP, e))?;
    vm.set_memory(&memory)?;
    vm.new_hash_table(18)?;
    vm.configure(Translation::Hash, 0)?;
    memory.start_log()?;
    memory.take_dirty()?;
    vm.stop_dirty_log()?;
    let copy = Hpt::new(18)?;
    copy.lock(9).set(1, VALID);
    vm.fill(copy.bytes())?;
    vm.fetch(copy.bytes())?;
    let model = cpu_model::by_name("power9_v2.2").unwrap();
    let parts = Parts::lone(model, Arc::new(Partition::new(memory)));
    let clock = parts.clock.clone();
    let mut vcpu = vm.vcpu(parts)?;
    vm.reset_presenters()?;
    vm.reset_source(Lisn(0x1000), 0)?;
    vm.irq_line(Lisn(0x1000), 1)?;
    vm.answer_rtas("ibm,set-xive", 0x2014)?;
    vcpu.set_kept(&KEPT)?;
    vcpu.kept()?;
    vcpu.state_mut().vtb_offset = 5;
    vcpu.commit()?;
    vcpu.fetch()?;
    clock.start();
    vcpu.signals().raise(signal::EXTERNAL);
    vcpu.state_mut().gpr[7] = 77;
    vcpu.state_mut().vsr[40] = crate::cpu::Vsr([1, 2]);
    vcpu.state_mut().slb[3] = crate::cpu::SlbEntry { esid: 0x0800_0000, vsid: 0x1000 };
    let exit = vcpu.run(None)?;
    Ok((vcpu, exit))
}

fn scripted(is: Is, acts: &[Act]) -> Arc<Script> {
    Arc::new(Script::new(is).acting(acts))
}

const HCALL: Act = Act::Leave(sys::exit::PAPR_HCALL, [0x58, 0, 0x1234]);

#[test]
fn facts_are_the_kernels_answers() {
    let facts = probe::facts(&Script::new(POWER8)).unwrap();
    assert_eq!((facts.kind, facts.pvr, facts.smt, facts.possible, facts.vcpu_id_end), (probe::Type::Hv, 0x4d_0200, 8, 15, 16384));
    assert_eq!((facts.radix, facts.hash, facts.modes().collect::<Vec<_>>()), (false, true, vec![8, 4, 2, 1]));
    let facts = probe::facts(&Script::new(POWER9)).unwrap();
    assert_eq!((facts.smt, facts.radix, facts.hash), (1, true, true));
    let pr = probe::facts(&Script::new(Is { hv: false, smt: 0, possible: 1, ..POWER8 })).unwrap();
    assert_eq!((pr.kind, pr.smt), (probe::Type::Pr, 1));
}

#[test]
fn a_hypercall_comes_and_goes_without_touching_registers() {
    let kernel = scripted(POWER9, &[HCALL, HCALL]);
    let (mut vcpu, exit) = live(&kernel).unwrap();
    assert_eq!(exit, Exit::Hcall { number: 0x58, args: [0x1234, 0, 0, 0, 0, 0, 0, 0, 0] });
    assert_eq!(kernel.line(), Some(sys::INTERRUPT_SET_LEVEL));
    let reads = kernel.count(&sys::GET_ONE_REG);
    vcpu.complete(Reply::Hcall { status: -4, out: [9, 8, 0, 0, 0, 0, 0, 0], count: 2 });
    vcpu.run(None).unwrap();
    assert_eq!(kernel.count(&sys::GET_ONE_REG), reads);
    let s = vcpu.state();
    assert_eq!((s.gpr[3] as i64, s.gpr[4], s.gpr[5], s.gpr[7]), (-4, 9, 8, 0), "the kernel's own r4 to r12 are the exit's");
    assert_eq!((s.vsr[40].0, s.slb[3].vsid, s.spr[spr::PVR]), ([1, 2], 0x1000, 0x4e_1202));
}

#[test]
fn registers_changed_between_exit_and_entry_reach_the_kernel() {
    let kernel = scripted(POWER9, &[HCALL, HCALL]);
    let (mut vcpu, _) = live(&kernel).unwrap();
    // As a call that is made again with other arguments, and never answered.
    let s = vcpu.state_mut();
    (s.gpr[3], s.gpr[4], s.nip) = (0x58, 0x99, 0x4000);
    vcpu.run(None).unwrap();
    let s = vcpu.state();
    assert_eq!((s.gpr[3], s.gpr[4], s.nip), (0x58, 0x99, 0x4000));
}

#[test]
fn accesses_outside_ram_are_bytes_as_the_guest_has_them() {
    let store = Act::Leave(sys::exit::MMIO, [0x6_0000_0000, u64::from_ne_bytes([1, 2, 3, 4, 0, 0, 0, 0]), 4 | 1 << 32]);
    let load = Act::Leave(sys::exit::MMIO, [0x6_0000_0008, 0, 8]);
    let odd = Act::Leave(sys::exit::MMIO, [0x6_0000_0008, 0, 3]);
    let kernel = scripted(POWER9, &[store, load, odd]);
    let (mut vcpu, exit) = live(&kernel).unwrap();
    assert_eq!(exit, Exit::MmioWrite { at: Ra(0x6_0000_0000), width: Width::Word, value: 0x0102_0304 });
    vcpu.complete(Reply::Stored);
    assert_eq!(vcpu.run(None).unwrap(), Exit::MmioRead { at: Ra(0x6_0000_0008), width: Width::Double });
    vcpu.complete(Reply::Loaded(5));
    assert!(vcpu.run(None).unwrap_err().to_string().contains("3 bytes"));
}

#[test]
fn what_kvm_fails_with_is_said() {
    for (reason, word) in [
        (sys::exit::INTERNAL_ERROR, "KVM_EXIT_INTERNAL_ERROR"),
        (sys::exit::FAIL_ENTRY, "KVM_EXIT_FAIL_ENTRY"),
        (sys::exit::UNKNOWN, "KVM_EXIT_UNKNOWN"),
        (sys::exit::NMI, "KVM_EXIT_NMI"),
        (99, "99"),
    ] {
        let kernel = scripted(POWER9, &[Act::Leave(reason, [7, 0, 0])]);
        let said = live(&kernel).map(drop).unwrap_err().to_string();
        assert!(said.contains(word) && said.contains("; "), "{said}");
        assert_eq!(kernel.open_descriptors(), 0);
    }
}

#[test]
fn every_call_may_fail_and_says_so() {
    // What a kernel need not have is done without.
    let tolerated = |op: &str, errno| match op {
        "KVM_CHECK_EXTENSION" | "KVM_PPC_GET_SMMU_INFO" | "KVM_PPC_GET_CPU_CHAR" => true,
        "KVM_GET_ONE_REG" | "KVM_SET_ONE_REG" => errno == libc::EINVAL,
        _ => false,
    };
    let mut failed = 0;
    for op in sys::OPS.iter().map(|op| op.name).chain([READ, WRITE]) {
        // A file's own calls are told by the call that gave it.
        let said = if op == READ || op == WRITE { sys::PPC_GET_HTAB_FD.name } else { op };
        for errno in [libc::EBUSY, libc::EINVAL, libc::EEXIST, libc::ENOMEM, libc::EMFILE] {
            let times = {
                let whole = scripted(POWER9, &[HCALL]);
                live(&whole).unwrap();
                whole.times(op)
            };
            for time in 0..times.min(4) {
                let kernel = Arc::new(Script::new(POWER9).acting(&[HCALL]).failing(op, time, errno));
                match live(&kernel).map(drop) {
                    Ok(()) => {
                        assert!(tolerated(op, errno), "{op} {errno}")
                    }
                    Err(e) => {
                        let text = e.to_string();
                        let number = format!("os error {errno}");
                        assert!(text.contains(said) && text.contains(&number) && text.contains("; "), "{text}");
                        failed += 1;
                    }
                }
                assert_eq!(kernel.open_descriptors(), 0, "{op} {errno}");
            }
        }
    }
    assert!(failed > 100, "{failed}");
}

#[test]
fn a_kick_ends_a_guest_that_never_returns() {
    let kernel = scripted(POWER9, &[HCALL, Act::Loop, Act::Loop, Act::Fail(libc::EINTR), HCALL]);
    let (mut vcpu, _) = live(&kernel).unwrap();
    let signals = vcpu.signals().clone();
    let other = std::thread::spawn(move || {
        // A storm of signals that mean nothing to the guest, then the kick.
        for _ in 0..1000 {
            signals.raise(signal::FLUSH);
            signals.lower(signal::FLUSH);
        }
        std::thread::sleep(Duration::from_millis(20));
        signals.raise(signal::KICK);
    });
    assert_eq!(vcpu.run(None).unwrap(), Exit::Kicked);
    other.join().unwrap();
    vcpu.signals().lower(signal::KICK);
    vcpu.signals().raise(signal::SYSTEM_RESET);
    assert_eq!(vcpu.run(None).unwrap(), Exit::SystemReset);
    assert_eq!(vcpu.signals().pending() & signal::SYSTEM_RESET, 0);
    vcpu.signals().raise(signal::KICK);
    assert_eq!(vcpu.run(None).unwrap(), Exit::Kicked);
    assert!(vcpu.run(Some(5)).unwrap_err().to_string().contains("count instructions"));
}

#[test]
fn time_starts_once_for_all_and_never_steps_back() {
    let kernel = scripted(POWER9, &[HCALL, HCALL, HCALL]);
    let (mut vcpu, _) = live(&kernel).unwrap();
    let before = vcpu.timebase();
    vcpu.complete(Reply::Hcall { status: 0, out: [0; 8], count: 0 });
    vcpu.run(None).unwrap();
    let after = vcpu.timebase();
    assert!(after >= before && after - before < 1 << 32, "{before} {after}");
    assert!(vcpu.state().tb_offset < 1 << 24, "an offset is rounded up to 2^24 at most");
}

#[test]
fn a_controller_in_the_kernel_is_reset_source_by_source() {
    let kernel = scripted(POWER9, &[HCALL]);
    let (_vcpu, _) = live(&kernel).unwrap();
    assert_eq!(kernel.source(0x1000), Some(0xff << 32 | irqchip::MASKED));
    assert_eq!(kernel.register(irqchip::REG_ICP_STATE), Some(irqchip::ICP_RESET.to_ne_bytes().to_vec()));
    let without = Arc::new(Script::new(POWER9).failing("KVM_PPC_RTAS_DEFINE_TOKEN", 0, libc::ENOENT));
    let vm = KvmVm::new(without.clone()).unwrap();
    assert!(!vm.answer_rtas("ibm,set-xive", 1).unwrap(), "a kernel without a XICS of its own knows no such call");
    drop(vm);
    assert_eq!(without.open_descriptors(), 0);
}

#[test]
fn what_is_stored_is_read_back() {
    let kernel = scripted(POWER9, &[HCALL]);
    let (vcpu, _) = live(&kernel).unwrap();
    let mut s = vcpu.state().clone();
    s.gpr[1] = 0x1111;
    s.spr[spr::DAR] = 0x2222;
    vcpu.registers().store(None, &s).unwrap();
    assert_eq!(vcpu.registers().mismatch(&s).unwrap(), None);
    s.spr[spr::DAR] = 0x3333;
    assert_eq!(vcpu.registers().mismatch(&s).unwrap().as_deref(), Some("DAR"));
}

#[test]
fn what_the_kernel_keeps_of_a_vcpu_goes_there_and_back() {
    let kernel = scripted(POWER9, &[HCALL]);
    let (mut vcpu, _) = live(&kernel).unwrap();
    assert_eq!(vcpu.kept().unwrap(), Some(KEPT));
    vcpu.set_kept(&Kept::default()).unwrap();
    assert_eq!(vcpu.kept().unwrap(), Some(Kept::default()));
}

#[test]
fn time_set_while_the_clock_stands_is_not_lost() {
    let kernel = scripted(POWER9, &[HCALL]);
    let vm = Arc::new(KvmVm::new(kernel).unwrap());
    let memory = Arc::new(GuestMemory::new(1 << 20).unwrap());
    let parts = Parts::lone(cpu_model::by_name("power9_v2.2").unwrap(), Arc::new(Partition::new(memory)));
    let mut vcpu = vm.vcpu(parts).unwrap();
    let s = vcpu.state_mut();
    (s.tb_offset, s.dec_expiry, s.vtb_offset) = (0x1234_5678_9000, 0x1234_6000_0000, 77);
    vcpu.commit().unwrap();
    let s = vcpu.state();
    assert_eq!((s.tb_offset, s.dec_expiry, s.vtb_offset), (0x1234_5678_9000, 0x1234_6000_0000, 77));
}

#[test]
fn the_copy_of_the_hash_table_follows_the_kernels() {
    let kernel = Arc::new(Script::new(POWER9));
    let vm = Arc::new(KvmVm::new(kernel.clone()).unwrap());
    let memory = Arc::new(GuestMemory::new(1 << 20).unwrap());
    vm.set_memory(&memory).unwrap();
    let partition = Partition::new(memory);
    partition.set_host(vm);
    partition.new_hpt(18).unwrap();
    kernel.guest_enters(0x207, VALID.v, VALID.r);
    partition.fetch_hpt().unwrap();
    let copy = partition.hpt().unwrap();
    assert_eq!(copy.get(0x207), VALID);
    // What is read again and is the same does not look dirty.
    copy.bytes().start_log().unwrap();
    assert!(copy.bytes().take_dirty().unwrap().is_empty());
    kernel.guest_enters(0x207, 0, 0);
    kernel.guest_enters(0x3fff, VALID.v, 7);
    assert_eq!(copy.bytes().take_dirty().unwrap().iter().collect::<Vec<_>>(), [2, 0x3f]);
    assert_eq!((copy.get(0x207).valid(), copy.get(0x3fff)), (false, Hpte { r: 7, ..VALID }));
    copy.bytes().stop_log();

    // A table that is loaded goes into the kernel's, once, and before anything is read from there.
    let loaded = Arc::new(Hpt::new(19).unwrap());
    partition.adopt_hpt(Some(loaded.clone())).unwrap();
    assert!(kernel.table().is_empty());
    for n in 0..9 {
        loaded.lock(0x100 + n).set((0x100 + n) % 8, Hpte { r: n << 12, ..VALID });
    }
    loaded.lock(0x7fff).set(7, VALID);
    partition.fetch_hpt().unwrap();
    assert_eq!(kernel.table().keys().copied().collect::<Vec<_>>(), [0x100, 0x101, 0x102, 0x103, 0x104, 0x105, 0x106, 0x107, 0x108, 0x7fff]);
    assert_eq!((kernel.table()[&0x103], loaded.get(0x103)), ([VALID.v, 0x3000], Hpte { r: 0x3000, ..VALID }));
    let writes = kernel.times(WRITE);
    assert_eq!(writes, 2, "runs of entries go together");
    partition.enter_hpt().unwrap();
    assert_eq!(kernel.times(WRITE), writes);
}

#[test]
fn pages_that_the_kernel_saw_stored_to_are_in_the_dirty_log() {
    let kernel = Arc::new(Script::new(POWER9));
    let vm = Arc::new(KvmVm::new(kernel.clone()).unwrap());
    let memory = Arc::new(GuestMemory::new(1 << 22).unwrap());
    vm.set_memory(&memory).unwrap();
    memory.start_log().unwrap();
    kernel.guest_stores(3);
    memory.write_u8(Ra(0x20_0000), 1).unwrap();
    let ours = vm.facts().page / 4096;
    let mut want: Vec<u64> = (3 * ours..4 * ours).chain([0x200]).collect();
    want.sort_unstable();
    assert_eq!(memory.take_dirty().unwrap().iter().collect::<Vec<_>>(), want);
    assert!(memory.take_dirty().unwrap().is_empty());
    memory.stop_log();
    assert_eq!(kernel.count(&sys::SET_USER_MEMORY_REGION), 3, "the slot, the log on, the log off");
    // A machine that is gone stores nothing any more.
    drop(vm);
    memory.start_log().unwrap();
    assert!(memory.take_dirty().unwrap().is_empty());
}

#[test]
fn resizing_says_what_the_kernel_says() {
    let vm = Arc::new(KvmVm::new(Arc::new(Script::new(POWER9))).unwrap());
    assert_eq!((vm.prepare(20), vm.prepare(20), vm.commit(20)), (Ok(Duration::from_millis(500)), Ok(Duration::ZERO), Ok(())));
    for (errno, why) in [
        (libc::EINVAL, Resize::Parameter),
        (libc::ENOMEM, Resize::NoMemory),
        (libc::ENXIO, Resize::NothingPrepared),
        (libc::EBUSY, Resize::NotReady),
        (libc::ENOSPC, Resize::Full),
        (libc::EIO, Resize::Failed),
    ] {
        for op in [&sys::PPC_RESIZE_HPT_PREPARE, &sys::PPC_RESIZE_HPT_COMMIT] {
            let vm = Arc::new(KvmVm::new(Arc::new(Script::new(POWER9).failing(op.name, 0, errno))).unwrap());
            let said = if op.name.ends_with("PREPARE") { vm.prepare(20).map(drop) } else { vm.commit(20) };
            assert_eq!(said, Err(why));
        }
    }
}
