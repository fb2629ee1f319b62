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
    /// A saved state cannot be read, or does not fit this machine.
    #[error("saved state, section {section}{}: {problem}; {hint}", .field.is_empty().then(String::new).unwrap_or_else(|| format!(", field {}", .field)))]
    Stream {
        /// The section, with its instance.
        section: String,
        /// Path of the field in it; empty: the section as a whole.
        field: String,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        hint: String,
    },
    /// The state of a machine cannot be saved now.
    #[error("{doing}: {problem}; {hint}")]
    Snapshot {
        /// What was asked for.
        doing: String,
        /// What stands in the way.
        problem: String,
        /// What to do first.
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
    /// A migration did not end with the guest running on the destination.
    #[error("migration: {problem}; {hint}")]
    Migration {
        /// What kind of end it was.
        end: MigrationEnd,
        /// What happened, and in which phase.
        problem: String,
        /// Where the guest is now, and what to do.
        hint: String,
        /// Why the destination refused, if it did.
        reasons: Vec<Reason>,
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

/// How a migration that did not complete ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MigrationEnd {
    /// The destination cannot be this machine; nothing was moved.
    Incompatible,
    /// Cancelled, or its time was over.
    Aborted,
    /// A connection, the destination or the source failed.
    Failed,
    /// The destination was told to run the guest and did not answer: it may run there.
    Unconfirmed,
}

/// Why one machine cannot become another, as data.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reason {
    /// A fixed word for programs.
    pub code: String,
    /// The setting that differs.
    pub setting: String,
    /// Its value on the source.
    pub source: String,
    /// Its value on the destination.
    pub destination: String,
    /// What is wrong.
    pub problem: String,
    /// What to change.
    pub hint: String,
}

impl Error {
    /// Shorthand for [`Error::Config`].
    pub fn config(setting: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::Config { setting: setting.into(), problem: problem.into(), hint: hint.into() }
    }
}

/// The result of everything a user can ask for.
pub type Result<T> = std::result::Result<T, Error>;
