use crate::estimate::Samples;
use crate::operator::products;
use crate::vector::divided;
use crate::{Probe, SelfAdjoint, Square, VectorBlock, VectorSpace};

/// The block type of an operator's vectors.
type BlockOf<A> = <<A as Square>::Vector as VectorSpace>::Block;

/// Random vectors `Ω`, an orthonormal basis `Q` of their products, `A Ωᵀ = Qᵀ R`, and the products `A Qᵀ`
/// of that basis: the common part of XTrace and XDiag.
pub(crate) struct Sketch<'a, A: SelfAdjoint + ?Sized> {
    operator: &'a A,
    pub(crate) samples: Samples<'a, A>,
    /// `Ω`, and `ωᵀ A ω` of each.
    pub(crate) vectors: BlockOf<A>,
    pub(crate) forms: Vec<f64>,
    /// `Q`, and the columns of `R`, each as long as the basis was when it came.
    pub(crate) basis: BlockOf<A>,
    pub(crate) columns: Vec<Vec<f64>>,
    /// `A Qᵀ`.
    pub(crate) images: BlockOf<A>,
    /// The remainder of the last product, if that was rounding: the range is exhausted.
    pub(crate) rest: Option<f64>,
}

impl<'a, A: SelfAdjoint + ?Sized> Sketch<'a, A> {
    /// Room for `capacity` random vectors; more may come.
    pub(crate) fn new(
        operator: &'a A,
        (probe, seed): (Probe, u64),
        capacity: usize,
    ) -> Result<Self, A::Error> {
        let room = || BlockOf::<A>::with_capacity(&operator.domain(), capacity);
        Ok(Self {
            operator,
            samples: Samples::new(operator, probe, seed),
            vectors: room()?,
            forms: Vec::new(),
            basis: room()?,
            columns: Vec::new(),
            images: room()?,
            rest: None,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.vectors.len()
    }

    /// Extends to `len` random vectors, or until they show the whole range. Two products for each. Whether an observer
    /// ended a block of them: there are then fewer images than vectors. An error if there are no vectors.
    pub(crate) fn extend(&mut self, len: usize) -> Result<bool, A::Error> {
        let Some(pairs) = self.samples.next(len.saturating_sub(self.len()))? else {
            return Ok(true);
        };
        let before = self.basis.len();
        for (v, product) in pairs {
            if !self.take(v, product)? {
                break;
            }
        }
        let added: Result<Vec<A::Vector>, _> = self.basis.vectors().skip(before).collect();
        let added = added?;
        let images = match products(self.operator, &added, self.samples.num_matvecs) {
            Err(error) if self.operator.is_stop(&error) => {
                self.rest = None;
                return Ok(true);
            }
            images => images?,
        };
        self.samples.num_matvecs += added.len();
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

    fn take(&mut self, v: A::Vector, product: A::Vector) -> Result<bool, A::Error> {
        let form = v.dot(&product)?;
        let norm = product.norm()?;
        let smallest = 64.0 * product.epsilon() * norm;
        let (mut column, rest, [_, length]) = self.basis.split(product, &[0, 0])?;
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

    /// For each random vector, the unit direction in the basis that only its product has added: orthogonal to the columns of
    /// all the others. The normalized rows of `R⁻¹`.
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
