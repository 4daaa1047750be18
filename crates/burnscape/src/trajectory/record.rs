use std::collections::HashMap;
use std::fmt::Display;
use std::ops::Range;
use std::path::Path;

use burn::store::ModuleRecord;
use burn::tensor::{Bytes, DType, TensorData, bf16, f16};
use burn_pack::Reader;

use super::TrajectoryError;
use crate::space::{ParamLeaf, ParamSpace};

/// The tensors of a record of Burn, in a file or in memory. Their numbers are read when they are asked for.
pub(super) struct Record {
    /// Where it is, for messages.
    place: String,
    windows: HashMap<String, Window>,
}

/// A tensor of a record.
pub(super) struct Window {
    pub(super) shape: Vec<usize>,
    pub(super) dtype: DType,
    /// Of a file: only what is read of a view of them leaves the disk, and nothing of them stays in memory.
    bytes: Bytes,
}

impl Record {
    /// The record in a file.
    pub(super) fn open(path: &Path) -> Result<Self, TrajectoryError> {
        Self::read(
            Reader::from_file_exact(path),
            path.display().to_string(),
            "restore the file",
        )
    }

    /// A record in memory, as a file would have it.
    pub(super) fn of(record: ModuleRecord) -> Result<Self, TrajectoryError> {
        let bytes = record.into_bytes();
        let bytes = bytes.map_err(|error| TrajectoryError::Record {
            message: format!("{error}; give every parameter of the model a path of its own"),
        })?;
        let place = "the record of the model".to_string();
        Self::read(
            Reader::from_bytes(bytes),
            place,
            "report this as a bug of Burnscape",
        )
    }

    fn read(
        reader: Result<Reader, burn_pack::Error>,
        place: String,
        remedy: &str,
    ) -> Result<Self, TrajectoryError> {
        let tensors = reader.and_then(Reader::into_tensors);
        let tensors = tensors.map_err(|error| unreadable(&place, &error, remedy))?;
        let mut windows = HashMap::with_capacity(tensors.len());
        for tensor in tensors {
            let parts = tensor.into_parts();
            let (name, dtype, shape, _, bytes) =
                parts.map_err(|error| unreadable(&place, &error, remedy))?;
            let shape = shape.as_slice().to_vec();
            let window = Window {
                shape,
                dtype,
                bytes,
            };
            windows.insert(name, window);
        }
        Ok(Self { place, windows })
    }

    /// The tensor of a parameter.
    fn window(&self, leaf: &ParamLeaf) -> Result<&Window, TrajectoryError> {
        let window = self.windows.get(leaf.path());
        window.ok_or_else(|| self.lacks(leaf))
    }

    /// The tensor of a parameter, which the record then no longer has.
    pub(super) fn take(&mut self, leaf: &ParamLeaf) -> Result<Window, TrajectoryError> {
        let window = self.windows.remove(leaf.path());
        window.ok_or_else(|| self.lacks(leaf))
    }

    fn lacks(&self, leaf: &ParamLeaf) -> TrajectoryError {
        TrajectoryError::OtherModel {
            message: format!("{} has no `{}`", self.place, leaf.path()),
        }
    }

    /// All numbers of a parameter, in the order of the record.
    pub(super) fn numbers(&self, leaf: &ParamLeaf) -> Result<Vec<f64>, TrajectoryError> {
        let window = self.window(leaf)?;
        let numbers = window.numbers(0..window.len());
        numbers.map_err(|message| TrajectoryError::File {
            path: self.place.clone(),
            message,
        })
    }
}

impl Window {
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Some of its numbers. Of a file, no others are read.
    pub(super) fn numbers(&self, range: Range<usize>) -> Result<Vec<f64>, String> {
        let places = 0..range.len();
        self.read(range, places)
    }

    /// Its numbers at some places, in their order. Of a file, all are read, and no others kept.
    pub(super) fn numbers_at(
        &self,
        places: impl Iterator<Item = usize>,
    ) -> Result<Vec<f64>, String> {
        self.read(0..self.len(), places)
    }

    /// Reads a part, and takes the numbers at some places of it.
    fn read(
        &self,
        part: Range<usize>,
        places: impl Iterator<Item = usize>,
    ) -> Result<Vec<f64>, String> {
        let size = self.dtype.size();
        let view = self.bytes.view(part.start * size, part.end * size);
        let view = view.map_err(|error| cannot_read(format!("{error:?}")))?;
        let len = view.len();
        // As bytes, which have no alignment.
        let data = TensorData::try_from_bytes(view, [len], DType::U8).map_err(cannot_read)?;
        let bytes = data.as_slice::<u8>().map_err(cannot_read)?;
        floats(bytes, self.dtype, places)
            .ok_or_else(|| cannot_read(format!("{:?} is no type of parameters", self.dtype)))
    }
}

/// `|θ − θ'| / |θ'|` of the parameters of `space`, in the order of the records, which is the same in both.
pub(super) fn relative_distance(
    space: &ParamSpace,
    now: &Record,
    before: &Record,
) -> Result<f64, TrajectoryError> {
    let (mut moved, mut length) = (0.0, 0.0);
    for leaf in space.leaves() {
        let (now, before) = (now.numbers(leaf)?, before.numbers(leaf)?);
        for (now, before) in now.iter().zip(&before) {
            moved += (now - before).powi(2);
            length += before.powi(2);
        }
    }
    Ok(if moved == 0.0 {
        0.0
    } else {
        (moved / length).sqrt()
    })
}

/// The numbers at some places of the bytes of a record, which are little-endian.
fn floats(bytes: &[u8], dtype: DType, places: impl Iterator<Item = usize>) -> Option<Vec<f64>> {
    match dtype {
        DType::F64 => Some(each(bytes, places, f64::from_le_bytes)),
        DType::F32 | DType::Flex32 => Some(each(bytes, places, |bytes| {
            f64::from(f32::from_le_bytes(bytes))
        })),
        DType::F16 => Some(each(bytes, places, |bytes| {
            f16::from_le_bytes(bytes).to_f64()
        })),
        DType::BF16 => Some(each(bytes, places, |bytes| {
            bf16::from_le_bytes(bytes).to_f64()
        })),
        _ => None,
    }
}

/// NaN where the bytes have no number.
fn each<const N: usize>(
    bytes: &[u8],
    places: impl Iterator<Item = usize>,
    number: impl Fn([u8; N]) -> f64,
) -> Vec<f64> {
    let (numbers, _) = bytes.as_chunks::<N>();
    let at = |place: usize| numbers.get(place).map_or(f64::NAN, |bytes| number(*bytes));
    places.map(at).collect()
}

fn unreadable(place: &str, error: &burn_pack::Error, remedy: &str) -> TrajectoryError {
    TrajectoryError::File {
        path: place.to_string(),
        message: format!("{error}; {remedy}"),
    }
}

fn cannot_read(error: impl Display) -> String {
    format!("its numbers cannot be read: {error}; restore the file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_parameters_is_read() {
        let expected = [1.0, -0.25, 1024.0, f64::INFINITY];
        let bytes = |write: fn(f64) -> Vec<u8>| expected.map(write).concat();
        let cases = [
            (DType::F64, bytes(|x| x.to_le_bytes().to_vec())),
            (DType::F32, bytes(|x| (x as f32).to_le_bytes().to_vec())),
            (DType::Flex32, bytes(|x| (x as f32).to_le_bytes().to_vec())),
            (
                DType::F16,
                bytes(|x| f16::from_f64(x).to_le_bytes().to_vec()),
            ),
            (
                DType::BF16,
                bytes(|x| bf16::from_f64(x).to_le_bytes().to_vec()),
            ),
        ];
        for (dtype, bytes) in cases {
            assert_eq!(floats(&bytes, dtype, 0..4).unwrap(), expected, "{dtype:?}");
            // Not aligned.
            let shifted = [&[0_u8][..], &bytes[..]].concat();
            assert_eq!(floats(&shifted[1..], dtype, 0..4).unwrap(), expected);
            // In another order.
            let found = floats(&bytes, dtype, [2, 0].into_iter()).unwrap();
            assert_eq!(found, [1024.0, 1.0]);
            assert!(floats(&bytes, dtype, 4..5).unwrap()[0].is_nan());
        }
        assert_eq!(floats(&[1, 2, 3, 4], DType::I32, 0..1), None);
    }
}
