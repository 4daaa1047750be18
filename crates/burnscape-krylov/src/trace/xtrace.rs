use super::sketch::next_size;
use super::{Sketch, TraceConfig, TraceEstimate, TraceMethod};
use crate::vector::length;
use crate::{Estimate, KrylovFault, Probe, SelfAdjoint, VectorBlock, VectorSpace};

impl TraceConfig {
    pub(super) fn xtrace<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<TraceEstimate, A::Error> {
        let dimension = <A::Vector as VectorSpace>::dimension(&operator.domain());
        // A run that may stop early does not allocate all of the room at once.
        let room = match self.tolerance {
            None => (self.max_matvecs / 2).min(dimension),
            Some(_) => 0,
        };
        let sketch = Sketch::new(operator, (Probe::Gaussian, self.seed), room)?;
        self.xtrace_from(operator, sketch)
    }

    /// XTrace, from a sketch under way.
    pub(super) fn xtrace_from<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        mut sketch: Sketch<'_, A>,
    ) -> Result<TraceEstimate, A::Error> {
        let dimension = <A::Vector as VectorSpace>::dimension(&operator.domain());
        let most = (self.max_matvecs / 2).min(dimension);
        KrylovFault::ensure_enough(self.limit(), "XTrace", 2 * 2.min(dimension))?;
        loop {
            if sketch.rest.is_none() {
                let is_stopped = sketch.extend(next_size(sketch.len(), most))?;
                if is_stopped {
                    sketch.cut();
                    let last = if sketch.len() < 2 {
                        // Each random vector is a sample of Hutchinson's as well.
                        let about = (sketch.samples.num_matvecs, TraceMethod::Hutchinson);
                        self.estimate(&sketch.forms, 0.0, about)
                    } else {
                        self.read(&sketch, dimension)?
                    };
                    return Ok(last.stopped());
                }
            }
            let estimate = self.read(&sketch, dimension)?;
            let is_stopped = self.shown(operator, &estimate);
            let is_last = sketch.rest.is_some() || sketch.len() >= most;
            if self.is_done(&estimate) || is_last {
                return Ok(estimate);
            }
            if is_stopped {
                return Ok(estimate.stopped());
            }
        }
    }

    fn read<A: SelfAdjoint + ?Sized>(
        &self,
        sketch: &Sketch<'_, A>,
        dimension: usize,
    ) -> Result<TraceEstimate, A::Error> {
        let about = (sketch.samples.num_matvecs, TraceMethod::XTrace);
        let small = Small::of(sketch, dimension)?;
        // The whole range is in the basis, to the rounding that is left of it: |tr B| ≤ √n |B|.
        if let Some(rest) = sketch.rest {
            let rounding = rest * (dimension as f64).sqrt();
            return Ok(self.report((small.inside, Some(rounding)), true, about));
        }
        if sketch.len() == dimension {
            return Ok(self.report((small.inside, Some(0.0)), true, about));
        }
        let estimate = jackknife(sketch.len(), |own, other| small.sample(own, other));
        let half_width = estimate.half_width(self.confidence);
        let is_enough = sketch.len() >= FEWEST;
        Ok(self.report((estimate.value, half_width), is_enough, about))
    }
}

/// The jackknife is not believed before this many vectors.
pub(super) const FEWEST: usize = 8;

/// The mean of `sample(i, None)`, the sample of vector `i` with itself left out of the approximation, with the
/// jackknife's standard error: from the same means with one vector `j` left out altogether, which take
/// `sample(i, Some(j))`. The samples share most of their approximation, and their spread alone is too
/// small; that of the jackknife is too small in no mean (Efron and Stein 1981).
pub(super) fn jackknife(size: usize, sample: impl Fn(usize, Option<usize>) -> f64) -> Estimate {
    let value = (0..size).map(|own| sample(own, None)).sum::<f64>() / size as f64;
    let without = |other: usize| {
        let all = (0..size).filter(|own| *own != other);
        all.map(|own| sample(own, Some(other))).sum::<f64>() / (size - 1) as f64
    };
    let standard_error = (size > 2).then(|| {
        let means: Vec<f64> = (0..size).map(without).collect();
        let center = means.iter().sum::<f64>() / size as f64;
        let total = length(means.iter().map(|x| x - center));
        total * ((size - 1) as f64 / size as f64).sqrt()
    });
    Estimate {
        value,
        standard_error,
        skewness: 0.0,
        samples: size,
    }
}

/// The small matrices of a sketch, and the traces they give.
pub(super) struct Small<'s, 'a, A: SelfAdjoint + ?Sized> {
    sketch: &'s Sketch<'a, A>,
    dimension: usize,
    /// The trace within the basis.
    pub(super) inside: f64,
    /// The directions `s` that the vectors alone have brought, and `H s`.
    own: Vec<(Vec<f64>, Vec<f64>)>,
    /// `w = Q ω`, `H w` and `|ω|²` of each vector.
    vectors: Vec<(Vec<f64>, Vec<f64>, f64)>,
}

impl<'s, 'a, A: SelfAdjoint + ?Sized> Small<'s, 'a, A> {
    pub(super) fn of(sketch: &'s Sketch<'a, A>, dimension: usize) -> Result<Self, A::Error> {
        let size = sketch.len();
        // H = Q A Qᵀ and W = Q Ωᵀ; Q A Ωᵀ is R, as A is self-adjoint.
        let h = sketch.basis.gram(&sketch.images)?;
        let w = sketch.basis.gram(&sketch.vectors)?;
        let row = |i: usize| &h.as_slice()[i * size..(i + 1) * size];
        let times = |x: &[f64]| -> Vec<f64> { (0..size).map(|i| dot(row(i), x)).collect() };
        let mut vectors = Vec::with_capacity(size);
        for index in 0..size {
            let column: Vec<f64> = (0..size).map(|i| w.as_slice()[i * size + index]).collect();
            let image = times(&column);
            let v = sketch.vectors.get(index)?;
            let square = v.map_or(Ok(dimension as f64), |v| v.dot(&v))?;
            vectors.push((column, image, square));
        }
        let own = sketch.own_directions().into_iter();
        Ok(Self {
            sketch,
            dimension,
            inside: (0..size).map(|i| row(i)[i]).sum(),
            own: own
                .map(|s| (times(&s), s))
                .map(|(image, s)| (s, image))
                .collect(),
            vectors,
        })
    }

    /// The sample of vector `index` for the basis of all the others, or of all but another one too: the trace
    /// within that basis, and the quadratic form of the vector's part outside it.
    pub(super) fn sample(&self, index: usize, other: Option<usize>) -> f64 {
        let (w, hw, square) = &self.vectors[index];
        let (mut u, mut hu, mut inside) = (w.clone(), hw.clone(), self.inside);
        let mut remove = |s: &[f64], hs: &[f64]| {
            let along = dot(w, s);
            add(&mut u, -along, s);
            add(&mut hu, -along, hs);
            inside -= dot(s, hs);
        };
        let (s, hs) = &self.own[index];
        let mut removed = 1;
        remove(s, hs);
        if let Some((second, image)) = other.map(|other| &self.own[other]) {
            let along = dot(s, second);
            let (mut rest, mut image) = (second.clone(), image.clone());
            add(&mut rest, -along, s);
            add(&mut image, -along, hs);
            let left = dot(&rest, &rest).sqrt();
            if left > 0.0 {
                rest.iter_mut().chain(&mut image).for_each(|x| *x /= left);
                removed += 1;
                remove(&rest, &image);
            }
        }
        let column = &self.sketch.columns[index];
        let outside = self.sketch.forms[index] - 2.0 * dot(&u, column) + dot(&u, &hu);
        let scale = match self.sketch.samples.probe {
            // The part outside the basis has a uniform direction; its length carries no information.
            Probe::Gaussian => {
                let left = self.dimension + removed - self.sketch.len();
                left as f64 / (square - dot(&u, &u))
            }
            Probe::Rademacher => 1.0,
        };
        inside + scale * outside
    }
}

/// The dot product over the shorter length.
pub(super) fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// `y += a x`.
pub(super) fn add(y: &mut [f64], a: f64, x: &[f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
}
