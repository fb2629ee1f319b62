//! Loading what the user gave: kernel, initial RAM disk, and the flattened tree for who wants one.
//!
//! Files are read before anything is placed, every number of an ELF header is checked against the file and against RAM, and nothing is allocated by a header's
//! say-so. Placement follows QEMU: the kernel 4 MiB up, the RAM disk behind it, the tree at the top of what firmware may use.

use crate::error::Error;
use crate::error::Result;
use crate::fdt::Tree;
use crate::memory::GuestMemory;
use crate::spapr::devtree::ByteOrder;
use crate::spapr::devtree::Loaded;
use crate::spapr::layout;
use crate::spapr::spec::MachineSpec;
use crate::units::Ra;
use object::Endianness;
use object::elf;
use object::read::elf::FileHeader;
use object::read::elf::ProgramHeader;
use std::path::Path;

mod store;

pub use store::Files;
pub use store::ImageStore;

/// A kernel as read from its file, with its segments placed.
pub struct Kernel {
    /// Where execution begins.
    pub entry: u64,
    /// First byte used and bytes used, from the first segment to the last.
    pub extent: (u64, u64),
    /// Byte order of the image (interrupts and entry are big-endian all the same).
    pub order: ByteOrder,
    segments: Vec<Segment>,
}

struct Segment {
    at: u64,
    bytes: Vec<u8>,
    memory_bytes: u64,
}

fn refuse(setting: &str, path: &Path, problem: impl std::fmt::Display, hint: &str) -> Error {
    Error::Boot { setting: setting.into(), problem: format!("{}: {problem}", path.display()), hint: hint.into() }
}

const WANT_ELF: &str = "give an uncompressed 64-bit PowerPC ELF (vmlinux, not zImage or a raw image)";

impl Kernel {
    /// Checks a 64-bit PowerPC ELF, given whole; its physical addresses are taken modulo 256 MiB and moved to `base`. The error is the problem as text.
    pub fn parse(file: &[u8], base: u64, ram: u64) -> std::result::Result<Kernel, String> {
        let ident = file.get(..16).ok_or_else(|| format!("is only {} bytes long", file.len()))?;
        if ident[..4] != elf::ELFMAG {
            return Err("is not an ELF file".into());
        }
        if ident[4] != elf::ELFCLASS64.0 {
            return Err("is a 32-bit ELF file".into());
        }
        let header = elf::FileHeader64::<Endianness>::parse(file).map_err(|e| format!("has a damaged ELF header ({e})"))?;
        let endian = header.endian().map_err(|e| format!("has a damaged ELF header ({e})"))?;
        let machine = header.e_machine(endian);
        if machine != elf::EM_PPC64 {
            return Err(format!("is for another machine (e_machine {machine}, 64-bit PowerPC is {})", elf::EM_PPC64));
        }
        let kind = header.e_type(endian);
        if kind != elf::ET_EXEC && kind != elf::ET_DYN {
            return Err(format!("is not an executable (e_type {kind})"));
        }
        let headers = header.program_headers(endian, file).map_err(|e| format!("has program headers outside the file ({e})"))?;
        let loaded = || headers.iter().filter(|h| h.p_type(endian) == elf::PT_LOAD);
        if loaded().fold(0, |sum: u64, h| sum.saturating_add(h.p_filesz(endian))) > file.len() as u64 {
            return Err(format!("is cut short, or its segments overlap: they want more than its {:#x} bytes", file.len()));
        }
        let mut segments = Vec::new();
        for h in loaded() {
            segments.push(Segment::read(h, endian, file, base, ram)?);
        }
        let sum = |of: fn(&Segment) -> u64| segments.iter().fold(0, |sum: u64, s| sum.saturating_add(of(s)));
        if sum(|s| s.memory_bytes) > ram {
            return Err(format!("has segments that add up to more than the machine's {ram:#x} bytes of RAM"));
        }
        let start = segments.iter().map(|s| s.at).min().ok_or("has no segment to load")?;
        let end = segments.iter().map(|s| s.at + s.memory_bytes).max().unwrap_or(start);
        let entry = (header.e_entry(endian) & layout::KERNEL_MASK) + base;
        if !(start..end).contains(&entry) || !entry.is_multiple_of(4) {
            return Err(format!("has its entry point {:#x} outside its segments", header.e_entry(endian)));
        }
        let order = match endian {
            Endianness::Little => ByteOrder::Little,
            Endianness::Big => ByteOrder::Big,
        };
        Ok(Kernel { entry, extent: (start, end - start), order, segments })
    }

    /// Writes the segments.
    pub fn place(&self, memory: &GuestMemory) {
        for s in &self.segments {
            memory.write(Ra(s.at), &s.bytes).expect("segments were checked against RAM");
            let rest = s.memory_bytes - s.bytes.len() as u64;
            memory.fill(Ra(s.at + s.bytes.len() as u64), rest, 0).expect("segments were checked against RAM");
        }
    }
}

impl Segment {
    fn read(
        h: &elf::ProgramHeader64<Endianness>,
        endian: Endianness,
        file: &[u8],
        base: u64,
        ram: u64,
    ) -> std::result::Result<Segment, String> {
        let (offset, in_file, in_memory) = (h.p_offset(endian), h.p_filesz(endian), h.p_memsz(endian));
        let bytes = offset
            .checked_add(in_file)
            .and_then(|end| file.get(usize::try_from(offset).ok()?..usize::try_from(end).ok()?))
            .ok_or_else(|| format!("is cut short: a segment wants {in_file:#x} bytes from offset {offset:#x} of {:#x}", file.len()))?;
        if in_memory < in_file {
            return Err(format!("has a segment with p_memsz {in_memory:#x} below p_filesz {in_file:#x}"));
        }
        let at = (h.p_paddr(endian) & layout::KERNEL_MASK) + base;
        if at.checked_add(in_memory).is_none_or(|end| end > ram) {
            return Err(format!("has a segment of {in_memory:#x} bytes at {at:#x}, beyond the machine's {ram:#x} bytes of RAM"));
        }
        Ok(Segment { at, bytes: bytes.to_vec(), memory_bytes: in_memory })
    }
}

/// The images of a machine, placed at every reset.
#[derive(Default)]
pub struct Images {
    kernel: Option<Kernel>,
    initrd: Option<Vec<u8>>,
    initrd_at: u64,
}

impl Images {
    /// Reads the files that the spec names and decides where they go.
    ///
    /// # Errors
    /// A file cannot be read, is no kernel, or there is no room for it.
    pub fn read(spec: &MachineSpec, files: &Files) -> Result<Images> {
        let Some(file) = &files.kernel else { return Ok(Images::default()) };
        let path = &file.path;
        let kernel =
            Kernel::parse(&file.bytes()?, spec.kernel_addr, spec.ram).map_err(|problem| refuse("kernel", path, problem, WANT_ELF))?;
        let limit = firmware_end(spec);
        let (start, end) = (kernel.extent.0, kernel.extent.0 + kernel.extent.1);
        let room = limit - layout::FIRMWARE_OVERHEAD;
        if end > room {
            let problem = format!("ends at {end:#x}; in the real mode area of {limit:#x} bytes there is room up to {room:#x}");
            return Err(refuse("kernel", path, problem, "give the machine (and its first NUMA node) more memory"));
        }
        if start < layout::FIRMWARE_LOW {
            let problem = format!("begins at {start:#x}; firmware has the first {:#x} bytes", layout::FIRMWARE_LOW);
            return Err(refuse("kernel", path, problem, "use kernel_addr=0x400000 or leave it out"));
        }
        let mut images = Images { kernel: Some(kernel), ..Images::default() };
        if let Some(file) = &files.initrd {
            let (path, bytes) = (&file.path, file.bytes()?);
            images.initrd_at = (end + 0x1_ffff) & !0xffff;
            let room = limit.saturating_sub(layout::FIRMWARE_OVERHEAD).saturating_sub(images.initrd_at);
            if bytes.len() as u64 > room {
                let problem =
                    format!("has {:#x} bytes; behind the kernel, at {:#x}, there is room for {room:#x}", bytes.len(), images.initrd_at);
                return Err(refuse(
                    "initrd",
                    path,
                    problem,
                    "give the machine (and its first NUMA node) more memory, or use a smaller RAM disk",
                ));
            }
            images.initrd = Some(bytes);
        }
        Ok(images)
    }

    /// Writes kernel and RAM disk into fresh RAM.
    pub fn place(&self, memory: &GuestMemory) -> Loaded {
        if let Some(k) = &self.kernel {
            k.place(memory);
        }
        if let Some(i) = &self.initrd {
            memory.write(Ra(self.initrd_at), i).expect("the RAM disk was checked against RAM");
        }
        Loaded {
            kernel: self.kernel.as_ref().map(|k| (k.extent.0, k.extent.1, k.order)),
            initrd: self.initrd.as_ref().map(|i| (self.initrd_at, i.len() as u64)),
        }
    }

    /// BLAKE3 of all that is placed, and where.
    fn digest(&self) -> [u8; 32] {
        let mut hash = blake3::Hasher::new();
        let mut part = |at: u64, bytes: &[u8], memory_bytes: u64| {
            for n in [at, bytes.len() as u64, memory_bytes] {
                hash.update(&n.to_be_bytes());
            }
            hash.update(bytes);
        };
        if let Some(kernel) = &self.kernel {
            part(kernel.entry, &[], kernel.segments.len() as u64);
            kernel.segments.iter().for_each(|s| part(s.at, &s.bytes, s.memory_bytes));
        }
        if let Some(initrd) = &self.initrd {
            part(self.initrd_at, initrd, 0);
        }
        *hash.finalize().as_bytes()
    }

    /// Where the first vCPU begins.
    pub fn entry(&self) -> Option<u64> {
        self.kernel.as_ref().map(|k| k.entry)
    }
}

/// End of the memory that firmware uses.
fn firmware_end(spec: &MachineSpec) -> u64 {
    spec.rma.min(layout::FIRMWARE_MAX)
}

/// Where RTAS goes for guests that are entered without firmware: the bottom of the room that kernel and RAM disk leave.
pub fn rtas_address(spec: &MachineSpec) -> u64 {
    firmware_end(spec) - layout::FIRMWARE_OVERHEAD
}

/// Writes the flattened tree to the top of firmware's memory; gives its address and the bytes set aside for it: QEMU's 2 MiB, or more for machines of
/// thousands of vcpus (where QEMU gives up).
pub fn place_tree(spec: &MachineSpec, memory: &GuestMemory, tree: &Tree) -> (u64, u64) {
    let blob = tree.to_dtb();
    let room = (blob.len() as u64).next_multiple_of(layout::FDT_ROOM);
    assert!(room < layout::FIRMWARE_OVERHEAD - layout::RTAS_ROOM, "the largest machine's tree has a few MiB, this one {}", blob.len());
    let at = firmware_end(spec) - room;
    memory.write(Ra(at), &blob).expect("the RMA is at least 128 MiB");
    (at, room)
}

#[cfg(test)]
mod tests;
