use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape_krylov::{Dense, KrylovFault, VectorBlock};

use super::chunks::Chunks;
use super::dot::partial_sums;
use super::epsilon::epsilon;
use super::host::transfer;
use super::kernel::{Kernel, joined};
use super::offload::usable;
use super::products::{floor, holds};
use super::range::{Limits, scaled_wide};
use super::wide::{Wide, exponent_of};
use super::{FlatSpace, FlatVector, SpaceError, limited_by, moved, to_host};

/// Vectors of one space, stored as the rows of a few tensors `[rows, width]` on their device or another one. The width
/// is the dimension, padded with a few zeros.
///
/// Products with a basis are matrix products on Flex, and products and sums elsewhere: matrix products of an
/// accelerator may round their operands to ten bits. A dot product of `n` numbers has an error of about `ε √n` times
/// the product of the norms at most. Vectors never leave their devices; coefficients do.
///
/// If terms of dot products leave the range of the element type, the products are computed again from vectors
/// scaled by powers of two. [`project_out`](VectorBlock::project_out) does not read its coefficients and cannot do that: it
/// needs vectors well inside the range. With a basis of norm one, they must exceed `n` times the smallest normal
/// number divided by `ε`.
#[derive(Debug, Clone)]
pub struct TensorBlock<S> {
    space: S,
    kernel: Kernel,
    rows: Chunks,
}

/// What passes of Gram-Schmidt left, with all numbers on the host.
struct Parts {
    coefficients: Vec<f64>,
    rest: Tensor<1>,
    /// Of the lengths before the last pass and after it.
    squares: [f64; 2],
}

impl<S: FlatSpace> TensorBlock<S> {
    fn dimension(&self) -> usize {
        self.space.dimension()
    }

    fn device(&self) -> &Device {
        self.rows.device()
    }

    fn dtype(&self) -> DType {
        self.rows.dtype()
    }

    /// The numbers of a vector on the device of the rows.
    fn here(&self, v: &FlatVector<S>) -> Result<Tensor<1>, SpaceError> {
        self.space.check_same(v.space())?;
        self.in_time(|| moved(v.values().clone(), self.device()))
    }

    /// Runs work that may wait for a device, with the limit of the space.
    fn in_time<T>(&self, work: impl FnOnce() -> T) -> T {
        limited_by(self.space.waits(), work)
    }

    /// `Q v` on the device for the vectors from `first` on.
    fn projections(&self, first: usize, v: &Tensor<1>) -> Tensor<1> {
        let products = self.rows.from(first);
        joined(
            products
                .map(|(rows, range)| self.kernel.projections(rows, range, v))
                .collect(),
        )
    }

    /// `Σ_i c_i q_i` on the device for the vectors from `first` on, as long as a padded vector or as a vector.
    fn mixture(&self, first: usize, coefficients: &Tensor<1>, len: usize) -> Tensor<1> {
        let mut done = 0;
        let sums = self.rows.from(first).map(|(rows, range)| {
            let count = range.len();
            let own = coefficients.clone().slice(done..done + count);
            done += count;
            self.kernel.mixture(rows, range, &own, len)
        });
        let sum = sums.reduce(|sum, more| sum + more);
        sum.unwrap_or_else(|| Tensor::zeros([len], (self.device(), self.dtype())))
    }

    /// [`projections`](Self::projections) of all vectors, on the host.
    fn host_projections(&self, v: Tensor<1>) -> Result<Vec<f64>, SpaceError> {
        let v = self.kernel.padded(v, self.rows.width());
        self.in_time(|| to_host(self.projections(0, &v)))
    }

    /// Passes of Gram-Schmidt. Everything is read in one transfer at the end.
    fn passes(&self, v: Tensor<1>, passes: &[usize]) -> Result<Parts, SpaceError> {
        let [n] = v.dims();
        let len = self.len();
        let mut rest = self.kernel.padded(v, self.rows.width());
        let [padded] = rest.dims();
        let mut waiting = Vec::with_capacity(passes.len() + 1);
        for &first in passes {
            let first = first.min(len - 1);
            let along = self.projections(first, &rest);
            rest = rest - self.mixture(first, &along, padded);
            waiting.push((first, along));
        }
        let numbers = waiting.iter().map(|(_, along)| along.clone());
        let numbers = numbers.chain([partial_sums(&rest, &rest)]);
        let numbers = self.in_time(|| to_host(joined(numbers.collect())))?;
        let mut numbers = numbers.into_iter();
        let (mut coefficients, mut taken) = (vec![0.0; len], 0.0);
        for (first, _) in waiting {
            taken = 0.0;
            let sums = coefficients.iter_mut().skip(first);
            for (sum, along) in sums.zip(numbers.by_ref()) {
                *sum += along;
                taken += along * along;
            }
        }
        let left: f64 = numbers.sum();
        let rest = if padded == n { rest } else { rest.slice(0..n) };
        Ok(Parts {
            coefficients,
            rest,
            // What was taken is orthogonal to what is left, so that the norm before need not be measured.
            squares: [taken + left, left],
        })
    }

    /// Whether a sum of products of vectors is finite and not affected by underflow.
    fn holds(&self, sum: f64) -> bool {
        holds(sum, floor(self.dimension(), self.dtype()))
    }

    /// Whether the squares of a vector and of what a pass left of it are finite and not affected by underflow. What
    /// is left may be nothing, if the underflow of its terms would be less than the rounding of the pass.
    fn are_accurate(&self, [before, after]: [f64; 2]) -> bool {
        let is_large = self.holds(before * epsilon(self.dtype()));
        self.holds(before) && (self.holds(after) || is_large && after.is_finite())
    }

    /// Whether dot products are finite and the largest of them is not affected by underflow.
    fn are_trusted(&self, dots: &[f64]) -> bool {
        let sizes = dots.iter().map(|dot| dot.abs());
        let largest = sizes.fold(0.0_f64, f64::max);
        dots.iter().all(|dot| dot.is_finite()) && self.holds(largest)
    }

    /// The exponents of the largest numbers of two sets of numbers; `None` if one is zero or not finite.
    fn exponents(&self, sets: [Vec<Tensor<1>>; 2]) -> Result<Option<[i32; 2]>, SpaceError> {
        let counts = sets.each_ref().map(Vec::len);
        let largest = sets.into_iter().flatten().map(Tensor::max_abs);
        let largest = self.in_time(|| transfer(largest.collect()))?;
        let (first, second) = largest.split_at(counts[0].min(largest.len()));
        let largest = [first, second].map(|own| own.iter().copied().fold(0.0_f64, f64::max));
        let is_number = |value: f64| value > 0.0 && value.is_finite();
        Ok(largest
            .iter()
            .all(|value| is_number(*value))
            .then(|| largest.map(exponent_of)))
    }

    /// Multiplies the block by a power of two.
    fn shifted(&self, exponent: i32) -> Self {
        // Most rows have norm one and need no scaling.
        if exponent.abs() <= 32 {
            return self.clone();
        }
        let rows = self
            .rows
            .map(|rows| scaled_wide(rows, Wide::new(1.0, exponent)));
        Self {
            space: self.space.clone(),
            kernel: self.kernel,
            rows,
        }
    }

    fn upload<const D: usize>(&self, numbers: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
        let data = TensorData::new(numbers, shape);
        Tensor::from_data(data, (self.device(), self.dtype()))
    }

    /// `Q Pᵀ` on the host, row by row.
    fn products(&self, other: &Self) -> Result<Vec<f64>, SpaceError> {
        let strips = self.rows.used().map(|own| {
            let blocks = other.rows.used().map(|others| {
                let others = moved(others, self.device())?;
                Ok(self.kernel.gram(&own, &others))
            });
            let strip = Tensor::cat(blocks.collect::<Result<Vec<_>, SpaceError>>()?, 1);
            let len = strip.shape().num_elements();
            Ok(strip.reshape([len]))
        });
        self.in_time(|| {
            let strips = strips.collect::<Result<Vec<_>, SpaceError>>()?;
            to_host(joined(strips))
        })
    }
}

impl<S: FlatSpace> VectorBlock for TensorBlock<S> {
    type Vector = FlatVector<S>;

    fn with_capacity(space: &S, capacity: usize) -> Result<Self, SpaceError> {
        let (device, dtype) = space.place()?;
        let device = match space.basis_device() {
            None => device.clone(),
            Some(other) => limited_by(space.waits(), || usable(other, dtype))?,
        };
        let kernel = Kernel::of(&device);
        Ok(Self {
            rows: Chunks::new(kernel, space.dimension(), capacity, (device, dtype)),
            kernel,
            space: space.clone(),
        })
    }

    fn space(&self) -> S {
        self.space.clone()
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn push(&mut self, v: FlatVector<S>) -> Result<(), SpaceError> {
        let row = self.here(&v)?;
        drop(v);
        self.rows.push(row);
        Ok(())
    }

    fn adopt(&mut self, space: &S) -> Result<(), SpaceError> {
        space.check_same(&self.space)?;
        self.space = space.clone();
        Ok(())
    }

    fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
    }

    fn get(&self, index: usize) -> Result<Option<FlatVector<S>>, SpaceError> {
        let row = self.rows.get(index);
        row.map(|row| FlatVector::from_values(&self.space, row))
            .transpose()
    }

    fn dots(&self, v: &FlatVector<S>) -> Result<Vec<f64>, SpaceError> {
        let v = self.here(v)?;
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let plain = self.host_projections(v.clone())?;
        if self.are_trusted(&plain) {
            return Ok(plain);
        }
        let Some([own, other]) = self.exponents([self.rows.numbers(), vec![v.clone()]])? else {
            return Ok(plain);
        };
        let own = if own.abs() <= 32 { 0 } else { own };
        let v = scaled_wide(v, Wide::new(1.0, -other));
        let dots = self.shifted(-own).host_projections(v)?.into_iter();
        Ok(dots
            .map(|dot| Wide::new(dot, own + other).value())
            .collect())
    }

    fn linear_combination(&self, coefficients: &[f64]) -> Result<FlatVector<S>, SpaceError> {
        if coefficients.len() != self.len() {
            let error = KrylovFault::CoefficientCount {
                expected: self.len(),
                found: coefficients.len(),
            };
            return Err(error.into());
        }
        if self.is_empty() {
            return FlatVector::zeros(&self.space);
        }
        // Coefficients may be outside the range of the element type if the vectors compensate for it.
        let largest = coefficients
            .iter()
            .fold(0.0_f64, |most, c| most.max(c.abs()));
        let range = Limits::of(self.dtype());
        let is_in_range = (range.smallest..=range.largest).contains(&largest);
        let exponent = if largest > 0.0 && largest.is_finite() && !is_in_range {
            exponent_of(largest)
        } else {
            0
        };
        let row = coefficients
            .iter()
            .map(|&c| Wide::new(c, -exponent).value());
        let row = self.upload(row.collect(), [self.len()]);
        let sum = self.mixture(0, &row, self.dimension());
        FlatVector::from_values(
            &self.space,
            match exponent {
                0 => sum,
                exponent => scaled_wide(sum, Wide::new(1.0, exponent)),
            },
        )
    }

    fn project_out(&self, v: FlatVector<S>) -> Result<FlatVector<S>, SpaceError> {
        let values = self.here(&v)?;
        if self.is_empty() {
            return Ok(v);
        }
        drop(v);
        let n = self.dimension();
        let along = self.kernel.padded(values.clone(), self.rows.width());
        let along = self.projections(0, &along);
        FlatVector::from_values(&self.space, values - self.mixture(0, &along, n))
    }

    /// One transfer; two more if squares leave the range of the element type or are zero.
    fn split(
        &self,
        v: FlatVector<S>,
        passes: &[usize],
    ) -> Result<(Vec<f64>, FlatVector<S>, [f64; 2]), SpaceError> {
        let values = self.here(&v)?;
        if self.is_empty() || passes.is_empty() {
            let norm = v.norm()?;
            return Ok((vec![0.0; self.len()], v, [norm; 2]));
        }
        drop(v);
        let Parts {
            coefficients,
            rest,
            squares,
        } = self.passes(values.clone(), passes)?;
        let exponents = if self.are_accurate(squares) {
            None
        } else {
            self.exponents([vec![values.clone()], vec![values.clone()]])?
        };
        let Some([exponent, _]) = exponents else {
            let rest = FlatVector::from_values(&self.space, rest)?;
            return Ok((coefficients, rest, squares.map(f64::sqrt)));
        };
        let near_one = scaled_wide(values, Wide::new(1.0, -exponent));
        let Parts {
            coefficients,
            rest,
            squares,
        } = self.passes(near_one, passes)?;
        let raised = |x: f64| Wide::new(x, exponent).value();
        let rest = scaled_wide(rest, Wide::new(1.0, exponent));
        Ok((
            coefficients.into_iter().map(raised).collect(),
            FlatVector::from_values(&self.space, rest)?,
            squares.map(|square| raised(square.sqrt())),
        ))
    }

    fn gram(&self, other: &Self) -> Result<Dense, SpaceError> {
        self.space.check_same(&other.space)?;
        let entries = if self.is_empty() || other.is_empty() {
            Vec::new()
        } else {
            let plain = self.products(other)?;
            let exponents = if self.are_trusted(&plain) {
                None
            } else {
                self.exponents([self.rows.numbers(), other.rows.numbers()])?
            };
            match exponents {
                None => plain,
                Some(exponents) => {
                    let [a, b] = exponents.map(|e| if e.abs() <= 32 { 0 } else { e });
                    let dots = self.shifted(-a).products(&other.shifted(-b))?.into_iter();
                    dots.map(|dot| Wide::new(dot, a + b).value()).collect()
                }
            }
        };
        Ok(Dense::from_row_major(self.len(), other.len(), entries)?)
    }

    fn transform(&self, coefficients: &Dense) -> Result<Self, SpaceError> {
        let [rows, columns] = [coefficients.num_rows(), coefficients.num_columns()];
        if columns != self.len() {
            let error = KrylovFault::CoefficientCount {
                expected: self.len(),
                found: columns,
            };
            return Err(error.into());
        }
        let mut turned = Self {
            space: self.space.clone(),
            kernel: self.kernel,
            rows: self.rows.emptied(),
        };
        if rows == 0 {
            return Ok(turned);
        }
        if columns == 0 {
            for _ in 0..rows {
                turned.push(FlatVector::zeros(&self.space)?)?;
            }
            return Ok(turned);
        }
        for range in self.rows.groups(rows) {
            // Rows of zeros are room for more vectors.
            let room = range.len().max(self.rows.room(range.start));
            let height = self.kernel.height(room);
            let own = range.start * columns..range.end * columns;
            let mut numbers = coefficients.as_slice()[own].to_vec();
            numbers.resize(height * columns, 0.0);
            let numbers = self.upload(numbers, [height, columns]);
            let mut first = 0;
            let sums = self.rows.used().map(|used| {
                let [count, _] = used.dims();
                let own = [0..height, first..first + count];
                first += count;
                let own = numbers.clone().slice(own);
                self.kernel.transform(&own, &used)
            });
            if let Some(sum) = sums.reduce(|sum, more| sum + more) {
                turned.rows.append(sum, room, range.len());
            }
        }
        Ok(turned)
    }
}

#[cfg(test)]
mod tests;
