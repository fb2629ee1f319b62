//! Saved state: bytes that outlive the program that wrote them. This module knows bytes, and nothing of machines.
//!
//! # Stored types are apart from live ones
//!
//! Nothing is derived on a live struct. Beside each module that has state stands a `saved.rs` with the stored form, written with [`saved!`](crate::state::saved),
//! and two conversions. So a refactoring of a device cannot change the format unnoticed: the format is a list of numbers and names in one place, printed whole into
//! `tests/golden/state`, where a changed line is a reviewable difference.
//!
//! # The shape
//!
//! A stream ([`stream`]) is a header that can be read alone, then sections, then an end mark. Each section has a name, an instance (the third vCPU), a version, a
//! length and checksums. Inside is one CBOR map whose keys are field numbers. Large memory (RAM, the hash table) goes as sections of its own, in chunks ([`bulk`]).
//!
//! # The rules of evolution
//!
//! 1. A field's number is never used again, and neither its type nor its meaning ever changes. What changes its meaning gets a new number.
//! 2. A field that came later says what it is when it is missing (`= value` in the declaration). A missing field without such a value is refused.
//! 3. A reader that meets a number it does not know refuses below [`ANCILLARY`], because dropping it might break the guest, and skips it from there on. Whoever
//!    adds a field decides by its number whether an older program may go on without it.
//! 4. The same for whole sections: an unknown one is refused by its name, unless its frame says that it is ancillary.
//! 5. A section's version rises only when old readers must not even try. A version from the future is refused with both versions; so is a format from the
//!    future.
//! 6. What may be left out at its reset value is left out by the stored type's own conversion, never by the reader's guess.
//! 7. Nothing host-dependent is stored: no pointer, no host time, no thread. What caches hold is dropped; a reservation of `lwarx` is dropped, which
//!    the architecture allows.
//!
//! # Hostile input
//!
//! A stream may be cut, flipped, reordered or written by an enemy. Lengths are limited before anything is allocated ([`stream::SECTION_MAX`],
//! [`LIST_MAX`]), nothing recurses over input, checksums are compared before a section is decoded, and every refusal is an [`Error::Stream`](crate::error::Error::Stream)
//! that names section and field. Checksums catch accidents only; what a decoded value may do to the machine is checked where it is loaded.

pub mod behind;
pub mod bulk;
pub mod field;
pub mod file;
pub mod schema;
pub mod stream;
pub mod value;

pub use field::Bad;
pub use field::Bytes;
pub use field::Field;
pub use field::Reader;
pub use field::Writer;
pub use schema::Schema;
pub use value::Value;

use crate::error::Error;
use crate::error::Result;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

/// Field numbers from here on may be skipped by a reader that does not know them.
pub const ANCILLARY: u32 = 1024;
/// Most items of one list.
pub const LIST_MAX: u64 = 1 << 20;

/// A stored type that is a section of its own.
pub trait Section: Field {
    /// Its name in the stream, stable for ever.
    const NAME: &'static str;
    /// Its version now.
    const VERSION: u16;
}

/// A kind of section, for whoever reads streams without a machine.
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// Its description, for the golden files.
    pub schema: fn() -> String,
    /// Its fields by name.
    pub show: fn(&Packed) -> Result<Value>,
}

/// The kind of a stored type.
pub const fn kind<S: Section>() -> Kind {
    Kind { name: S::NAME, schema: schema::text::<S>, show: |section| Ok(section.unpack::<S>()?.show()) }
}

/// A section as it stands in a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packed {
    /// Which kind.
    pub name: String,
    /// Which one of that kind.
    pub instance: u32,
    /// Its version.
    pub version: u16,
    /// Whether a reader that does not know it may skip it.
    pub ancillary: bool,
    /// The fields.
    pub bytes: Vec<u8>,
}

impl Packed {
    /// Encodes a section.
    pub fn new<S: Section>(instance: u32, section: &S) -> Packed {
        let mut to = Writer::default();
        section.put(&mut to);
        Packed { name: S::NAME.into(), instance, version: S::VERSION, ancillary: false, bytes: to.into_bytes() }
    }

    /// What errors call it.
    pub fn title(&self) -> String {
        title(&self.name, self.instance)
    }

    /// Decodes the section, which is a `S` by its name.
    ///
    /// # Errors
    /// [`Error::Stream`] with the field at fault.
    pub fn unpack<S: Section>(&self) -> Result<S> {
        let refuse = |bad: Bad| refusal(self.title(), bad);
        if self.version > S::VERSION {
            return Err(Error::Stream {
                section: self.title(),
                field: "version".into(),
                problem: format!("version {} is newer than {}, the newest that this spapr reads", self.version, S::VERSION),
                hint: "use the spapr that wrote it, or a later one".into(),
            });
        }
        let mut from = Reader::new(&self.bytes);
        let section = S::take(&mut from).map_err(refuse)?;
        from.end().map_err(refuse)?;
        Ok(section)
    }
}

/// The sections of one state, to be taken by name.
#[derive(Default, Debug)]
pub struct Sections {
    all: BTreeMap<(String, u32), Packed>,
    taken: RefCell<BTreeSet<(String, u32)>>,
}

impl Sections {
    /// Adds one.
    ///
    /// # Errors
    /// It is there already.
    pub fn add(&mut self, section: Packed) -> Result<()> {
        let key = (section.name.clone(), section.instance);
        match self.all.entry(key) {
            Entry::Occupied(_) => Err(refusal(section.title(), Bad::new("it is there twice"))),
            Entry::Vacant(free) => {
                free.insert(section);
                Ok(())
            }
        }
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Packed> {
        self.all.values()
    }

    /// The section of a name and instance, as it stands there.
    ///
    /// # Errors
    /// It is missing.
    pub fn get(&self, name: &str, instance: u32) -> Result<&Packed> {
        let key = (name.to_string(), instance);
        let found = self.all.get(&key).ok_or_else(|| refusal(title(name, instance), Bad::new("it is missing")))?;
        self.taken.borrow_mut().insert(key);
        Ok(found)
    }

    /// The section of a type.
    ///
    /// # Errors
    /// It is missing or cannot be read.
    pub fn take<S: Section>(&self, instance: u32) -> Result<S> {
        self.get(S::NAME, instance)?.unpack()
    }

    /// Refuses what nobody took, unless it may be skipped.
    ///
    /// # Errors
    /// Names the first.
    pub fn all_taken(&self) -> Result<()> {
        let taken = self.taken.borrow();
        match self.all.iter().find(|(key, section)| !section.ancillary && !taken.contains(*key)) {
            None => Ok(()),
            Some((_, section)) => {
                let bad = Bad::new("this machine has nothing of the kind, or this spapr does not know it");
                Err(refusal(section.title(), bad.advising("use the machine and the spapr that wrote it")))
            }
        }
    }
}

/// What errors call a section.
pub fn title(name: &str, instance: u32) -> String {
    if instance == 0 { name.to_string() } else { format!("{name} {instance}") }
}

/// A refusal that names section and field.
pub fn refusal(section: impl Into<String>, bad: Bad) -> Error {
    Error::Stream { section: section.into(), field: bad.field, problem: bad.problem, hint: bad.hint.into() }
}

/// Declares stored types: a struct, its encoding as a map of numbered fields, its description, and its display.
///
/// ```text
/// saved! {
///     /// One presenter.
///     SavedIcp {
///         /// CPPR and XISR.
///         0 xirr: u32,
///         /// Came later: what it is where it is missing.
///         3 later: u8 = 0,
///     }
///     /// A section.
///     SavedXics = "xics" version 1 { 0 presenters: Vec<SavedIcp>, }
/// }
/// ```
macro_rules! saved {
    (@missing $number:literal $field:ident) => {
        return Err($crate::state::Bad::missing(stringify!($field), $number))
    };
    (@missing $number:literal $field:ident $default:expr) => {
        $default
    };
    ($(
        $(#[$meta:meta])*
        $name:ident $(= $section:literal version $version:literal)? {
            $( $(#[$about:meta])* $number:literal $field:ident : $type:ty $(= $default:expr)? ),* $(,)?
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name { $( $(#[$about])* pub $field: $type ),* }

        impl $crate::state::Field for $name {
            fn put(&self, to: &mut $crate::state::Writer) {
                to.map([$($number),*].len());
                $( to.number($number); $crate::state::Field::put(&self.$field, to); )*
            }
            fn take(from: &mut $crate::state::Reader<'_>) -> std::result::Result<Self, $crate::state::Bad> {
                $( let mut $field: Option<$type> = None; )*
                from.map(|number, from| match number {
                    $( $number => from.once(&mut $field, stringify!($field)), )*
                    other => from.unknown(other),
                })?;
                Ok($name { $( $field: match $field {
                    Some(value) => value,
                    None => $crate::state::saved!(@missing $number $field $($default)?),
                } ),* })
            }
            fn describe(to: &mut $crate::state::Schema) -> String {
                to.record(stringify!($name), |to| vec![
                    $( $crate::state::schema::Row {
                        number: $number,
                        name: stringify!($field),
                        kind: <$type as $crate::state::Field>::describe(to),
                        missing: [$( stringify!($default) )?].first().map(|s: &&str| s.to_string()),
                    } ),*
                ])
            }
            fn show(&self) -> $crate::state::Value {
                $crate::state::Value::Map(vec![$( (stringify!($field).to_string(), $crate::state::Field::show(&self.$field)) ),*])
            }
        }

        $( impl $crate::state::Section for $name {
            const NAME: &'static str = $section;
            const VERSION: u16 = $version;
        } )?
    )*};
}
pub(crate) use saved;

#[cfg(test)]
mod tests;
