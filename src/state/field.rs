//! What a field can be, and how it is written: CBOR, by a well-kept encoder, with this module's limits around the decoder.
//!
//! Every decoding either takes exactly what its type says or says what is wrong and where ([`Bad`]). A list grows as its items arrive, so a length that
//! lies costs nothing.

use crate::state::ANCILLARY;
use crate::state::LIST_MAX;
use crate::state::Schema;
use crate::state::Value;
use minicbor::Decoder;
use minicbor::Encoder;
use minicbor::data::Type;

/// What most refusals advise.
const DAMAGED: &str = "the file is damaged, or no spapr wrote it; use another copy";

/// Why a field cannot be taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bad {
    /// Path of the field in its section: `slb[3].esid`.
    pub field: String,
    /// What is wrong with it, with the value.
    pub problem: String,
    /// What to do about it.
    pub hint: &'static str,
}

impl Bad {
    /// A problem of the field that is being taken.
    pub fn new(problem: impl Into<String>) -> Bad {
        Bad { field: String::new(), problem: problem.into(), hint: DAMAGED }
    }

    /// A problem of a named field.
    pub fn field(field: impl Into<String>, problem: impl Into<String>) -> Bad {
        Bad { field: field.into(), problem: problem.into(), hint: DAMAGED }
    }

    /// A field that is not there and may not be missing.
    pub fn missing(field: &str, number: u32) -> Bad {
        Bad::field(field, format!("field {number} is missing"))
    }

    /// The same, advising something else.
    #[must_use]
    pub fn advising(self, hint: &'static str) -> Bad {
        Bad { hint, ..self }
    }

    /// The same, seen from the field around it.
    #[must_use]
    pub fn within(self, outer: &str) -> Bad {
        let dot = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        Bad { field: format!("{outer}{dot}{}", self.field), ..self }
    }
}

impl From<minicbor::decode::Error> for Bad {
    fn from(error: minicbor::decode::Error) -> Bad {
        Bad::new(format!("it is not encoded as it should be ({error})"))
    }
}

/// Something that a field can hold.
pub trait Field: Sized {
    /// Appends it.
    fn put(&self, to: &mut Writer);
    /// Takes it.
    ///
    /// # Errors
    /// What is there is something else.
    fn take(from: &mut Reader<'_>) -> Result<Self, Bad>;
    /// Its type in words, after adding to `to` what those words refer to.
    fn describe(to: &mut Schema) -> String;
    /// For people.
    fn show(&self) -> Value;
}

/// Where fields are written.
#[derive(Debug)]
pub struct Writer(Encoder<Vec<u8>>);

impl Default for Writer {
    fn default() -> Writer {
        Writer(Encoder::new(Vec::new()))
    }
}

/// Writing to memory cannot fail.
const MEMORY: &str = "a vector takes every byte";

impl Writer {
    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_writer()
    }
    /// Begins a map of `fields` entries.
    pub fn map(&mut self, fields: usize) {
        self.0.map(fields as u64).expect(MEMORY);
    }
    /// A field's number.
    pub fn number(&mut self, number: u32) {
        self.0.u32(number).expect(MEMORY);
    }
}

/// Where fields are taken from.
#[derive(Debug)]
pub struct Reader<'b>(Decoder<'b>);

impl<'b> Reader<'b> {
    /// Reads `bytes` from their start.
    pub fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader(Decoder::new(bytes))
    }

    /// Nothing may follow.
    ///
    /// # Errors
    /// Something does.
    pub fn end(&self) -> Result<(), Bad> {
        match self.0.input().len() - self.0.position() {
            0 => Ok(()),
            rest => Err(Bad::new(format!("{rest} bytes follow the last field"))),
        }
    }

    /// Takes a map: `field` is called for each number and takes its value.
    ///
    /// # Errors
    /// It is no map of definite length, or what `field` says.
    pub fn map(&mut self, mut field: impl FnMut(u32, &mut Reader<'b>) -> Result<(), Bad>) -> Result<(), Bad> {
        let fields = self.0.map()?.ok_or_else(|| Bad::new("it is a map without a length"))?;
        for _ in 0..fields {
            let number = self.0.u32()?;
            field(number, self)?;
        }
        Ok(())
    }

    /// Takes a field that may stand there once.
    ///
    /// # Errors
    /// It was there already, or cannot be taken.
    pub fn once<T: Field>(&mut self, to: &mut Option<T>, name: &str) -> Result<(), Bad> {
        if to.is_some() {
            return Err(Bad::field(name, "it is there twice"));
        }
        *to = Some(T::take(self).map_err(|bad| bad.within(name))?);
        Ok(())
    }

    /// Skips a field that nobody knows, if its number allows that.
    ///
    /// # Errors
    /// It does not.
    pub fn unknown(&mut self, number: u32) -> Result<(), Bad> {
        if number < ANCILLARY {
            let bad = Bad::field(format!("{number}"), "this spapr does not know the field, and the guest may depend on it");
            return Err(bad.advising("use the spapr that wrote it, or a later one"));
        }
        self.skip()
    }

    /// Skips one item, without recursion.
    fn skip(&mut self) -> Result<(), Bad> {
        Ok(self.0.skip()?)
    }
}

macro_rules! integers {
    ($($type:ident)*) => {$(
        impl Field for $type {
            fn put(&self, to: &mut Writer) {
                to.0.$type(*self).expect(MEMORY);
            }
            fn take(from: &mut Reader<'_>) -> Result<Self, Bad> {
                Ok(from.0.$type()?)
            }
            fn describe(_: &mut Schema) -> String {
                stringify!($type).into()
            }
            fn show(&self) -> Value {
                Value::Int(i128::from(*self))
            }
        }
    )*};
}
integers! { u8 u16 u32 u64 i64 }

impl Field for bool {
    fn put(&self, to: &mut Writer) {
        to.0.bool(*self).expect(MEMORY);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, Bad> {
        Ok(from.0.bool()?)
    }
    fn describe(_: &mut Schema) -> String {
        "bool".into()
    }
    fn show(&self) -> Value {
        Value::Flag(*self)
    }
}

impl Field for i128 {
    fn put(&self, to: &mut Writer) {
        to.0.bytes(&self.to_be_bytes()).expect(MEMORY);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, Bad> {
        let bytes = from.0.bytes()?;
        let bytes = bytes.try_into().map_err(|_| Bad::new(format!("a number of 16 bytes has {}", bytes.len())))?;
        Ok(i128::from_be_bytes(bytes))
    }
    fn describe(_: &mut Schema) -> String {
        "i128 (16 bytes, big-endian)".into()
    }
    fn show(&self) -> Value {
        Value::Int(*self)
    }
}

impl Field for String {
    fn put(&self, to: &mut Writer) {
        to.0.str(self).expect(MEMORY);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, Bad> {
        Ok(from.0.str()?.to_string())
    }
    fn describe(_: &mut Schema) -> String {
        "text".into()
    }
    fn show(&self) -> Value {
        Value::Text(self.clone())
    }
}

/// A string of bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bytes(pub Vec<u8>);

impl Field for Bytes {
    fn put(&self, to: &mut Writer) {
        to.0.bytes(&self.0).expect(MEMORY);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, Bad> {
        Ok(Bytes(from.0.bytes()?.to_vec()))
    }
    fn describe(_: &mut Schema) -> String {
        "bytes".into()
    }
    fn show(&self) -> Value {
        Value::Bytes(self.0.clone())
    }
}

impl<T: Field> Field for Option<T> {
    fn put(&self, to: &mut Writer) {
        match self {
            Some(value) => value.put(to),
            None => {
                to.0.null().expect(MEMORY);
            }
        }
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, Bad> {
        if from.0.datatype()? == Type::Null {
            from.0.null()?;
            return Ok(None);
        }
        Ok(Some(T::take(from)?))
    }
    fn describe(to: &mut Schema) -> String {
        format!("{} or nothing", T::describe(to))
    }
    fn show(&self) -> Value {
        self.as_ref().map_or(Value::Nothing, T::show)
    }
}

impl<T: Field> Field for Vec<T> {
    fn put(&self, to: &mut Writer) {
        to.0.array(self.len() as u64).expect(MEMORY);
        self.iter().for_each(|item| item.put(to));
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, Bad> {
        let count = from.0.array()?.ok_or_else(|| Bad::new("it is a list without a length"))?;
        if count > LIST_MAX {
            return Err(Bad::new(format!("a list of {count} items is longer than {LIST_MAX}")));
        }
        let mut list = Vec::new();
        for n in 0..count {
            list.push(T::take(from).map_err(|bad| bad.within(&format!("[{n}]")))?);
        }
        Ok(list)
    }
    fn describe(to: &mut Schema) -> String {
        format!("list of {}", T::describe(to))
    }
    fn show(&self) -> Value {
        Value::List(self.iter().map(T::show).collect())
    }
}

impl<T: Field + Copy + Default, const N: usize> Field for [T; N] {
    fn put(&self, to: &mut Writer) {
        to.0.array(N as u64).expect(MEMORY);
        self.iter().for_each(|item| item.put(to));
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, Bad> {
        match from.0.array()? {
            Some(count) if count == N as u64 => {}
            other => return Err(Bad::new(format!("a list of {N} items has {}", other.map_or("no length".into(), |n| n.to_string())))),
        }
        let mut list = [T::default(); N];
        for (n, item) in list.iter_mut().enumerate() {
            *item = T::take(from).map_err(|bad| bad.within(&format!("[{n}]")))?;
        }
        Ok(list)
    }
    fn describe(to: &mut Schema) -> String {
        format!("{N} of {}", T::describe(to))
    }
    fn show(&self) -> Value {
        Value::List(self.iter().map(T::show).collect())
    }
}
