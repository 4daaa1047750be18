use burn::tensor::{Tensor, TensorData};
use burnscape_krylov::{Dense, KrylovFault, VectorBlock};

use super::host::transfer;
use super::products::{floor, holds};
use super::range::{Limits, scaled_wide};
use super::wide::{Wide, exponent_of};
use super::{FlatSpace, FlatVector, SpaceError, to_host};

/// Vectors of one space, stored as the rows of one tensor `[capacity, width]` on their device. The width is the
/// dimension, padded with a few zeros.
///
/// Each operation of a Krylov method on a basis is one matrix product in the precision of the element type. A dot
/// product of `n` numbers has an error of about `ε √n` times the product of the norms, while
/// [`FlatVector::dot`] sums across the parts of the space in double precision; Krylov methods therefore
/// orthogonalize twice. Vectors never leave the device; coefficients do.
///
/// If terms of dot products leave the range of the element type, the products are computed again from vectors
/// scaled by powers of two. [`project_out`](VectorBlock::project_out) does not read its coefficients and cannot do that: it
/// needs vectors well inside the range. With a basis of norm one, they must exceed `n` times the smallest normal
/// number divided by `ε`.
#[derive(Debug, Clone)]
pub struct TensorBlock<S> {
    space: S,
    /// Has spare rows, so that pushing a vector usually copies nothing.
    rows: Tensor<2>,
    len: usize,
}

/// Flex multiplies a matrix with a vector on one thread, but several matrices on several threads. So the rows are
/// split into this many matrices.
const PARTS: usize = 4;
/// The number of vectors from which splitting pays off.
const FEWEST: usize = 16;

impl<S: FlatSpace> TensorBlock<S> {
    /// The rows that hold vectors, including their padding.
    fn used(&self) -> Tensor<2> {
        let [capacity, width] = self.rows.dims();
        if capacity == self.len {
            self.rows.clone()
        } else {
            self.rows.clone().slice([0..self.len, 0..width])
        }
    }

    fn dimension(&self) -> usize {
        self.space.dimension()
    }

    /// `Q v` on the device, `[len, 1]`.
    fn projections(&self, column: Tensor<1>) -> Tensor<2> {
        let [capacity, width] = self.rows.dims();
        let n = self.dimension();
        let rows = self.len.next_multiple_of(PARTS);
        if self.len < FEWEST || rows > capacity {
            let used = self.rows.clone().slice([0..self.len, 0..n]);
            return used.matmul(column.unsqueeze_dim::<2>(1));
        }
        let parts = self.rows.clone().slice([0..rows, 0..width]);
        let parts = parts.reshape([PARTS, rows / PARTS, width]);
        let parts = parts.slice([0..PARTS, 0..rows / PARTS, 0..n]);
        let products = parts.matmul(column.reshape([1, n, 1]));
        // Drops the products of unused rows.
        products.reshape([rows, 1]).slice([0..self.len, 0..1])
    }

    /// `Σ_i c_i q_i` on the device, for `c` of shape `[1, len]`.
    fn mixture(&self, coefficients: Tensor<2>) -> Tensor<1> {
        let [capacity, width] = self.rows.dims();
        let sum = if self.len < FEWEST {
            coefficients.matmul(self.used()).reshape([width])
        } else {
            let parts = self.rows.clone().reshape([capacity, PARTS, width / PARTS]);
            let parts = parts.slice([0..self.len, 0..PARTS, 0..width / PARTS]);
            let coefficients = coefficients.unsqueeze_dim::<3>(0);
            let sums = coefficients.matmul(parts.swap_dims(0, 1));
            sums.reshape([width])
        };
        let n = self.dimension();
        if n == width { sum } else { sum.slice(0..n) }
    }

    /// Whether dot products are finite and the largest of them is not affected by underflow.
    fn are_trusted(&self, dots: &[f64]) -> bool {
        let largest = dots
            .iter()
            .fold(0.0_f64, |largest, dot| largest.max(dot.abs()));
        let floor = floor(self.dimension(), self.rows.dtype());
        dots.iter().all(|dot| dot.is_finite()) && holds(largest, floor)
    }

    /// The exponents of the largest numbers of two tensors; `None` if one is zero or not finite.
    fn exponents(tensors: [Tensor<1>; 2]) -> Result<Option<[i32; 2]>, SpaceError> {
        let largest = tensors.map(|x| x.max_abs());
        let largest = transfer(largest.to_vec())?;
        let is_number = |value: &f64| *value > 0.0 && value.is_finite();
        Ok(match largest[..] {
            [x, y] if largest.iter().all(is_number) => Some([exponent_of(x), exponent_of(y)]),
            _ => None,
        })
    }

    /// All numbers of the rows that hold vectors.
    fn numbers(&self) -> Tensor<1> {
        let used = self.used();
        let len = used.shape().num_elements();
        used.reshape([len])
    }

    /// Multiplies the block by a power of two.
    fn shifted(&self, exponent: i32) -> Self {
        // Most rows have norm one and need no scaling.
        if exponent.abs() <= 32 {
            return self.clone();
        }
        Self {
            space: self.space.clone(),
            rows: scaled_wide(self.rows.clone(), Wide::new(1.0, exponent)),
            len: self.len,
        }
    }

    fn upload(&self, numbers: Vec<f64>, shape: [usize; 2]) -> Tensor<2> {
        let data = TensorData::new(numbers, shape);
        Tensor::from_data(data, (&self.rows.device(), self.rows.dtype()))
    }
}

impl<S: FlatSpace> VectorBlock for TensorBlock<S> {
    type Vector = FlatVector<S>;

    fn with_capacity(space: &S, capacity: usize) -> Result<Self, SpaceError> {
        let (device, dtype) = space.place()?;
        let capacity = if capacity < FEWEST {
            capacity.max(1)
        } else {
            capacity.next_multiple_of(PARTS)
        };
        let width = space.dimension().next_multiple_of(PARTS);
        let shape = [capacity, width];
        Ok(Self {
            space: space.clone(),
            rows: Tensor::zeros(shape, (device, dtype)),
            len: 0,
        })
    }

    fn space(&self) -> S {
        self.space.clone()
    }

    fn len(&self) -> usize {
        self.len
    }

    fn push(&mut self, v: FlatVector<S>) -> Result<(), SpaceError> {
        self.space.check_same(v.space())?;
        let [capacity, width] = self.rows.dims();
        let n = self.dimension();
        let row = v.values().clone().unsqueeze_dim::<2>(0);
        if self.len == capacity {
            // Doubling the capacity copies each row at most twice in total.
            let more = Tensor::zeros([capacity, width], (&row.device(), row.dtype()));
            self.rows = Tensor::cat(vec![self.rows.clone(), more], 0);
        }
        let placeholder = Tensor::zeros([1, 1], (&row.device(), row.dtype()));
        // Burn writes in place if there is a single owner.
        let rows = std::mem::replace(&mut self.rows, placeholder);
        self.rows = rows.slice_assign([self.len..self.len + 1, 0..n], row);
        self.len += 1;
        Ok(())
    }

    fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    fn get(&self, index: usize) -> Option<FlatVector<S>> {
        if index >= self.len {
            return None;
        }
        let n = self.dimension();
        let row = self.rows.clone().slice([index..index + 1, 0..n]);
        FlatVector::from_values(&self.space, row.reshape([n])).ok()
    }

    fn dots(&self, v: &FlatVector<S>) -> Result<Vec<f64>, SpaceError> {
        self.space.check_same(v.space())?;
        let len = self.len;
        if len == 0 {
            return Ok(Vec::new());
        }
        let plain = to_host(self.projections(v.values().clone()).reshape([len]))?;
        if self.are_trusted(&plain) {
            return Ok(plain);
        }
        let Some([own, other]) = Self::exponents([self.numbers(), v.values().clone()])? else {
            return Ok(plain);
        };
        let own = if own.abs() <= 32 { 0 } else { own };
        let column = scaled_wide(v.values().clone(), Wide::new(1.0, -other));
        let dots = to_host(self.shifted(-own).projections(column).reshape([len]))?;
        let dots = dots
            .into_iter()
            .map(|dot| Wide::new(dot, own + other).value());
        Ok(dots.collect())
    }

    fn linear_combination(&self, coefficients: &[f64]) -> Result<FlatVector<S>, SpaceError> {
        if coefficients.len() != self.len {
            let error = KrylovFault::CoefficientCount {
                expected: self.len,
                found: coefficients.len(),
            };
            return Err(error.into());
        }
        if self.len == 0 {
            return FlatVector::zeros(&self.space);
        }
        // Coefficients may be outside the range of the element type if the vectors compensate for it.
        let largest = coefficients
            .iter()
            .fold(0.0_f64, |most, c| most.max(c.abs()));
        let range = Limits::of(self.rows.dtype());
        let is_in_range = (range.smallest..=range.largest).contains(&largest);
        let exponent = if largest > 0.0 && largest.is_finite() && !is_in_range {
            exponent_of(largest)
        } else {
            0
        };
        let row = coefficients
            .iter()
            .map(|&c| Wide::new(c, -exponent).value());
        let row = self.upload(row.collect(), [1, self.len]);
        let sum = self.mixture(row);
        FlatVector::from_values(
            &self.space,
            match exponent {
                0 => sum,
                exponent => scaled_wide(sum, Wide::new(1.0, exponent)),
            },
        )
    }

    fn project_out(&self, v: FlatVector<S>) -> Result<FlatVector<S>, SpaceError> {
        self.space.check_same(v.space())?;
        if self.len == 0 {
            return Ok(v);
        }
        let component = self.mixture(self.projections(v.values().clone()).transpose());
        FlatVector::from_values(&self.space, v.values().clone() - component)
    }

    fn gram(&self, other: &Self) -> Result<Dense, SpaceError> {
        self.space.check_same(&other.space)?;
        let entries = match (self.len, other.len) {
            (0, _) | (_, 0) => Vec::new(),
            (rows, columns) => {
                let products = |a: &Self, b: &Self| {
                    let products = a.used().matmul(b.used().transpose());
                    to_host(products.reshape([rows * columns]))
                };
                let plain = products(self, other)?;
                let exponents = if self.are_trusted(&plain) {
                    None
                } else {
                    Self::exponents([self.numbers(), other.numbers()])?
                };
                match exponents {
                    None => plain,
                    Some(exponents) => {
                        let [a, b] = exponents.map(|e| if e.abs() <= 32 { 0 } else { e });
                        let dots = products(&self.shifted(-a), &other.shifted(-b))?.into_iter();
                        dots.map(|dot| Wide::new(dot, a + b).value()).collect()
                    }
                }
            }
        };
        Ok(Dense::from_row_major(self.len, other.len, entries)?)
    }

    fn transform(&self, coefficients: &Dense) -> Result<Self, SpaceError> {
        let [rows, columns] = [coefficients.num_rows(), coefficients.num_columns()];
        if columns != self.len {
            let error = KrylovFault::CoefficientCount {
                expected: self.len,
                found: columns,
            };
            return Err(error.into());
        }
        if rows == 0 || columns == 0 {
            let mut block = Self::with_capacity(&self.space, rows)?;
            block.len = rows;
            return Ok(block);
        }
        let turned = self.upload(coefficients.as_slice().to_vec(), [rows, columns]);
        Ok(Self {
            space: self.space.clone(),
            rows: turned.matmul(self.used()),
            len: rows,
        })
    }
}
