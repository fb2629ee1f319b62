//! The explicit `vsmt` that brings two sides together.
//!
//! The least change that helps comes first: the destination follows the source, else the source (started anew) the destination, else both are told.

/// Where to write which `vsmt`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remedy {
    /// On the destination.
    Destination(u32),
    /// On the source, which is started anew.
    Source(u32),
    /// On both.
    Both(u32),
}

impl std::fmt::Display for Remedy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (vsmt, at) = match self {
            Remedy::Destination(vsmt) => (vsmt, "the destination"),
            Remedy::Source(vsmt) => (vsmt, "the source"),
            Remedy::Both(vsmt) => (vsmt, "both"),
        };
        write!(f, "vsmt={vsmt} on {at}")
    }
}

/// Looks for one. `source` and `destination` are the modes that the sides run with, if they start; `goes` says whether the guest moves with these modes
/// given (`None`: nothing is given on that side).
pub fn find(source: Option<u32>, destination: Option<u32>, mut goes: impl FnMut(Option<u32>, Option<u32>) -> bool) -> Option<Remedy> {
    if let Some(vsmt) = source.filter(|&vsmt| goes(None, Some(vsmt))) {
        return Some(Remedy::Destination(vsmt));
    }
    if let Some(vsmt) = destination.filter(|&vsmt| goes(Some(vsmt), None)) {
        return Some(Remedy::Source(vsmt));
    }
    [8, 4, 2, 1].into_iter().find(|&vsmt| goes(Some(vsmt), Some(vsmt))).map(Remedy::Both)
}
