//! Vector (VMX) instructions (ISA I, chapter 6): one function per row, in files by subject.
//!
//! Most of the four hundred instructions apply one scalar function to each element of a vector, with elements of five sizes and two
//! signednesses; `lanes` says that once, so that an instruction is one line with its scalar function. Elements are numbered from the most
//! significant end in both byte orders; only loads and stores know about byte order.

pub mod arithmetic;
pub mod bits;
pub mod compare;
pub mod crypto;
pub mod decimal;
pub mod float;
pub mod insert;
pub mod lanes;
pub mod mask;
pub mod memory;
pub mod multiply;
pub mod pack;
pub mod permute;
pub mod shift;
