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
    /// None if a module stores the parameter in a form that only the module reads.
    order: Option<Order>,
}

/// The order in which a file has the numbers of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// That of the coordinates.
    Rows,
    /// Column by column: that of a `Linear` with columns first.
    Columns {
        /// Of the parameter in the model.
        rows: usize,
        columns: usize,
    },
}

impl Order {
    /// That of a parameter whose marks a file has as `numbers`.
    fn of(leaf: &ParamLeaf, numbers: &[f64]) -> Option<Self> {
        let marks = marks(leaf);
        if numbers == marks {
            return Some(Self::Rows);
        }
        let [rows, columns] = *leaf.shape() else {
            return None;
        };
        let stored = (0..marks.len()).map(|index| numbers.get(in_columns(index, rows, columns)));
        stored
            .eq(marks.iter().map(Some))
            .then_some(Self::Columns { rows, columns })
    }
}

/// The place of a coordinate of a matrix that is stored column by column.
fn in_columns(index: usize, rows: usize, columns: usize) -> usize {
    index % columns * rows + index / columns
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
                order: Order::of(leaf, &numbers),
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
    /// The parameters; none for those that only the module reads.
    windows: Vec<Option<(Window, Order)>>,
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
            Ok(form.order.map(|order| (window, order)))
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

    /// Some numbers of some parameters, in the order of the coordinates; none if only the module reads one of these. A
    /// parameter that is stored column by column is read whole, the others are not.
    pub(super) fn numbers(
        &self,
        parts: &[(usize, Range<usize>)],
    ) -> Result<Option<Vec<f64>>, TrajectoryError> {
        let count = parts.iter().map(|(_, part)| part.len()).sum();
        let mut numbers = Vec::with_capacity(count);
        for (index, part) in parts {
            let Some(Some((window, order))) = self.windows.get(*index) else {
                return Ok(None);
            };
            let found = match *order {
                Order::Rows => window.numbers(part.clone()),
                Order::Columns { rows, columns } => {
                    let place = |index| in_columns(index, rows, columns);
                    window.numbers_at(part.clone().map(place))
                }
            };
            numbers.extend(found.map_err(|message| self.fails(&message))?);
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
        let orders = |layout: LinearLayout, [from, to]: [usize; 2]| -> Vec<Option<Order>> {
            let layer = LinearConfig::new(from, to).with_layout(layout);
            let layer = layer.init(&Device::default());
            let space = ParamSpace::of(&layer).unwrap();
            let forms = Forms::of(&space, &layer).unwrap();
            forms.0.iter().map(|form| form.order).collect()
        };
        let rows = Some(Order::Rows);
        // The square ones have the same shape in both orders.
        for widths in [[2, 2], [3, 2], [16, 16], [251, 251], [300, 2], [40, 500]] {
            assert_eq!(
                orders(LinearLayout::Row, widths),
                [rows, rows],
                "{widths:?}"
            );
            let columns = Order::Columns {
                rows: widths[0],
                columns: widths[1],
            };
            let found = orders(LinearLayout::Col, widths);
            assert_eq!(found, [Some(columns), rows], "{widths:?}");
        }
        // Here they are the same.
        assert_eq!(orders(LinearLayout::Col, [5, 1]), [rows, rows]);
    }
}
