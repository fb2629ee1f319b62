//! Saved state: the format's golden files, machines saved and made again, forks, checkpoints, and streams that somebody spoiled.

mod checkpoint;
mod hostile;
mod machine;
mod schema;

use crate::embedded::Guest;
use spapr::accel::AccelKind;
use spapr::state::bulk::Compression;
use spapr::vm::Vm;
use spapr::vm::checkpoint::write_stream;

impl Guest {
    /// The state of a paused machine as a stream.
    fn stream(&self, compression: Compression) -> Vec<u8> {
        let saved = self.vm.save().unwrap();
        write_stream(Vec::new(), &saved, &self.vm.large_memory(), compression).unwrap().0
    }

    /// A machine made from a stream.
    fn from_stream(bytes: &[u8]) -> spapr::error::Result<Guest> {
        Vm::load_stream(bytes, AccelKind::software()).map(Guest::of)
    }
}
