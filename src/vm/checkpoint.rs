//! Checkpoints: a machine's state in a file, and machines made from one.
//!
//! The file is a stream (`state::stream`): header, sections, then RAM and hash tables without what is zero. The machine stands while it is written. A machine
//! is made from the settings in the file, compared with the header by the rules that any migration follows, and becomes visible only when the last
//! byte was found good. Memory is copied and not mapped: a file that somebody else shortens or writes must not be able to harm a running machine.

use crate::accel::AccelKind;
use crate::error::Error;
use crate::error::Result;
use crate::memory::GuestMemory;
use crate::spapr::boot::ImageStore;
use crate::spapr::saved::Tables;
use crate::spapr::saved::header::Header;
use crate::spapr::saved::settings::SavedSettings;
use crate::spapr::spec::MachineSpec;
use crate::spapr::spec::Settings;
use crate::spapr::spec::check;
use crate::state::Bad;
use crate::state::Sections;
use crate::state::behind::Behind;
use crate::state::bulk::Compression;
use crate::state::file::Durability;
use crate::state::file::NewFile;
use crate::state::refusal;
use crate::state::stream::Frame;
use crate::state::stream::StreamReader;
use crate::state::stream::StreamWriter;
use crate::units::Ra;
use crate::vm::Options;
use crate::vm::Shared;
use crate::vm::Vm;
use crate::vm::saved::HPT;
use crate::vm::saved::HPT_PREPARED;
use crate::vm::saved::Large;
use crate::vm::saved::RAM;
use crate::vm::saved::SavedImages;
use crate::vm::saved::SavedMachine;
use crate::vm::saved::check_description;
use std::fs::File;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Bytes read at a time.
const BUFFER: usize = 1 << 20;

/// Chooses what runs a machine of these settings, and checks it for that.
pub type Choose<'a> = &'a dyn Fn(&Settings) -> Result<(AccelKind, MachineSpec)>;

fn on(accel: AccelKind) -> impl Fn(&Settings) -> Result<(AccelKind, MachineSpec)> {
    move |settings| Ok((accel, check(settings)?))
}

/// How a checkpoint is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckpointOptions {
    /// Of memory.
    pub compression: Compression,
    /// When the file counts as written.
    pub durability: Durability,
}

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checkpointed {
    /// Bytes of memory that were not zero.
    pub memory_bytes: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
}

/// Counts what goes through.
struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// Writes a machine's state as one stream; gives the writer back, and how many bytes of memory it holds.
///
/// # Errors
/// The writer's own.
pub fn write_stream<W: Write>(out: W, saved: &SavedMachine, memory: &[Large], compression: Compression) -> Result<(W, u64)> {
    let host = |source: std::io::Error| Error::Host { doing: "write a saved state".into(), source };
    let mut to = StreamWriter::new(out, &saved.header).map_err(host)?;
    for section in &saved.sections {
        to.section(section).map_err(host)?;
    }
    let mut bytes = 0;
    for (name, memory) in memory {
        memory.for_each_data(|at, data| {
            bytes += data.len() as u64;
            to.chunk(name, 0, at.0, data, compression).map_err(host)
        })?;
    }
    Ok((to.finish().map_err(host)?, bytes))
}

impl Vm {
    /// Writes the machine's state to a file, which takes the place of an old one only when it is complete. A machine that runs stands still meanwhile, and
    /// then runs on, whatever became of the file.
    ///
    /// # Errors
    /// The file cannot be written, or the machine is closed.
    pub fn save_checkpoint(&self, path: &Path, options: CheckpointOptions) -> Result<Checkpointed> {
        let host = |source: std::io::Error| Error::Host { doing: format!("checkpoint: write {}", path.display()), source };
        let name = |e: Error| if let Error::Host { source, .. } = e { host(source) } else { e };
        let file = NewFile::create(path).map_err(host)?;
        self.shared.while_settled("save_checkpoint", |held| {
            let saved = self.shared.save(held)?;
            let out = Behind::new(Counted { inner: file, bytes: 0 }).map_err(host)?;
            let (out, memory_bytes) = write_stream(out, &saved, &self.shared.large_memory(), options.compression).map_err(name)?;
            let Counted { inner, bytes } = out.finish().map_err(host)?;
            inner.complete(options.durability).map_err(host)?;
            Ok(Checkpointed { memory_bytes, file_bytes: bytes })
        })
    }

    /// Makes a machine from a checkpoint, run by `accel`. It stands until it is resumed.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or holds a machine that cannot be made here; what is wrong is named by section and field, and there is no machine.
    pub fn load_checkpoint(path: &Path, accel: AccelKind) -> Result<Vm> {
        Vm::load_checkpoint_on(path, &on(accel))
    }

    /// As [`Vm::load_checkpoint`], where the settings in the file decide about the accelerator.
    ///
    /// # Errors
    /// As there, and those of `choose`.
    pub fn load_checkpoint_on(path: &Path, choose: Choose<'_>) -> Result<Vm> {
        let file = File::open(path).map_err(|source| Error::Host { doing: format!("checkpoint: read {}", path.display()), source })?;
        Vm::load_from(BufReader::with_capacity(BUFFER, file), choose)
    }

    /// As [`Vm::load_checkpoint`], from any reader.
    ///
    /// # Errors
    /// As there.
    pub fn load_stream(input: impl Read, accel: AccelKind) -> Result<Vm> {
        Vm::load_from(input, &on(accel))
    }

    fn load_from(input: impl Read, choose: Choose<'_>) -> Result<Vm> {
        let mut from = StreamReader::open(input)?;
        let header: Header = from.header().unpack()?;
        let mut sections = Sections::default();
        let mut building: Option<Building> = None;
        while let Some(frame) = from.next_frame()? {
            match frame {
                Frame::Section(section) if building.is_none() => sections.add(section)?,
                Frame::Section(section) => {
                    return Err(refusal(section.title(), Bad::new("it stands behind the memory, where no section belongs")));
                }
                Frame::Chunk { name, instance, address, data } => {
                    let machine = match &mut building {
                        Some(machine) => machine,
                        none => none.insert(Building::new(&header, &sections, choose)?),
                    };
                    machine.chunk(name, instance, address, data)?;
                }
            }
        }
        from.at_end()?;
        match building {
            Some(machine) => machine.finish(),
            None => Building::new(&header, &sections, choose)?.finish(),
        }
    }
}

/// A machine on the way from its stream.
struct Building {
    shared: Arc<Shared>,
    memory: Vec<Place>,
}

/// Memory that is being filled.
struct Place {
    name: &'static str,
    memory: Arc<GuestMemory>,
    /// Chunks come in order, so each byte comes once.
    filled: u64,
}

impl Building {
    /// A machine of these sections, its memory still empty.
    fn new(header: &Header, sections: &Sections, choose: Choose<'_>) -> Result<Building> {
        let settings = Settings::from(sections.take::<SavedSettings>(0)?);
        let images: SavedImages = sections.take(0)?;
        let (accel, spec) = choose(&settings)?;
        let memory = Arc::new(GuestMemory::new(spec.ram)?);
        let shared = Shared::build(spec, Options { accel, ..Options::default() }, Arc::new(ImageStore::expecting(images.digest)), memory)?;
        check_description(header, &shared.describe())?;
        let held = shared.settle("load a checkpoint")?;
        shared.load(&held, sections, Tables::empty)?;
        drop(held);
        let memory = shared.large_memory().into_iter().map(|(name, memory)| Place { name, memory, filled: 0 }).collect();
        Ok(Building { shared, memory })
    }

    fn chunk(&mut self, name: &str, instance: u32, address: u64, data: &[u8]) -> Result<()> {
        let place = self.memory.iter_mut().find(|place| place.name == name && instance == 0);
        let Some(place) = place else {
            let known = [RAM, HPT, HPT_PREPARED].contains(&name);
            let problem = if known { "this machine has no such memory" } else { "this spapr does not know it" };
            return Err(refusal(name, Bad::field("chunk", problem)));
        };
        if address < place.filled {
            return Err(refusal(name, Bad::field("chunk.address", format!("{address:#x} was there already"))));
        }
        if place.memory.write(Ra(address), data).is_err() {
            let problem = format!("{} bytes at {address:#x} lie beyond its {:#x} bytes", data.len(), place.memory.size());
            return Err(refusal(name, Bad::field("chunk.address", problem)));
        }
        place.filled = address + data.len() as u64;
        Ok(())
    }

    fn finish(self) -> Result<Vm> {
        self.shared.partition.enter_hpt()?;
        Vm::with_threads(self.shared)
    }
}
