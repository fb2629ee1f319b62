//! The guest's hash table as its kernel keeps it, beside the copy that the machine saves and sends.
//!
//! The kernel gives the table through a file (KVM_PPC_GET_HTAB_FD, `Documentation/virt/kvm/api.rst`): reading goes round and round over it, the first time with
//! every entry, then with those that changed, and gives nothing when a whole round finds none. The file stays open, because the kernel keeps count of
//! changes only while one is. What is read goes into an [`crate::mmu::hpt::Hpt`]'s memory, whose dirty log then tells a migration which pages of the table changed.
//!
//! Entries have the format of before ISA 3.0 on every processor, as the copy has. An invalid entry is nothing but invalid: what a guest may have left in it is not given.

use crate::accel::kvm::ioctl::Arg;
use crate::accel::kvm::ioctl::Errno;
use crate::accel::kvm::ioctl::Kernel;
use crate::accel::kvm::ioctl::bytes;
use crate::accel::kvm::refused;
use crate::accel::kvm::refused_for;
use crate::accel::kvm::sys;
use crate::accel::kvm::sys::HTAB_HEADER;
use crate::error::Error;
use crate::error::Result;
use crate::memory::GuestMemory;
use crate::mmu::hpt::Hpte;
use crate::units::Ra;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;

const ENTRY: usize = 16;
/// Bytes read at a time.
const BUFFER: usize = 256 << 10;
/// A read that leaves so much room has come to the table's end.
const ROOM: usize = HTAB_HEADER + ENTRY;
/// Entries written at a time.
const RUN: usize = 4096;

/// How much is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// To the table's end, while the guest may go on changing it.
    End,
    /// To the last change of a guest that stands still.
    Quiet,
}

/// The file that entries are read from.
pub struct Reader(OwnedFd);

fn open(kernel: &dyn Kernel, vm: BorrowedFd<'_>, flags: u64) -> Result<OwnedFd> {
    let mut how = sys::HtabFd { flags, start_index: 0, reserved: [0; 2] };
    kernel.create(vm, &sys::PPC_GET_HTAB_FD, Arg::Bytes(bytes(&mut how))).map_err(|e| refused(&sys::PPC_GET_HTAB_FD, e))
}

fn failed(doing: &str, errno: Errno) -> Error {
    refused_for(&sys::PPC_GET_HTAB_FD, errno, &format!(" (its file, {doing})"))
}

impl Reader {
    /// Opens the file; the first round will give everything.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn open(kernel: &dyn Kernel, vm: BorrowedFd<'_>) -> Result<Reader> {
        open(kernel, vm, 0).map(Reader)
    }

    /// Brings `copy` up to date. After a failure the file is of no use any more: what it gave before is lost.
    ///
    /// # Errors
    /// The kernel refuses, or gives what is no table of this size.
    pub fn read(&self, kernel: &dyn Kernel, copy: &GuestMemory, until: Until) -> Result<()> {
        let mut buffer = vec![0; BUFFER];
        let used = copy.runs()?;
        let mut nothing = 0;
        loop {
            let n = kernel.read(self.0.as_fd(), &mut buffer).map_err(|e| failed("read", e))?;
            take(&buffer[..n], copy, &used)?;
            nothing = if n == 0 { nothing + 1 } else { 0 };
            let end = match until {
                Until::End => n + ROOM < BUFFER,
                // The first one may have begun in the middle.
                Until::Quiet => nothing == 2,
            };
            if end {
                return Ok(());
            }
        }
    }
}

/// Stores what one read gave. `used`: the pages of the copy that held something before.
fn take(mut given: &[u8], copy: &GuestMemory, used: &[Range<u64>]) -> Result<()> {
    let broken = || super::cannot("the kernel gives entries of the hash table that there are not".into());
    while let Some((header, rest)) = given.split_first_chunk::<HTAB_HEADER>() {
        let [a, b, c, d, e, f, g, h] = *header;
        let first = u64::from(u32::from_ne_bytes([a, b, c, d])) * ENTRY as u64;
        let (valid, invalid) = (usize::from(u16::from_ne_bytes([e, f])), usize::from(u16::from_ne_bytes([g, h])));
        let (entries, after) = rest.split_at_checked(valid * ENTRY).ok_or_else(broken)?;
        let behind = first + entries.len() as u64;
        if !copy.contains(Ra(first), (entries.len() + invalid * ENTRY) as u64) {
            return Err(broken());
        }
        for (n, entry) in entries.as_chunks::<ENTRY>().0.iter().enumerate() {
            put(copy, Ra(first + (n * ENTRY) as u64), entry)?;
        }
        clear(copy, behind..behind + (invalid * ENTRY) as u64, used)?;
        given = after;
    }
    if given.is_empty() { Ok(()) } else { Err(broken()) }
}

/// Stores an entry if it is another one: a page that does not change is not to look dirty.
fn put(copy: &GuestMemory, at: Ra, entry: &[u8; ENTRY]) -> Result<()> {
    let out = |_| super::cannot("an entry of the hash table lies outside it".into());
    let mut had = [0; ENTRY];
    copy.read(at, &mut had).map_err(out)?;
    if had == *entry { Ok(()) } else { copy.write(at, entry).map_err(out) }
}

/// Makes entries invalid, without touching pages that hold nothing.
fn clear(copy: &GuestMemory, what: Range<u64>, used: &[Range<u64>]) -> Result<()> {
    let small = what.end - what.start <= 4096;
    let whole = [what.clone()];
    // Few entries changed just now: their page is in use. Many are a first round over an empty table.
    for run in if small { &whole[..] } else { used } {
        let (start, end) = (run.start.max(what.start), run.end.min(what.end));
        for at in (start..end.max(start)).step_by(ENTRY) {
            put(copy, Ra(at), &[0; ENTRY])?;
        }
    }
    Ok(())
}

/// Enters every valid entry of `copy` into the kernel's table, which is empty.
///
/// # Errors
/// The kernel refuses: an entry maps what is no RAM of the guest's, or has a page size that the host has not.
pub fn write(kernel: &dyn Kernel, vm: BorrowedFd<'_>, copy: &GuestMemory) -> Result<()> {
    let file = open(kernel, vm, sys::GET_HTAB_WRITE)?;
    let mut message = Vec::with_capacity(HTAB_HEADER + RUN * ENTRY);
    copy.for_each_data(|at, data| {
        let entries = data.as_chunks::<ENTRY>().0;
        let valid = |e: &[u8; ENTRY]| e[7] & Hpte::VALID as u8 != 0;
        let mut n = 0;
        for run in entries.chunk_by(|a, b| valid(a) == valid(b)) {
            let first = at.0 / ENTRY as u64 + n as u64;
            n += run.len();
            if !valid(&run[0]) {
                continue;
            }
            for (k, part) in run.chunks(RUN).enumerate() {
                let index = first as u32 + (k * RUN) as u32;
                message.clear();
                message.extend_from_slice(&index.to_ne_bytes());
                message.extend_from_slice(&(part.len() as u16).to_ne_bytes());
                message.extend_from_slice(&[0; 2]);
                message.extend_from_slice(part.as_flattened());
                let taken = kernel.write(file.as_fd(), &message).map_err(|e| failed(&format!("written from entry {index:#x} on"), e))?;
                if taken != message.len() {
                    return Err(failed(&format!("written from entry {index:#x} on"), libc::EIO));
                }
            }
        }
        Ok::<(), Error>(())
    })
}
