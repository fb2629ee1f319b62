//! One virtual machine in the kernel.

use crate::accel::Parts;
use crate::accel::kvm::ioctl::Arg;
use crate::accel::kvm::ioctl::Errno;
use crate::accel::kvm::ioctl::Kernel;
use crate::accel::kvm::ioctl::bytes;
use crate::accel::kvm::irqchip::Chip;
use crate::accel::kvm::line::Line;
use crate::accel::kvm::probe;
use crate::accel::kvm::probe::Facts;
use crate::accel::kvm::refused;
use crate::accel::kvm::refused_for;
use crate::accel::kvm::sys;
use crate::accel::kvm::sys::Op;
use crate::accel::kvm::table;
use crate::accel::kvm::table::Reader;
use crate::accel::kvm::table::Until;
use crate::accel::kvm::vcpu::KvmVcpu;
use crate::clock;
use crate::clock::VirtualClock;
use crate::error::Result;
use crate::memory::FLAG_SHIFT;
use crate::memory::GuestMemory;
use crate::memory::Outside;
use crate::memory::PageSet;
use crate::mmu::partition::HostTables;
use crate::mmu::partition::Resize;
use crate::mmu::partition::Translation;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// log2 of the granule of timebase offsets.
const TB_SHIFT: u32 = 24;

/// A virtual machine. It lives until its last vCPU is gone, and RAM lives as long.
pub struct KvmVm {
    pub(super) kernel: Arc<dyn Kernel>,
    dev: OwnedFd,
    pub(super) fd: OwnedFd,
    facts: Facts,
    /// RAM that the kernel has been given the address of.
    memory: Mutex<Option<Arc<GuestMemory>>>,
    /// Where the hash table is read from, once somebody has asked for it.
    table: Mutex<Option<Reader>>,
    /// For the clock's present start: the host's timebase then, less the clock's ticks.
    base: Mutex<Option<(Instant, u64)>>,
    /// The interrupt controller that the kernel keeps, if it keeps one.
    pub(super) chip: OnceLock<Chip>,
    /// The latest timebase (the host's plus offset) that any vCPU can have seen.
    seen: AtomicU64,
}

impl KvmVm {
    /// An empty machine.
    ///
    /// # Errors
    /// There is no KVM, or it refuses.
    pub fn new(kernel: Arc<dyn Kernel>) -> Result<KvmVm> {
        let facts = probe::facts(&*kernel)?;
        let dev = kernel.open().map_err(super::no_device)?;
        let (fd, _) = probe::create_vm(&*kernel, &dev)?;
        Ok(KvmVm {
            kernel,
            dev,
            fd,
            facts,
            memory: Mutex::default(),
            table: Mutex::default(),
            base: Mutex::default(),
            chip: OnceLock::new(),
            seen: AtomicU64::new(0),
        })
    }

    /// What the kernel offers.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The spacing of vcpu ids now.
    pub fn smt(&self) -> u32 {
        probe::capability(&*self.kernel, &self.fd, sys::CAP_PPC_SMT).max(1)
    }

    /// Asks for a spacing of vcpu ids. To be called before there is a vCPU.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn set_smt(&self, mode: u32) -> std::result::Result<(), Errno> {
        self.enable(&self.fd, sys::CAP_PPC_SMT, [u64::from(mode), 0, 0, 0])
    }

    /// Gives the guest a capability that the kernel has, and gives only when told so. To be called before there is a vCPU.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn switch_on(&self, (cap, args): (u32, [u64; 2])) -> std::result::Result<(), Errno> {
        self.enable(&self.fd, cap, [args[0], args[1], 0, 0])
    }

    pub(super) fn enable(&self, fd: &OwnedFd, cap: u32, args: [u64; 4]) -> std::result::Result<(), Errno> {
        let mut enable = sys::EnableCap { cap, flags: 0, args, pad: [0; 8] };
        self.kernel.call(fd.as_fd(), &sys::ENABLE_CAP, Arg::Bytes(bytes(&mut enable))).map(drop)
    }

    /// Gives the guest its RAM. From now on the kernel has a part in its dirty log.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn set_memory(self: &Arc<Self>, memory: &Arc<GuestMemory>) -> Result<()> {
        self.region(memory, 0)?;
        memory.set_outside(Box::new(Ram(Arc::downgrade(self))));
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = Some(memory.clone());
        Ok(())
    }

    fn region(&self, memory: &GuestMemory, flags: u32) -> Result<()> {
        self.call(&sys::SET_USER_MEMORY_REGION, Arg::Memory { slot: 0, flags, memory })
    }

    /// Has the kernel note from now on which pages the guest writes.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn start_dirty_log(&self) -> Result<()> {
        self.flags(sys::MEM_LOG_DIRTY_PAGES)
    }

    /// The kernel notes no longer which pages are written.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn stop_dirty_log(&self) -> Result<()> {
        self.flags(0)
    }

    fn flags(&self, flags: u32) -> Result<()> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone();
        memory.map_or(Ok(()), |memory| self.region(&memory, flags))
    }

    /// The pages written since the last call: one bit for each page of the host's.
    ///
    /// # Errors
    /// The kernel refuses, or notes nothing.
    pub fn take_dirty(&self) -> Result<Vec<u64>> {
        let bytes = self.memory.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, |m| m.size());
        let pages = bytes.div_ceil(self.facts.page);
        let mut bitmap = vec![0; pages.div_ceil(64) as usize];
        self.call(&sys::GET_DIRTY_LOG, Arg::Dirty { slot: 0, bitmap: &mut bitmap })?;
        Ok(bitmap)
    }

    /// A vCPU, with its id as the guest has it.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn vcpu(self: &Arc<Self>, parts: Parts) -> Result<KvmVcpu> {
        let create = &sys::CREATE_VCPU;
        let id = parts.id.0;
        let fd = self.kernel.create(self.fd.as_fd(), create, Arg::Value(u64::from(id)));
        let fd = fd.map_err(|e| refused_for(create, e, &format!(" (vcpu id {id})")))?;
        let size = &sys::GET_VCPU_MMAP_SIZE;
        let bytes = self.kernel.call(self.dev.as_fd(), size, Arg::None).map_err(|e| refused(size, e))?;
        let page = self.kernel.map(fd.as_fd(), bytes.max(0) as usize).map_err(|e| refused(size, e))?;
        self.enable(&fd, sys::CAP_PPC_PAPR, [0; 4]).map_err(|e| refused(&sys::ENABLE_CAP, e))?;
        let line = Arc::new(Line::new(self.kernel.clone(), fd, page));
        self.connect(&line, parts.id)?;
        Ok(KvmVcpu::new(self.clone(), line, parts))
    }

    fn call(&self, op: &'static Op, arg: Arg<'_>) -> Result<()> {
        self.kernel.call(self.fd.as_fd(), op, arg).map(drop).map_err(|e| refused(op, e))
    }

    /// For the clock's present start, the host's timebase then less the clock's ticks: the same for every vCPU. `None`: the clock stands.
    pub(super) fn base(&self, clock: &VirtualClock) -> Option<u64> {
        let (start, _) = clock.origin()?;
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        match *base {
            Some((then, base)) if then == start => Some(base),
            Some(_) | None => {
                let now = self.kernel.timebase().wrapping_sub(clock::ticks(clock.now()));
                *base = Some((start, now));
                Some(now)
            }
        }
    }

    /// The kernel's timebase offset for a guest's, given the base: no less, a multiple of what it rounds to, and no step back.
    pub(super) fn offset(&self, base: u64, tb_offset: u64) -> u64 {
        let exact = tb_offset.wrapping_sub(base);
        let granule = 1u64 << TB_SHIFT;
        let up = |v: u64| v.wrapping_add(granule - 1) & !(granule - 1);
        let last = self.seen.load(Ordering::SeqCst);
        let behind = (last.wrapping_sub(self.kernel.timebase().wrapping_add(exact)) as i64).max(0) as u64;
        // Only what the clocks drifted apart while the machine ran; a guest that was set back on purpose may go back.
        up(exact.wrapping_add(if behind < clock::TIMEBASE_HZ { behind } else { 0 }))
    }

    /// A vCPU with this offset has left guest code.
    pub(super) fn note_time(&self, offset: u64) {
        self.seen.store(self.kernel.timebase().wrapping_add(offset), Ordering::SeqCst);
    }
}

/// The kernel's part in the dirty log of RAM.
struct Ram(Weak<KvmVm>);

impl Outside for Ram {
    fn start(&self, _: &GuestMemory) -> Result<()> {
        self.0.upgrade().map_or(Ok(()), |vm| vm.start_dirty_log())
    }

    fn take(&self, _: &GuestMemory, into: &mut PageSet) -> Result<()> {
        let Some(vm) = self.0.upgrade() else { return Ok(()) };
        let ours = (vm.facts.page >> FLAG_SHIFT).max(1);
        for (n, word) in vm.take_dirty()?.into_iter().enumerate() {
            let mut left = word;
            while left != 0 {
                let page = n as u64 * 64 + u64::from(left.trailing_zeros());
                (page * ours..(page + 1) * ours).for_each(|page| into.insert(page));
                left &= left - 1;
            }
        }
        Ok(())
    }

    fn stop(&self, _: &GuestMemory) -> Result<()> {
        self.0.upgrade().map_or(Ok(()), |vm| vm.stop_dirty_log())
    }
}

/// The copy of a hash table is brought up to date when its dirty log is asked for.
struct Table(Weak<KvmVm>);

impl Outside for Table {
    fn start(&self, copy: &GuestMemory) -> Result<()> {
        self.0.upgrade().map_or(Ok(()), |vm| vm.read_table(copy, Until::End))
    }

    fn take(&self, copy: &GuestMemory, _: &mut PageSet) -> Result<()> {
        self.0.upgrade().map_or(Ok(()), |vm| vm.read_table(copy, Until::End))
    }

    fn stop(&self, _: &GuestMemory) -> Result<()> {
        Ok(())
    }
}

impl KvmVm {
    fn read_table(&self, copy: &GuestMemory, until: Until) -> Result<()> {
        let mut reader = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let from = match reader.take() {
            Some(open) => open,
            None => Reader::open(&*self.kernel, self.fd.as_fd())?,
        };
        from.read(&*self.kernel, copy, until)?;
        *reader = Some(from);
        Ok(())
    }

    fn resize(&self, op: &'static Op, shift: u32) -> std::result::Result<i32, Errno> {
        let mut how = sys::ResizeHpt { flags: 0, shift, pad: 0 };
        self.kernel.call(self.fd.as_fd(), op, Arg::Bytes(bytes(&mut how)))
    }
}

/// What the kernel says of resizing (`Documentation/virt/kvm/api.rst`).
fn why(errno: Errno) -> Resize {
    match errno {
        libc::EINVAL => Resize::Parameter,
        libc::ENOMEM => Resize::NoMemory,
        libc::ENXIO => Resize::NothingPrepared,
        libc::EBUSY => Resize::NotReady,
        libc::ENOSPC => Resize::Full,
        _ => Resize::Failed,
    }
}

impl HostTables for KvmVm {
    fn can_hash(&self) -> bool {
        self.facts.hash
    }

    fn new_hash_table(&self, shift: u32) -> Result<()> {
        let mut order = shift;
        // What the file gave was of the old table.
        *self.table.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.call(&sys::PPC_ALLOCATE_HTAB, Arg::Bytes(bytes(&mut order)))?;
        if order == shift { Ok(()) } else { Err(refused(&sys::PPC_ALLOCATE_HTAB, libc::ENOMEM)) }
    }

    fn outside(self: Arc<Self>) -> Box<dyn Outside> {
        Box::new(Table(Arc::downgrade(&self)))
    }

    fn fetch(&self, copy: &GuestMemory) -> Result<()> {
        self.read_table(copy, Until::Quiet)
    }

    fn fill(&self, copy: &GuestMemory) -> Result<()> {
        *self.table.lock().unwrap_or_else(PoisonError::into_inner) = None;
        table::write(&*self.kernel, self.fd.as_fd(), copy)
    }

    fn can_resize(&self) -> bool {
        self.facts.resize_hpt
    }

    fn prepare(&self, shift: u32) -> std::result::Result<Duration, Resize> {
        match self.resize(&sys::PPC_RESIZE_HPT_PREPARE, shift) {
            Ok(ms) => Ok(Duration::from_millis(u64::from(ms.unsigned_abs()))),
            Err(errno) => Err(why(errno)),
        }
    }

    fn commit(&self, shift: u32) -> std::result::Result<(), Resize> {
        self.resize(&sys::PPC_RESIZE_HPT_COMMIT, shift).map_err(why)?;
        *self.table.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    fn configure(&self, by: Translation, process_table: u64) -> Result<()> {
        let (flags, radix) = match by {
            Translation::Hash => (0, 0),
            Translation::Radix => (sys::MMUV3_RADIX, sys::PATB_GR),
            Translation::RadixGtse => (sys::MMUV3_RADIX | sys::MMUV3_GTSE, sys::PATB_GR),
        };
        let mut config = sys::MmuV3 { flags, process_table: process_table | radix };
        let op = &sys::PPC_CONFIGURE_V3_MMU;
        match self.kernel.call(self.fd.as_fd(), op, Arg::Bytes(bytes(&mut config))) {
            // Before ISA 3.0 there is nothing to choose.
            Err(libc::ENODEV) if by == Translation::Hash => Ok(()),
            Err(e) => Err(refused(op, e)),
            Ok(_) => Ok(()),
        }
    }
}
