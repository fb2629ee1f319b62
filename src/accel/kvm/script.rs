//! A kernel that plays its part from memory: it keeps registers and answers as KVM-HV does, guests leave when the script says, and any call
//! can be made to fail. Its descriptors are real (files that nobody can find), so that one left open is seen.

use crate::accel::kvm::ioctl::Arg;
use crate::accel::kvm::ioctl::Errno;
use crate::accel::kvm::ioctl::Kernel;
use crate::accel::kvm::ioctl::RunPage;
use crate::accel::kvm::sys;
use crate::accel::kvm::sys::Op;
use crate::accel::kvm::sys::run::EXIT_REASON;
use crate::accel::kvm::sys::run::IMMEDIATE_EXIT;
use crate::accel::kvm::sys::run::UNION;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// What a guest does next.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Leaves for this reason, with these doublewords in the union.
    Leave(u32, [u64; 3]),
    /// KVM_RUN fails.
    Fail(Errno),
    /// Runs on until it is interrupted.
    Loop,
}

/// A host, as its kernel describes it.
#[derive(Clone, Copy, Debug)]
pub struct Is {
    /// Processor.
    pub pvr: u32,
    /// Default spacing.
    pub smt: u32,
    /// Modes.
    pub possible: u32,
    /// Hypervisor mode.
    pub hv: bool,
    /// Radix guests.
    pub radix: bool,
}

/// A POWER9.
pub const POWER9: Is = Is { pvr: 0x004e_1202, smt: 1, possible: 15, hv: true, radix: true };
/// A POWER8 with eight threads.
pub const POWER8: Is = Is { pvr: 0x004d_0200, smt: 8, possible: 15, hv: true, radix: false };

#[derive(Default)]
struct Vcpu {
    regs: Vec<u8>,
    ones: BTreeMap<u64, Vec<u8>>,
    slb: Vec<u8>,
    line: Option<u32>,
    hcall: bool,
}

/// A file of the hash table is read, under this name for [`Script::failing`].
pub const READ: &str = "read";
/// It is written.
pub const WRITE: &str = "write";

struct State {
    smt: u32,
    /// The vcpu that was made last.
    last: i32,
    /// Valid entries of the hash table, and which numbers changed since they were read.
    table: BTreeMap<u32, [u64; 2]>,
    changed: BTreeSet<u32>,
    /// Pages of RAM that were stored to since they were asked for.
    stored: BTreeSet<u64>,
    vcpus: BTreeMap<i32, Vcpu>,
    acts: VecDeque<Act>,
    /// Call, from which time on (0: the first), what it says.
    fault: Option<(&'static str, usize, Errno)>,
    called: Vec<&'static str>,
    given: Vec<(i32, u64)>,
    /// States of the controller's sources.
    sources: BTreeMap<u64, u64>,
}

/// The kernel.
pub struct Script {
    is: Is,
    state: Mutex<State>,
}

impl Script {
    /// A kernel on such a host, whose guests loop.
    pub fn new(is: Is) -> Script {
        let state = State {
            smt: is.smt,
            last: -1,
            table: BTreeMap::new(),
            changed: BTreeSet::new(),
            stored: BTreeSet::new(),
            vcpus: BTreeMap::new(),
            acts: VecDeque::new(),
            fault: None,
            called: Vec::new(),
            given: Vec::new(),
            sources: BTreeMap::new(),
        };
        Script { is, state: Mutex::new(state) }
    }

    /// A call fails from that time on (0: the first).
    pub fn failing(self, op: &'static str, time: usize, errno: Errno) -> Script {
        self.get().fault = Some((op, time, errno));
        self
    }

    /// The guest does this, and then loops.
    pub fn acting(self, acts: &[Act]) -> Script {
        self.get().acts.extend(acts);
        self
    }

    fn get(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often a call was made.
    pub fn count(&self, op: &Op) -> usize {
        self.times(op.name)
    }

    /// The same by name, also of [`READ`] and [`WRITE`].
    pub fn times(&self, call: &str) -> usize {
        self.get().called.iter().filter(|c| **c == call).count()
    }

    /// The guest makes this an entry of its hash table, or takes an entry away.
    pub fn guest_enters(&self, index: u32, v: u64, r: u64) {
        let mut s = self.get();
        if v & 1 == 0 {
            s.table.remove(&index);
        } else {
            s.table.insert(index, [v, r]);
        }
        s.changed.insert(index);
    }

    /// What the kernel's hash table holds.
    pub fn table(&self) -> BTreeMap<u32, [u64; 2]> {
        self.get().table.clone()
    }

    /// The guest stores to this page of its RAM, of the host's pages.
    pub fn guest_stores(&self, page: u64) {
        self.get().stored.insert(page);
    }

    /// The mode of the last machine.
    pub fn smt(&self) -> u32 {
        self.get().smt
    }

    /// The last vcpu's interrupt line, as it was last told.
    pub fn line(&self) -> Option<u32> {
        let s = self.get();
        s.vcpus.get(&s.last).and_then(|v| v.line)
    }

    /// The state of a source of the controller, as it was last set.
    pub fn source(&self, number: u64) -> Option<u64> {
        self.get().sources.get(&number).copied()
    }

    /// A register of the last vcpu, as it was last set.
    pub fn register(&self, id: u64) -> Option<Vec<u8>> {
        self.get().vcpus.values().next_back().and_then(|v| v.ones.get(&id).cloned())
    }

    /// Descriptors that are still open.
    pub fn open_descriptors(&self) -> usize {
        let open = |(fd, mark): &&(i32, u64)| std::fs::metadata(format!("/proc/self/fd/{fd}")).is_ok_and(|m| m.len() == *mark);
        self.get().given.iter().filter(open).count()
    }

    /// A descriptor that is told from all others by its file's length.
    fn descriptor(&self) -> Result<OwnedFd, Errno> {
        static MARK: AtomicU64 = AtomicU64::new(1);
        let file = File::options().read(true).write(true).custom_flags(libc::O_TMPFILE).open(std::env::temp_dir());
        let file = file.map_err(|e| e.raw_os_error().unwrap_or(libc::EIO))?;
        let mark = 0x10000 * MARK.fetch_add(1, Relaxed);
        file.set_len(mark).map_err(|_| libc::ENOSPC)?;
        self.get().given.push((file.as_raw_fd(), mark));
        Ok(OwnedFd::from(file))
    }

    /// Notes the call; whether it is the one that fails.
    fn enter(&self, call: &'static str) -> Result<(), Errno> {
        let mut s = self.get();
        let time = s.called.iter().filter(|c| **c == call).count();
        s.called.push(call);
        match s.fault {
            Some((name, when, errno)) if name == call && when <= time => Err(errno),
            Some(_) | None => Ok(()),
        }
    }

    fn capability(&self, cap: u64) -> i32 {
        let isa_3 = self.is.pvr >> 16 != 0x4d;
        match cap as u32 {
            sys::CAP_PPC_SMT => self.get().smt as i32,
            sys::CAP_PPC_SMT_POSSIBLE => self.is.possible as i32,
            sys::CAP_MAX_VCPU_ID => 16384,
            sys::CAP_MAX_VCPUS | sys::CAP_NR_VCPUS => 2048,
            sys::CAP_PPC_MMU_RADIX => i32::from(self.is.radix),
            sys::CAP_PPC_MMU_HASH_V3 => i32::from(isa_3),
            sys::CAP_IRQ_XICS => 1,
            sys::CAP_SPAPR_RESIZE_HPT => 1,
            _ => 0,
        }
    }

    fn enable(&self, b: &[u8]) -> Result<i32, Errno> {
        let cap = u32::from_ne_bytes(std::array::from_fn(|k| b[k]));
        let mode = u64::from_ne_bytes(std::array::from_fn(|k| b[8 + k])) as u32;
        if cap == sys::CAP_PPC_SMT {
            let mut s = self.get();
            if !mode.is_power_of_two() || self.is.possible & mode == 0 || !self.is.hv {
                return Err(libc::EINVAL);
            }
            s.smt = mode;
        }
        Ok(0)
    }

    fn run(&self, fd: BorrowedFd<'_>) -> Result<i32, Errno> {
        let page = RunPage::new(Some(fd), 0x1000)?;
        {
            let mut s = self.get();
            let vcpu = s.vcpus.entry(fd.as_raw_fd()).or_default();
            if std::mem::take(&mut vcpu.hcall) {
                // r3 to r12 come back.
                let gpr = std::mem::offset_of!(sys::Regs, gpr);
                vcpu.regs.resize(size_of::<sys::Regs>(), 0);
                for k in 0..10 {
                    let value = page.u64(UNION + 8 + 8 * k).load(Relaxed);
                    vcpu.regs[gpr + 8 * (3 + k)..][..8].copy_from_slice(&value.to_ne_bytes());
                }
            }
        }
        if page.u8(IMMEDIATE_EXIT).load(SeqCst) != 0 {
            return Err(libc::EINTR);
        }
        let act = self.get().acts.pop_front().unwrap_or(Act::Loop);
        match act {
            Act::Fail(errno) => Err(errno),
            Act::Leave(reason, words) => {
                page.u32(EXIT_REASON).store(reason, Relaxed);
                words.iter().enumerate().for_each(|(k, w)| page.u64(UNION + 8 * k).store(*w, Relaxed));
                self.get().vcpus.entry(fd.as_raw_fd()).or_default().hcall = reason == sys::exit::PAPR_HCALL;
                Ok(0)
            }
            Act::Loop => {
                while page.u8(IMMEDIATE_EXIT).load(SeqCst) == 0 {
                    std::thread::sleep(Duration::from_micros(100));
                }
                Err(libc::EINTR)
            }
        }
    }
}

/// Copies between a structure of the caller's and one that is kept, which begins as zeros.
fn keep(op: &Op, kept: &mut Vec<u8>, given: &mut [u8]) {
    kept.resize(given.len(), 0);
    match op.direction {
        sys::Direction::Read => given.copy_from_slice(kept),
        sys::Direction::Write | sys::Direction::Both | sys::Direction::None => kept.copy_from_slice(given),
    }
}

impl Kernel for Script {
    fn open(&self) -> Result<OwnedFd, Errno> {
        self.descriptor()
    }

    fn call(&self, fd: BorrowedFd<'_>, op: &'static Op, arg: Arg<'_>) -> Result<i32, Errno> {
        self.enter(op.name)?;
        let n = fd.as_raw_fd();
        match arg {
            Arg::None if *op == sys::GET_API_VERSION => Ok(12),
            Arg::None if *op == sys::GET_VCPU_MMAP_SIZE => Ok(0x1000),
            Arg::None if *op == sys::RUN => self.run(fd),
            Arg::Value(cap) if *op == sys::CHECK_EXTENSION => Ok(self.capability(cap)),
            Arg::None | Arg::Value(_) | Arg::Device { .. } => Err(libc::ENOTTY),
            Arg::Attr { attr, value, .. } => {
                self.get().sources.insert(attr, *value);
                Ok(0)
            }
            Arg::Memory { .. } => Ok(0),
            Arg::Dirty { bitmap, .. } => {
                bitmap.fill(0);
                for page in std::mem::take(&mut self.get().stored) {
                    bitmap[page as usize / 64] |= 1 << (page % 64);
                }
                Ok(0)
            }
            Arg::OneReg { id, value } => {
                let mut s = self.get();
                let kept = s.vcpus.entry(n).or_default().ones.entry(id).or_default();
                kept.resize(value.len(), 0);
                if *op == sys::GET_ONE_REG {
                    value.copy_from_slice(kept)
                } else {
                    kept.copy_from_slice(value)
                }
                Ok(0)
            }
            Arg::Bytes(b) => {
                assert_eq!(b.len(), op.size, "{}", op.name);
                if *op == sys::ENABLE_CAP {
                    return self.enable(b);
                }
                let mut s = self.get();
                let vcpu = s.vcpus.entry(n).or_default();
                if *op == sys::GET_REGS || *op == sys::SET_REGS {
                    keep(op, &mut vcpu.regs, b);
                } else if *op == sys::GET_SREGS || *op == sys::SET_SREGS {
                    keep(op, &mut vcpu.slb, b);
                    b[..4].copy_from_slice(&self.is.pvr.to_ne_bytes());
                } else if *op == sys::INTERRUPT {
                    vcpu.line = Some(u32::from_ne_bytes(std::array::from_fn(|k| b[k])));
                } else if *op == sys::PPC_CONFIGURE_V3_MMU && !self.is.radix {
                    return Err(libc::ENODEV);
                } else if *op == sys::PPC_ALLOCATE_HTAB || *op == sys::PPC_RESIZE_HPT_COMMIT {
                    s.table.clear();
                    s.changed.clear();
                } else if *op == sys::PPC_RESIZE_HPT_PREPARE {
                    // Half a second the first time.
                    return Ok(if s.called.iter().filter(|c| **c == op.name).count() == 1 { 500 } else { 0 });
                }
                Ok(0)
            }
        }
    }

    fn create(&self, _: BorrowedFd<'_>, op: &'static Op, arg: Arg<'_>) -> Result<OwnedFd, Errno> {
        self.enter(op.name)?;
        match arg {
            Arg::Bytes(_) if *op == sys::PPC_GET_HTAB_FD => {
                // The first round gives everything.
                let mut s = self.get();
                s.changed = s.table.keys().copied().collect();
            }
            Arg::Value(kind) if *op == sys::CREATE_VM => {
                if kind == sys::VM_HV && !self.is.hv {
                    return Err(libc::EINVAL);
                }
                self.get().smt = self.is.smt;
            }
            Arg::Value(_)
            | Arg::None
            | Arg::Bytes(_)
            | Arg::OneReg { .. }
            | Arg::Memory { .. }
            | Arg::Dirty { .. }
            | Arg::Device { .. }
            | Arg::Attr { .. } => {}
        }
        let fd = self.descriptor()?;
        if *op == sys::CREATE_VCPU {
            let mut s = self.get();
            s.last = fd.as_raw_fd();
            s.vcpus.insert(fd.as_raw_fd(), Vcpu::default());
        }
        Ok(fd)
    }

    fn read(&self, _: BorrowedFd<'_>, to: &mut [u8]) -> Result<usize, Errno> {
        self.enter(READ)?;
        let mut s = self.get();
        let mut n = 0;
        for index in std::mem::take(&mut s.changed) {
            let entry = s.table.get(&index);
            to[n..n + 4].copy_from_slice(&index.to_ne_bytes());
            to[n + 4..n + 6].copy_from_slice(&u16::from(entry.is_some()).to_ne_bytes());
            to[n + 6..n + 8].copy_from_slice(&u16::from(entry.is_none()).to_ne_bytes());
            n += 8;
            if let Some([v, r]) = entry {
                to[n..n + 8].copy_from_slice(&v.to_be_bytes());
                to[n + 8..n + 16].copy_from_slice(&r.to_be_bytes());
                n += 16;
            }
        }
        Ok(n)
    }

    fn write(&self, _: BorrowedFd<'_>, from: &[u8]) -> Result<usize, Errno> {
        self.enter(WRITE)?;
        let mut s = self.get();
        let (header, entries) = from.split_first_chunk::<8>().ok_or(libc::EINVAL)?;
        let first = u32::from_ne_bytes(std::array::from_fn(|k| header[k]));
        for (n, entry) in entries.as_chunks::<16>().0.iter().enumerate() {
            let [v, r] = [0, 8].map(|at| u64::from_be_bytes(std::array::from_fn(|k| entry[at + k])));
            if v & 1 == 0 {
                return Err(libc::EINVAL);
            }
            s.table.insert(first + n as u32, [v, r]);
        }
        Ok(from.len())
    }

    fn map(&self, vcpu: BorrowedFd<'_>, bytes: usize) -> Result<RunPage, Errno> {
        RunPage::new(Some(vcpu), bytes)
    }

    fn timebase(&self) -> u64 {
        crate::accel::kvm::ioctl::Host.timebase()
    }
}
