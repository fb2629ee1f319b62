//! Decoded state for people: what `vm.state()` shows, and what two streams are compared by.

/// A value with the names of its fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Nothing there.
    Nothing,
    /// Yes or no.
    Flag(bool),
    /// A number.
    Int(i128),
    /// Words.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Value>),
    /// Fields by name, in order.
    Map(Vec<(String, Value)>),
}

/// A place where two values differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Path: `slb[3].esid`.
    pub path: String,
    /// One side; `None`: nothing is there.
    pub left: Option<Value>,
    /// The other.
    pub right: Option<Value>,
}

/// Appends the places where `left` and `right`, both found at `path`, differ.
pub fn compare(path: &str, left: Option<&Value>, right: Option<&Value>, to: &mut Vec<Difference>) {
    match (left, right) {
        (Some(Value::Map(a)), Some(Value::Map(b))) => {
            let dot = if path.is_empty() { "" } else { "." };
            for (name, value) in a {
                let other = b.iter().find(|(n, _)| n == name).map(|(_, v)| v);
                compare(&format!("{path}{dot}{name}"), Some(value), other, to);
            }
            for (name, value) in b.iter().filter(|(name, _)| !a.iter().any(|(n, _)| n == name)) {
                compare(&format!("{path}{dot}{name}"), None, Some(value), to);
            }
        }
        (Some(Value::List(a)), Some(Value::List(b))) => {
            for n in 0..a.len().max(b.len()) {
                compare(&format!("{path}[{n}]"), a.get(n), b.get(n), to);
            }
        }
        (a, b) if a == b => {}
        (a, b) => to.push(Difference { path: path.to_string(), left: a.cloned(), right: b.cloned() }),
    }
}
