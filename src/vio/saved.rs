//! The stored forms of terminals and NVRAM. Input that waits at the host end belongs to the guest and is saved; what the guest said belongs to who read it, and is not.

use crate::dev::chardev::INPUT_MAX;
use crate::state::Bad;
use crate::state::Bytes;
use crate::state::saved;
use crate::vio::nvram::Nvram;
use crate::vio::vty::FIFO_BYTES;
use crate::vio::vty::Vty;
use crate::vio::vty::VtyState;

saved! {
    /// A virtual terminal; the instance is its unit address.
    SavedVty = "vty" version 1 {
        /// Waiting bytes, oldest first.
        0 fifo: Bytes,
        /// Input that the terminal had no room for yet.
        1 typed: Bytes,
    }
    /// Non-volatile memory.
    SavedNvram = "nvram" version 1 {
        /// All of it.
        0 bytes: Bytes,
    }
}

impl Vty {
    /// A copy of all state.
    pub fn save(&self) -> SavedVty {
        SavedVty { fifo: Bytes(self.state.fifo[..self.state.len].to_vec()), typed: Bytes(self.chardev().input()) }
    }

    /// Becomes what was saved.
    ///
    /// # Errors
    /// It does not fit; nothing is changed.
    pub fn restore(&mut self, from: &SavedVty) -> Result<(), Bad> {
        let len = from.fifo.0.len();
        if len > FIFO_BYTES {
            return Err(Bad::field("fifo", format!("{len} bytes are more than {FIFO_BYTES}")));
        }
        if from.typed.0.len() > INPUT_MAX {
            return Err(Bad::field("typed", format!("{} bytes are more than {INPUT_MAX}", from.typed.0.len())));
        }
        self.state = VtyState { len, ..VtyState::default() };
        self.state.fifo[..len].copy_from_slice(&from.fifo.0);
        self.chardev().set_input(&from.typed.0);
        Ok(())
    }
}

impl Nvram {
    /// A copy of all state.
    pub fn save(&self) -> SavedNvram {
        SavedNvram { bytes: Bytes(self.bytes().to_vec()) }
    }

    /// Becomes what was saved.
    ///
    /// # Errors
    /// It has another size; nothing is changed.
    pub fn restore(&mut self, from: &SavedNvram) -> Result<(), Bad> {
        let (here, there) = (self.bytes().len(), from.bytes.0.len());
        if here != there {
            let bad = Bad::field("bytes", format!("there are {there} bytes, and this machine has {here}"));
            return Err(bad.advising("use the nvram_bytes of the machine that was saved"));
        }
        self.store(0, &from.bytes.0).map_err(|_| Bad::field("bytes", "they do not fit"))
    }
}
