//! Large memory in a stream: runs of bytes with their address, compressed if asked. What is zero is left out.

use crate::error::Error;
use crate::error::Result;
use crate::state::Bad;

/// Most bytes of memory in one chunk.
pub const CHUNK_BYTES: usize = 1 << 20;
/// Bytes before a chunk's data: address, bytes of memory, encoding.
pub const HEAD: usize = 8 + 4 + 1;

/// How a chunk's bytes are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// LZ4 blocks, where that saves something.
    Lz4,
}

impl Compression {
    /// The one of a name that users write; nothing: none.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn named(name: Option<&str>) -> Result<Compression> {
        match name {
            None | Some("none") => Ok(Compression::None),
            Some("lz4") => Ok(Compression::Lz4),
            Some(other) => {
                Err(Error::config("compress", format!("{other:?} is no way to compress"), "use compress=\"lz4\", or leave it out"))
            }
        }
    }
}

const RAW: u8 = 0;
const LZ4: u8 = 1;

/// What stands before a chunk's bytes, and the bytes as they are stored, for which `room` may be used.
pub fn put<'a>(address: u64, data: &'a [u8], compression: Compression, room: &'a mut Vec<u8>) -> ([u8; HEAD], &'a [u8]) {
    assert!(!data.is_empty() && data.len() <= CHUNK_BYTES, "the caller cuts memory into chunks");
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&address.to_be_bytes());
    head[8..12].copy_from_slice(&(data.len() as u32).to_be_bytes());
    head[12] = RAW;
    if compression == Compression::Lz4 {
        room.resize(lz4_flex::block::get_maximum_output_size(data.len()), 0);
        if let Ok(bytes) = lz4_flex::block::compress_into(data, room)
            && bytes < data.len()
        {
            head[12] = LZ4;
            return (head, &room[..bytes]);
        }
    }
    (head, data)
}

/// Takes a chunk: its address and its bytes, which may be in `room`.
///
/// # Errors
/// It is no chunk.
pub fn take<'a>(payload: &'a [u8], room: &'a mut Vec<u8>) -> std::result::Result<(u64, &'a [u8]), Bad> {
    let Some((head, stored)) = payload.split_at_checked(HEAD) else {
        return Err(Bad::field("chunk", format!("{} bytes are too few", payload.len())));
    };
    let address = u64::from_be_bytes(head[..8].try_into().expect("eight bytes"));
    let bytes = u32::from_be_bytes(head[8..12].try_into().expect("four bytes")) as usize;
    if bytes == 0 || bytes > CHUNK_BYTES {
        return Err(Bad::field("chunk.bytes", format!("{bytes} is not between 1 and {CHUNK_BYTES}")));
    }
    match head[12] {
        RAW if stored.len() == bytes => Ok((address, stored)),
        RAW => Err(Bad::field("chunk.bytes", format!("{} bytes are stored for {bytes}", stored.len()))),
        LZ4 => {
            room.resize(CHUNK_BYTES, 0);
            match lz4_flex::block::decompress_into(stored, &mut room[..bytes]) {
                Ok(got) if got == bytes => Ok((address, &room[..bytes])),
                Ok(got) => Err(Bad::field("chunk.data", format!("it decompresses to {got} bytes instead of {bytes}"))),
                Err(e) => Err(Bad::field("chunk.data", format!("it does not decompress ({e})"))),
            }
        }
        other => {
            Err(Bad::field("chunk.encoding", format!("encoding {other} is unknown"))
                .advising("use the spapr that wrote it, or a later one"))
        }
    }
}
