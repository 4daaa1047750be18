//! Where the bytes of a tensor are.

use std::fmt::Display;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Bytes, DType, TensorData};

use super::reason;

/// The bytes of a tensor, before they are read.
pub(super) enum Place {
    /// From an offset of a file on.
    Offset { file: Arc<Mutex<File>>, start: u64 },
    /// A window of a burnpack file. What is read of a view of it leaves the disk, and nothing of it stays in memory.
    Window(Bytes),
}

impl Place {
    /// All bytes, aligned for elements of this size.
    pub(super) fn all(&self, len: usize, element: usize) -> Result<Bytes, String> {
        match self {
            Self::Offset { .. } => {
                let mut bytes = zeros(len, element);
                self.fill(0, &mut bytes)?;
                Ok(bytes)
            }
            Self::Window(bytes) => {
                let bytes = viewed(bytes, 0..len)?;
                if bytes.as_ptr().cast::<u64>().is_aligned() {
                    Ok(bytes)
                } else {
                    Ok(Bytes::from_bytes_vec(bytes.to_vec()))
                }
            }
        }
    }

    /// Reads as many bytes as `part` has, from an offset on.
    pub(super) fn fill(&self, offset: usize, part: &mut [u8]) -> Result<(), String> {
        match self {
            Self::Offset { file, start } => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                let start = SeekFrom::Start(start + offset as u64);
                let read = file.seek(start).and_then(|_| file.read_exact(part));
                read.map_err(cannot_read)
            }
            Self::Window(bytes) => {
                let view = viewed(bytes, offset..offset + part.len())?;
                part.copy_from_slice(&view);
                Ok(())
            }
        }
    }
}

/// Zeros, aligned for elements of this size. `Bytes::from_bytes_vec` would copy them.
pub(super) fn zeros(len: usize, element: usize) -> Bytes {
    match element {
        2 => Bytes::from_elems(vec![0_u16; len / 2]),
        4 => Bytes::from_elems(vec![0_u32; len / 4]),
        8 => Bytes::from_elems(vec![0_u64; len / 8]),
        _ => Bytes::from_elems(vec![0_u8; len]),
    }
}

/// A part of a window, which is in memory then.
fn viewed(bytes: &Bytes, part: Range<usize>) -> Result<Bytes, String> {
    let view = bytes.view(part.start, part.end);
    let view = view.map_err(|error| cannot_read(format!("{error:?}")))?;
    let len = view.len();
    // The first access reads the file. Through a tensor of bytes its failure is an error, not a panic.
    let data = TensorData::try_from_bytes(view, [len], DType::U8).map_err(cannot_read)?;
    data.as_slice::<u8>().map_err(cannot_read)?;
    Ok(data.into_bytes())
}

fn cannot_read(error: impl Display) -> String {
    format!(
        "its numbers cannot be read ({}); leave the file as it is while it is read",
        reason(error)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_every_size_are_aligned() {
        for element in [1, 2, 4, 8] {
            for count in [0, 1, 3, 1000] {
                let bytes = zeros(count * element, element);
                assert_eq!(bytes.len(), count * element);
                assert_eq!(bytes.as_ptr().align_offset(element), 0);
            }
        }
    }
}
