use std::ops::Range;
use std::path::PathBuf;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::TrajectoryError;
use super::record::{Record, Window};
use crate::space::{LeafVector, ParamLeaf, ParamSpace, unshared_copy};

/// How files of Burn store the parameters of a model.
pub(super) struct Forms(Vec<Form>);

struct Form {
    shape: Vec<usize>,
    /// Whether the numbers are in the order of the coordinates. A module can store a parameter in another form, as a
    /// `Linear` with columns first does.
    is_flat: bool,
}

impl Forms {
    /// Those of `model`, found with numbers that show their places.
    pub(super) fn of<M: Module>(space: &ParamSpace, model: &M) -> Result<Self, TrajectoryError> {
        let marked = LeafVector::zeros(space).map_all(|leaf, _| {
            let data = TensorData::new(marks(leaf), [leaf.len()]);
            Some(Tensor::from_data(data, (space.device(), leaf.dtype())))
        });
        let marked = marked.apply_to(&model.valid())?;
        let mut record = Record::of(marked.into_record())?;
        let forms = space.leaves().iter().map(|leaf| {
            let numbers = record.numbers(leaf)?;
            Ok(Form {
                shape: record.take(leaf)?.shape,
                is_flat: numbers == marks(leaf),
            })
        });
        Ok(Self(forms.collect::<Result<_, TrajectoryError>>()?))
    }
}

/// A number for each coordinate: all different in a small parameter, and nowhere periodic in a large one. Every type of
/// parameters has these numbers.
fn marks(leaf: &ParamLeaf) -> Vec<f64> {
    const COUNT: usize = 251;
    let marks = 0..leaf.len();
    marks
        .map(|index| ((index + index / COUNT * 89) % COUNT) as f64)
        .collect()
}

/// A checkpoint in a file.
pub(super) struct Stored {
    path: PathBuf,
    /// The parameters; none for those that the file has in another form.
    windows: Vec<Option<Window>>,
}

impl Stored {
    /// Reads the header of the file, which must have the parameters of `space`.
    pub(super) fn open(
        path: PathBuf,
        space: &ParamSpace,
        forms: &Forms,
    ) -> Result<Self, TrajectoryError> {
        let mut record = Record::open(&path)?;
        let leaves = space.leaves().iter().zip(&forms.0);
        let windows = leaves.map(|(leaf, form)| {
            let window = record.take(leaf)?;
            if (&window.shape, window.dtype) != (&form.shape, leaf.dtype()) {
                return Err(TrajectoryError::OtherModel {
                    message: format!(
                        "`{}` is {:?} {:?} in {}, and {:?} {:?} in the model",
                        leaf.path(),
                        window.shape,
                        window.dtype,
                        path.display(),
                        form.shape,
                        leaf.dtype()
                    ),
                });
            }
            Ok(form.is_flat.then_some(window))
        });
        let windows = windows.collect::<Result<_, TrajectoryError>>()?;
        Ok(Self { path, windows })
    }

    /// A copy of `template` with the numbers of the file: parameters, frozen ones included, and running statistics.
    pub(super) fn load<M: Module>(&self, template: &M) -> Result<M, TrajectoryError> {
        let loaded = unshared_copy(template).try_load_file(&self.path);
        let loaded = loaded.map_err(|error| self.fails(&error.to_string()))?;
        // Burn loads every occurrence of a tied parameter by itself. In a copy they are one again.
        Ok(unshared_copy(&loaded))
    }

    /// Some numbers of some parameters, in the order of the coordinates; none if the file has one of these in another
    /// form.
    pub(super) fn numbers(
        &self,
        parts: &[(usize, Range<usize>)],
    ) -> Result<Option<Vec<f64>>, TrajectoryError> {
        let mut numbers = Vec::new();
        for (index, part) in parts {
            let Some(Some(window)) = self.windows.get(*index) else {
                return Ok(None);
            };
            let part = window.numbers(part.clone());
            numbers.extend(part.map_err(|message| self.fails(&message))?);
        }
        Ok(Some(numbers))
    }

    fn fails(&self, message: &str) -> TrajectoryError {
        TrajectoryError::File {
            path: self.path.display().to_string(),
            message: message.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{LinearConfig, LinearLayout};
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn what_is_stored_in_another_order_is_found() {
        let flat = |layout: LinearLayout, [from, to]: [usize; 2]| -> Vec<bool> {
            let layer = LinearConfig::new(from, to).with_layout(layout);
            let layer = layer.init(&Device::default());
            let space = ParamSpace::of(&layer).unwrap();
            let forms = Forms::of(&space, &layer).unwrap();
            forms.0.iter().map(|form| form.is_flat).collect()
        };
        // The square ones have the same shape in both orders.
        for widths in [[2, 2], [3, 2], [16, 16], [251, 251], [300, 2], [40, 500]] {
            assert_eq!(flat(LinearLayout::Row, widths), [true, true], "{widths:?}");
            assert_eq!(flat(LinearLayout::Col, widths), [false, true], "{widths:?}");
        }
        // Here they are the same.
        assert_eq!(flat(LinearLayout::Col, [5, 1]), [true, true]);
    }
}
