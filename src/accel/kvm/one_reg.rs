//! [`CpuState`] to and from the kernel.
//!
//! What a kernel does not have for this processor (EINVAL, ENXIO) stays as it is in the state: rows are for all processors. Written is only what differs
//! from what was read, and everything written that the guest's own code could see is read back when the caller asks for it ([`Registers::mismatch`]).

use crate::accel::kvm::ioctl::Arg;
use crate::accel::kvm::ioctl::Errno;
use crate::accel::kvm::ioctl::Kernel;
use crate::accel::kvm::ioctl::bytes;
use crate::accel::kvm::refused;
use crate::accel::kvm::refused_for;
use crate::accel::kvm::sys;
use crate::cpu::CpuState;
use crate::cpu::Cr;
use crate::cpu::SlbEntry;
use crate::cpu::Xer;
use crate::cpu::elements;
use crate::cpu::elements::Element;
use crate::error::Error;
use crate::error::Result;
use crate::isa::regs::Lpcr;
use crate::isa::regs::Msr;
use crate::isa::spr;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;

/// Valid, in RB of slbmte.
const SLB_VALID: u64 = 0x0800_0000;
/// LPCR bits that a guest's platform chooses; the others are the host's.
const LPCR_OURS: u64 = Lpcr::ILE | Lpcr::AIL0 | Lpcr::AIL1 | Lpcr::LD;
/// LPCR bits that the kernel keeps by itself, from how the guest translates.
const LPCR_TRANSLATION: u64 = Lpcr::UPRT | Lpcr::HR | Lpcr::GTSE;

/// A vcpu's registers in the kernel.
pub struct Registers<'a> {
    /// Whom to ask.
    pub kernel: &'a dyn Kernel,
    /// The vcpu.
    pub vcpu: &'a OwnedFd,
}

fn absent(errno: Errno) -> bool {
    matches!(errno, libc::EINVAL | libc::ENXIO | libc::ENOENT)
}

impl Registers<'_> {
    /// A register by number; `None`: this processor has none.
    ///
    /// # Errors
    /// The kernel refuses for another reason.
    pub fn get(&self, id: u64) -> Result<Option<u128>> {
        let mut b = [0; 16];
        let n = sys::reg_bytes(id);
        match self.kernel.call(self.vcpu.as_fd(), &sys::GET_ONE_REG, Arg::OneReg { id, value: &mut b[..n] }) {
            Ok(_) => Ok(Some(from_bytes(&b[..n]))),
            Err(e) if absent(e) => Ok(None),
            Err(e) => Err(named(&sys::GET_ONE_REG, id, e)),
        }
    }

    /// Sets a register by number; whether there is one.
    ///
    /// # Errors
    /// The kernel refuses for another reason.
    pub fn set(&self, id: u64, value: u128) -> Result<bool> {
        let n = sys::reg_bytes(id);
        let mut b = to_bytes(value, n);
        match self.kernel.call(self.vcpu.as_fd(), &sys::SET_ONE_REG, Arg::OneReg { id, value: &mut b[..n] }) {
            Ok(_) => Ok(true),
            Err(e) if absent(e) => Ok(false),
            Err(e) => Err(named(&sys::SET_ONE_REG, id, e)),
        }
    }

    /// Fetches everything but time into `s`.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn fetch(&self, s: &mut CpuState) -> Result<()> {
        let mut r = sys::Regs::default();
        self.call(&sys::GET_REGS, Arg::Bytes(bytes(&mut r)))?;
        (s.gpr, s.cia, s.nip, s.msr) = (r.gpr, r.pc, r.pc, Msr(r.msr));
        (s.cr, s.xer, s.lr, s.ctr) = (Cr::unpack(r.cr as u32), Xer::unpack(r.xer), r.lr, r.ctr);
        (s.spr[spr::SRR0], s.spr[spr::SRR1]) = (r.srr0, r.srr1);
        s.spr[spr::SPRG0..=spr::SPRG3].copy_from_slice(&r.sprg[..4]);
        let mut sregs = sys::Sregs::default();
        self.call(&sys::GET_SREGS, Arg::Bytes(bytes(&mut sregs)))?;
        s.spr[spr::PVR] = u64::from(sregs.pvr);
        s.slb = [SlbEntry::default(); 64];
        for [rb, rs] in sregs.slb.into_iter().filter(|[rb, _]| rb & SLB_VALID != 0) {
            s.slb[(rb & 63) as usize] = SlbEntry { esid: rb & !0xfff, vsid: rs };
        }
        let lpcr = s.spr[spr::LPCR];
        for e in elements::all() {
            if let Some(value) = self.get(e.one_reg)? {
                (e.set)(s, value);
            }
        }
        // The host's own bits are nobody's business.
        let seen = LPCR_OURS | LPCR_TRANSLATION;
        s.spr[spr::LPCR] = (lpcr & !seen) | (s.spr[spr::LPCR] & seen);
        for n in 0..64 {
            let value = self.get(elements::vsr(n))?;
            if let Some(value) = value {
                s.vsr[n] = elements::vsr_of(n, value.to_ne_bytes());
            }
        }
        s.reservation = None;
        Ok(())
    }

    /// Stores what differs between `old`, which was fetched, and `new`; without `old`, everything. Time is not touched.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn store(&self, old: Option<&CpuState>, new: &CpuState) -> Result<()> {
        let differs = |e: &Element| old.is_none_or(|old| (e.get)(old) != (e.get)(new));
        // The mode that the guest is held to comes first: other registers depend on it.
        for e in elements::all().filter(|e| differs(e)) {
            let mut value = (e.get)(new);
            if e.name == "LPCR" {
                let theirs = self.get(e.one_reg)?.unwrap_or(0);
                value = (theirs & !u128::from(LPCR_OURS)) | (value & u128::from(LPCR_OURS));
            }
            self.set(e.one_reg, value)?;
        }
        for n in (0..64).filter(|n| old.is_none_or(|old| old.vsr[*n] != new.vsr[*n])) {
            self.set(elements::vsr(n), u128::from_ne_bytes(elements::vsr_bytes(n, new.vsr[n])))?;
        }
        if old.is_none_or(|old| old.slb != new.slb) {
            let mut sregs = sys::Sregs::default();
            self.call(&sys::GET_SREGS, Arg::Bytes(bytes(&mut sregs)))?;
            sregs.slb = std::array::from_fn(|k| {
                let e = new.slb[k];
                if e.esid & SLB_VALID == 0 { [0; 2] } else { [e.esid | k as u64, e.vsid] }
            });
            self.call(&sys::SET_SREGS, Arg::Bytes(bytes(&mut sregs)))?;
        }
        // Last, because it also ends an H_CEDE.
        if old.is_none_or(|old| plain(old) != plain(new)) {
            let mut r = plain(new);
            // SPRG4 to 7 are other processors'.
            let mut theirs = sys::Regs::default();
            self.call(&sys::GET_REGS, Arg::Bytes(bytes(&mut theirs)))?;
            r.sprg[4..].copy_from_slice(&theirs.sprg[4..]);
            self.call(&sys::SET_REGS, Arg::Bytes(bytes(&mut r)))?;
        }
        Ok(())
    }

    /// The first register that the kernel does not have as `s` says, by name.
    ///
    /// # Errors
    /// The kernel refuses to say.
    pub fn mismatch(&self, s: &CpuState) -> Result<Option<String>> {
        let mut got = s.clone();
        self.fetch(&mut got)?;
        if plain(&got) != plain(s) {
            return Ok(Some("general registers".into()));
        }
        if got.slb != s.slb {
            return Ok(Some("SLB".into()));
        }
        if let Some(n) = (0..64).find(|n| got.vsr[*n] != s.vsr[*n]) {
            return Ok(Some(format!("VSR{n}")));
        }
        Ok(elements::all().find(|e| (e.get)(&got) != (e.get)(s)).map(|e| e.name.to_string()))
    }

    fn call(&self, op: &'static sys::Op, arg: Arg<'_>) -> Result<()> {
        self.kernel.call(self.vcpu.as_fd(), op, arg).map(drop).map_err(|e| refused(op, e))
    }
}

/// The registers of KVM_GET_REGS.
fn plain(s: &CpuState) -> sys::Regs {
    let mut r = sys::Regs {
        pc: s.nip,
        cr: u64::from(s.cr.pack()),
        ctr: s.ctr,
        lr: s.lr,
        xer: s.xer.pack(),
        msr: s.msr.0,
        gpr: s.gpr,
        ..sys::Regs::default()
    };
    (r.srr0, r.srr1, r.pid) = (s.spr[spr::SRR0], s.spr[spr::SRR1], s.spr[spr::PIDR]);
    r.sprg[..4].copy_from_slice(&s.spr[spr::SPRG0..=spr::SPRG3]);
    r
}

fn from_bytes(b: &[u8]) -> u128 {
    match b.len() {
        4 => u128::from(u32::from_ne_bytes(std::array::from_fn(|k| b[k]))),
        8 => u128::from(u64::from_ne_bytes(std::array::from_fn(|k| b[k]))),
        _ => u128::from_ne_bytes(std::array::from_fn(|k| b[k])),
    }
}

fn to_bytes(value: u128, n: usize) -> [u8; 16] {
    let mut b = [0; 16];
    match n {
        4 => b[..4].copy_from_slice(&(value as u32).to_ne_bytes()),
        8 => b[..8].copy_from_slice(&(value as u64).to_ne_bytes()),
        _ => b = value.to_ne_bytes(),
    }
    b
}

/// The refusal of a register's call names the register.
fn named(op: &'static sys::Op, id: u64, errno: Errno) -> Error {
    let name = elements::all().find(|e| e.one_reg == id).map_or_else(|| format!("{id:#x}"), |e| e.name.to_string());
    refused_for(op, errno, &format!(" (register {name})"))
}
