//! A stand-in for a flat tensor on a device: `f32` storage, named spaces, blocks as one allocation,
//! reductions that can fail and that are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burnscape_krylov::{Dense, KrylovFault, VectorBlock, VectorSpace};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DeviceError {
    Krylov(KrylovFault),
    DifferentSpaces { expected: String, found: String },
    Lost,
}

impl std::fmt::Display for DeviceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for DeviceError {}

impl From<KrylovFault> for DeviceError {
    fn from(error: KrylovFault) -> Self {
        Self::Krylov(error)
    }
}

/// A space, its name, and the synchronizations of its device.
#[derive(Debug, Clone)]
pub(crate) struct DeviceSpace {
    name: String,
    len: usize,
    syncs: Arc<AtomicUsize>,
    lost_after: usize,
    /// Whether products with a block round their operands to ten bits, as the matrix units of some devices do.
    is_rounded: bool,
}

impl DeviceSpace {
    pub(crate) fn new(name: &str, len: usize) -> Self {
        Self::lost_after(name, len, usize::MAX)
    }

    /// A device that is lost after some synchronizations.
    pub(crate) fn lost_after(name: &str, len: usize, lost_after: usize) -> Self {
        Self {
            name: name.to_owned(),
            len,
            syncs: Arc::default(),
            lost_after,
            is_rounded: false,
        }
    }

    /// A device whose products with a block round their operands to ten bits.
    pub(crate) fn rounded(name: &str, len: usize) -> Self {
        Self {
            is_rounded: true,
            ..Self::new(name, len)
        }
    }

    /// A number as an operand of a product with a block.
    fn operand(&self, x: f32) -> f32 {
        if !self.is_rounded {
            return x;
        }
        // Ten bits beside the leading one: thirteen of an f32 are dropped, the nearest number is taken.
        f32::from_bits((x.to_bits() + 0x1000) & !0x1fff)
    }

    pub(crate) fn num_syncs(&self) -> usize {
        self.syncs.load(Ordering::Relaxed)
    }

    fn synchronize(&self) -> Result<(), DeviceError> {
        if self.syncs.fetch_add(1, Ordering::Relaxed) >= self.lost_after {
            return Err(DeviceError::Lost);
        }
        Ok(())
    }
}

#[derive(Debug, Clone)]
pub(crate) struct DeviceVector {
    space: DeviceSpace,
    values: Vec<f32>,
}

impl DeviceVector {
    /// The vector times a diagonal, on the device.
    pub(crate) fn times(mut self, diagonal: &[f32]) -> Self {
        self.values
            .iter_mut()
            .zip(diagonal)
            .for_each(|(x, d)| *x *= d);
        self
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl VectorSpace for DeviceVector {
    type Error = DeviceError;
    type Space = DeviceSpace;
    type Block = DeviceBlock;

    fn space(&self) -> DeviceSpace {
        self.space.clone()
    }

    fn dimension(space: &DeviceSpace) -> usize {
        space.len
    }

    fn check_same(expected: &DeviceSpace, found: &DeviceSpace) -> Result<(), DeviceError> {
        if expected.name == found.name {
            return Ok(());
        }
        Err(DeviceError::DifferentSpaces {
            expected: expected.name.clone(),
            found: found.name.clone(),
        })
    }

    fn zeros(space: &DeviceSpace) -> Result<Self, DeviceError> {
        Self::from_host(space, &vec![0.0; space.len])
    }

    fn from_host(space: &DeviceSpace, values: &[f64]) -> Result<Self, DeviceError> {
        let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        Vec::<f32>::check_same(&space.len, &values.len())?;
        let space = space.clone();
        Ok(Self { space, values })
    }

    fn to_host(&self) -> Result<Vec<f64>, DeviceError> {
        self.space.synchronize()?;
        Ok(self.values.iter().map(|&value| f64::from(value)).collect())
    }

    fn epsilon(&self) -> f64 {
        f64::from(f32::EPSILON)
    }

    fn axpy(mut self, a: f64, x: &Self) -> Result<Self, DeviceError> {
        Self::check_same(&self.space, &x.space)?;
        self.values = self.values.axpy(a, &x.values)?;
        Ok(self)
    }

    fn scale(mut self, a: f64) -> Self {
        self.values = self.values.scale(a);
        self
    }

    fn dot(&self, x: &Self) -> Result<f64, DeviceError> {
        Self::check_same(&self.space, &x.space)?;
        self.space.synchronize()?;
        Ok(f64::from(dot(&self.values, &x.values)))
    }
}

/// `[len, n]` in one piece.
#[derive(Debug, Clone)]
pub(crate) struct DeviceBlock {
    space: DeviceSpace,
    values: Vec<f32>,
}

impl DeviceBlock {
    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.space.len)
    }

    fn sum(&self, first: usize, coefficients: &[f32]) -> DeviceVector {
        let mut values = vec![0.0; self.space.len];
        for (row, &c) in self.rows().skip(first).zip(coefficients) {
            let c = self.space.operand(c);
            for (sum, &x) in values.iter_mut().zip(row) {
                *sum += c * self.space.operand(x);
            }
        }
        let space = self.space.clone();
        DeviceVector { space, values }
    }

    fn products(&self, first: usize, v: &DeviceVector) -> Vec<f32> {
        let operand = |x: &f32| self.space.operand(*x);
        let v: Vec<f32> = v.values.iter().map(operand).collect();
        let rows = self.rows().skip(first);
        rows.map(|row| dot(&row.iter().map(operand).collect::<Vec<f32>>(), &v))
            .collect()
    }
}

impl VectorBlock for DeviceBlock {
    type Vector = DeviceVector;

    fn with_capacity(space: &DeviceSpace, capacity: usize) -> Result<Self, DeviceError> {
        let values = Vec::with_capacity(capacity * space.len);
        let space = space.clone();
        Ok(Self { space, values })
    }

    fn space(&self) -> DeviceSpace {
        self.space.clone()
    }

    fn len(&self) -> usize {
        self.values.len() / self.space.len
    }

    fn push(&mut self, v: DeviceVector) -> Result<(), DeviceError> {
        DeviceVector::check_same(&self.space, &v.space)?;
        self.values.extend(v.values);
        Ok(())
    }

    fn truncate(&mut self, len: usize) {
        self.values.truncate(len * self.space.len);
    }

    fn get(&self, index: usize) -> Result<Option<DeviceVector>, DeviceError> {
        let row = self.rows().nth(index);
        Ok(row.map(|row| DeviceVector {
            space: self.space.clone(),
            values: row.to_vec(),
        }))
    }

    fn dots(&self, v: &DeviceVector) -> Result<Vec<f64>, DeviceError> {
        DeviceVector::check_same(&self.space, &v.space)?;
        self.space.synchronize()?;
        let products = self.products(0, v);
        Ok(products.into_iter().map(f64::from).collect())
    }

    fn linear_combination(&self, coefficients: &[f64]) -> Result<DeviceVector, DeviceError> {
        let (expected, found) = (self.len(), coefficients.len());
        if expected != found {
            return Err(KrylovFault::CoefficientCount { expected, found }.into());
        }
        let coefficients: Vec<f32> = coefficients.iter().map(|&c| c as f32).collect();
        Ok(self.sum(0, &coefficients))
    }

    // The coefficients stay where they are: no synchronization.
    fn project_out(&self, v: DeviceVector) -> Result<DeviceVector, DeviceError> {
        DeviceVector::check_same(&self.space, &v.space)?;
        let coefficients = self.products(0, &v);
        v.axpy(-1.0, &self.sum(0, &coefficients))
    }

    fn gram(&self, other: &Self) -> Result<Dense, DeviceError> {
        DeviceVector::check_same(&self.space, &other.space)?;
        self.space.synchronize()?;
        let space = other.space.clone();
        let columns = other.rows().map(|row| {
            let values = row.to_vec();
            let space = space.clone();
            let products = self.products(0, &DeviceVector { space, values });
            products.into_iter().map(f64::from).collect::<Vec<f64>>()
        });
        let columns: Vec<Vec<f64>> = columns.collect();
        let transposed = Dense::from_row_major(columns.len(), self.len(), columns.concat())?;
        Ok(transposed.transpose())
    }

    // Coefficients and norms are read at the end, together.
    fn split(
        &self,
        v: DeviceVector,
        passes: &[usize],
    ) -> Result<(Vec<f64>, DeviceVector, [f64; 2]), DeviceError> {
        DeviceVector::check_same(&self.space, &v.space)?;
        let mut sums = vec![0.0; self.len()];
        let length = |v: &DeviceVector| f64::from(dot(&v.values, &v.values)).sqrt();
        let (mut rest, mut before) = (v, None);
        for (index, &first) in passes.iter().enumerate() {
            if index + 1 == passes.len() {
                before = Some(length(&rest));
            }
            let coefficients = self.products(first, &rest);
            rest = rest.axpy(-1.0, &self.sum(first, &coefficients))?;
            let sums = sums.iter_mut().skip(first);
            sums.zip(coefficients)
                .for_each(|(sum, c)| *sum += f64::from(c));
        }
        self.space.synchronize()?;
        let after = length(&rest);
        Ok((sums, rest, [before.unwrap_or(after), after]))
    }
}
