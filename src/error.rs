//! What a *user* can act on.
//!
//! Three kinds of failure never mix. The guest's are architected (`spapr::hcall::H`, RTAS status words, interrupts) and never
//! reach this type. Ours are assertions. Everything here is for the person who wrote the configuration: it names the setting,
//! says what is wrong with its value, and what to write instead.

/// A refusal addressed to the user. Every variant's text is `<setting>: <what is wrong, with the value>; <what to write instead>`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting has a value that cannot work.
    #[error("{setting}: {problem}; {hint}")]
    Config {
        /// The setting as the user writes it, e.g. `vsmt` or `caps["htm"]`.
        setting: String,
        /// What is wrong, with the value.
        problem: String,
        /// What to write instead.
        hint: String,
    },
    /// The accelerator cannot run this machine on this host.
    #[error("accel: {accel} cannot run this machine: {problem}; {hint}")]
    Accel {
        /// Which accelerator, as the user names it.
        accel: String,
        /// What was found.
        problem: String,
        /// What to use instead.
        hint: String,
    },
    /// A kernel, initrd or firmware image cannot be loaded.
    #[error("{setting}: {problem}; {hint}")]
    Boot {
        /// The setting that named the file, e.g. `kernel`.
        setting: String,
        /// What is wrong with the file.
        problem: String,
        /// What to give instead.
        hint: String,
    },
    /// The call does not fit the machine's present state (for example, `step` while it runs).
    #[error("{doing}: {problem}; {hint}")]
    State {
        /// The operation that was asked for.
        doing: String,
        /// The state that forbids it.
        problem: String,
        /// What to call first.
        hint: String,
    },
    /// Guest memory outside RAM was addressed by the user.
    #[error("memory: {len:#x} bytes at guest real address {at:#x} are not all RAM; the machine has {ram:#x} bytes from address 0")]
    Memory {
        /// First guest real address.
        at: u64,
        /// Length in bytes.
        len: u64,
        /// Bytes of RAM in the machine.
        ram: u64,
    },
    /// The host refused something (open, mmap, ...).
    #[error("{doing}: {source}")]
    Host {
        /// What was being done, with the file's name.
        doing: String,
        /// The host's own error; its errno decides the Python exception.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Shorthand for [`Error::Config`].
    pub fn config(setting: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::Config { setting: setting.into(), problem: problem.into(), hint: hint.into() }
    }
}

/// The result of everything a user can ask for.
pub type Result<T> = std::result::Result<T, Error>;
