//! From `struct kvm_run` to an [`Exit`], in one place.

use crate::accel::Exit;
use crate::accel::kvm::cannot;
use crate::accel::kvm::ioctl::RunPage;
use crate::accel::kvm::sys;
use crate::accel::kvm::sys::run::EXIT_REASON;
use crate::accel::kvm::sys::run::UNION;
use crate::error::Error;
use crate::error::Result;
use crate::units::Ra;
use crate::units::Width;
use std::sync::atomic::Ordering::Relaxed;

/// mmio: where its data, length and direction are.
const MMIO_DATA: usize = UNION + 8;
const MMIO_LEN: usize = UNION + 16;
const MMIO_WRITE: usize = UNION + 20;
/// papr_hcall: r3 to be, and r4 to r12.
const HCALL_RET: usize = UNION + 8;
const HCALL_ARGS: usize = UNION + 16;

/// What the guest left for; `None`: for nothing that concerns anybody, run on.
pub fn decode(page: &RunPage) -> Result<Option<Exit>> {
    let word = |at| page.u64(at).load(Relaxed);
    Ok(Some(match page.u32(EXIT_REASON).load(Relaxed) {
        sys::exit::INTR => return Ok(None),
        sys::exit::PAPR_HCALL => Exit::Hcall { number: word(UNION), args: std::array::from_fn(|k| word(HCALL_ARGS + 8 * k)) },
        sys::exit::MMIO => {
            let (at, len) = (Ra(word(UNION)), page.u32(MMIO_LEN).load(Relaxed));
            let width = match len {
                1 => Width::Byte,
                2 => Width::Half,
                4 => Width::Word,
                8 => Width::Double,
                other => return Err(cannot(format!("KVM reports an access of {other} bytes outside RAM"))),
            };
            if page.u8(MMIO_WRITE).load(Relaxed) == 0 {
                return Ok(Some(Exit::MmioRead { at, width }));
            }
            // The bytes as the guest would have stored them.
            let value = (0..len as usize).fold(0, |v, k| v << 8 | u64::from(page.u8(MMIO_DATA + k).load(Relaxed)));
            Exit::MmioWrite { at, width, value }
        }
        sys::exit::DEBUG => Exit::Breakpoint,
        sys::exit::FAIL_ENTRY => {
            return Err(failed(format!("the guest cannot be entered (KVM_EXIT_FAIL_ENTRY, hardware reason {:#x})", word(UNION))));
        }
        sys::exit::INTERNAL_ERROR => {
            let suberror = page.u32(UNION).load(Relaxed);
            return Err(failed(format!("KVM failed (KVM_EXIT_INTERNAL_ERROR, suberror {suberror})")));
        }
        sys::exit::UNKNOWN => {
            return Err(failed(format!("KVM does not know why the guest stopped (KVM_EXIT_UNKNOWN, hardware reason {:#x})", word(UNION))));
        }
        sys::exit::NMI => return Err(failed("the guest took a machine check (KVM_EXIT_NMI)".to_string())),
        other => return Err(failed(format!("KVM stopped for a reason that is not known here ({other})"))),
    }))
}

fn failed(problem: String) -> Error {
    let hint = "look at the host's kernel log; reset() the machine, or use accel=\"interp\"".into();
    Error::Accel { accel: "kvm".into(), problem, hint }
}

/// Hands over what a load outside RAM reads.
pub fn loaded(page: &RunPage, value: u64) {
    let len = page.u32(MMIO_LEN).load(Relaxed).min(8) as usize;
    for (k, byte) in value.to_be_bytes()[8 - len..].iter().enumerate() {
        page.u8(MMIO_DATA + k).store(*byte, Relaxed);
    }
}

/// Hands over what a hypercall returns: r3, and r4 on.
pub fn returned(page: &RunPage, status: i64, out: &[u64]) {
    page.u64(HCALL_RET).store(status as u64, Relaxed);
    for (k, value) in out.iter().enumerate() {
        page.u64(HCALL_ARGS + 8 * k).store(*value, Relaxed);
    }
}
