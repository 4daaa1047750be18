use crate::basis::split;
use crate::operator::products;
use crate::vector::divided;
use crate::{Probe, SelfAdjoint, Square, VectorBlock, VectorSpace};

/// Random vectors `Ω`, an orthonormal basis `Q` of their products, `A Ωᵀ = Qᵀ R`, and the products `A Qᵀ`
/// of that basis: what XTrace and XDiag are made of.
pub(crate) struct Sketch<V: VectorSpace> {
    pub(crate) probe: Probe,
    pub(crate) seed: u64,
    /// `Ω`, and `ωᵀ A ω` of each.
    pub(crate) vectors: V::Block,
    pub(crate) forms: Vec<f64>,
    /// `Q`, and the columns of `R`, each as long as the basis was when it came.
    pub(crate) basis: V::Block,
    pub(crate) columns: Vec<Vec<f64>>,
    /// `A Qᵀ`.
    pub(crate) images: V::Block,
    pub(crate) num_matvecs: usize,
    /// The remainder of the last product, if that was rounding: the range is exhausted.
    pub(crate) rest: Option<f64>,
}

impl<V: VectorSpace> Sketch<V> {
    /// Room for `capacity` random vectors; more may come.
    pub(crate) fn new(
        space: &V::Space,
        (probe, seed): (Probe, u64),
        capacity: usize,
    ) -> Result<Self, V::Error> {
        Ok(Self {
            probe,
            seed,
            vectors: V::Block::with_capacity(space, capacity)?,
            forms: Vec::new(),
            basis: V::Block::with_capacity(space, capacity)?,
            columns: Vec::new(),
            images: V::Block::with_capacity(space, capacity)?,
            num_matvecs: 0,
            rest: None,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.vectors.len()
    }

    /// Extends to `len` random vectors, or until they show the whole range. Two products for each. Whether an observer
    /// ended a block of them: there are then fewer images than vectors. An error if there are no vectors.
    pub(crate) fn extend<A: SelfAdjoint<Vector = V> + ?Sized>(
        &mut self,
        operator: &A,
        len: usize,
    ) -> Result<bool, A::Error> {
        let space = operator.domain();
        let draw = |index: usize| self.probe.draw::<V>(&space, self.seed, index as u64);
        let vectors: Result<Vec<V>, V::Error> = (self.len()..len).map(draw).collect();
        let vectors = vectors?;
        let found = match products(operator, &vectors, self.num_matvecs) {
            Err(error) if operator.is_stop(&error) && !self.forms.is_empty() => return Ok(true),
            found => found?,
        };
        self.num_matvecs += vectors.len();
        let before = self.basis.len();
        for (v, product) in vectors.into_iter().zip(found) {
            if !self.take(v, product)? {
                break;
            }
        }
        let added = (before..self.basis.len()).filter_map(|index| self.basis.get(index));
        let added: Vec<<A as Square>::Vector> = added.collect();
        let images = match products(operator, &added, self.num_matvecs) {
            Err(error) if operator.is_stop(&error) => {
                self.rest = None;
                return Ok(true);
            }
            images => images?,
        };
        self.num_matvecs += added.len();
        for image in images {
            self.images.push(image)?;
        }
        Ok(false)
    }

    /// Drops the vectors that have no image. Their forms stay.
    pub(crate) fn cut(&mut self) {
        let len = self.images.len();
        self.vectors.truncate(len);
        self.basis.truncate(len);
        self.columns.truncate(len);
    }

    fn take(&mut self, v: V, product: V) -> Result<bool, V::Error> {
        let form = v.dot(&product)?;
        let norm = product.norm()?;
        let smallest = 64.0 * product.epsilon() * norm;
        let (mut column, rest) = split(&self.basis, product)?;
        let length = rest.norm()?;
        if length <= smallest {
            self.rest = Some(length);
            return Ok(false);
        }
        column.push(length);
        self.basis.push(divided(rest, length))?;
        self.columns.push(column);
        self.vectors.push(v)?;
        self.forms.push(form);
        Ok(true)
    }

    /// For each random vector, the unit direction in the basis that its own product alone has brought:
    /// orthogonal to the columns of all the others. The rows of `R⁻¹`, made of norm one.
    pub(crate) fn own_directions(&self) -> Vec<Vec<f64>> {
        let size = self.columns.len();
        let direction = |own: usize| {
            // x R = e: forward, as the columns of R are upper triangular.
            let mut x = vec![0.0; size];
            for j in own..size {
                let column = &self.columns[j];
                let known: f64 = x.iter().zip(&column[..j]).map(|(x, r)| x * r).sum();
                let target = f64::from(u8::from(j == own));
                x[j] = (target - known) / column[j];
            }
            // Scaled first: entries of an inverse can be large.
            let largest = x.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            x.iter_mut().for_each(|x| *x /= largest);
            let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
            x.iter_mut().for_each(|x| *x /= norm);
            x
        };
        (0..size).map(direction).collect()
    }
}

/// The next number of random vectors: half as many again, and no more than `most`.
pub(crate) fn next_size(now: usize, most: usize) -> usize {
    (now + (now / 2).max(4)).min(most)
}
