use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::free_points::FreeSpace;
use crate::loss::LossError;
use crate::loss::scalar::{called, check_scalar, gradients};
use crate::space::{LeafVector, Wide};

/// The forces on the inner pivots of a band.
pub(super) struct Forces<'a> {
    pub(super) spring: f64,
    pub(super) ends: [&'a LeafVector; 2],
}

impl Forces<'_> {
    /// The losses of the inner pivots, their mean, and the negative forces.
    pub(super) fn evaluate<M: Module>(
        &self,
        space: &FreeSpace<M>,
        free: &Vec<M>,
        loss: &dyn Fn(&M) -> Tensor<1>,
    ) -> Result<(Vec<f64>, Tensor<1>, GradientsParams), LossError> {
        let free = space.vectors(free)?;
        let [first, last] = self.ends;
        let loss_of = |pivot: &LeafVector| -> Result<(M, Tensor<1>), LossError> {
            let model = space.model(pivot.clone().placed_in(&space.point)?);
            let loss = called(|| loss(&model))?;
            check_scalar(&loss)?;
            Ok((model, loss))
        };
        let mut losses = vec![loss_of(first)?.1.inner()];
        let mut slopes = Vec::with_capacity(free.len());
        for pivot in &free {
            let (model, loss) = loss_of(pivot)?;
            let gradient = gradients(&loss, &model)?;
            slopes.push(LeafVector::from_gradients(&space.point, &gradient)?);
            losses.push(loss.inner());
        }
        losses.push(loss_of(last)?.1.inner());
        let pivots: Vec<&LeafVector> = [first].into_iter().chain(&free).chain([last]).collect();
        let edges = pivots
            .windows(2)
            .map(|pair| pair[1].axpby(1.0, -1.0, pair[0]));
        let edges = edges.collect::<Result<Vec<_>, _>>()?;
        // One transfer for all inner products and losses.
        let mut pairs: Vec<(&LeafVector, &LeafVector)> = Vec::new();
        pairs.extend(edges.iter().map(|edge| (edge, edge)));
        for (index, slope) in slopes.iter().enumerate() {
            let (before, after) = (&edges[index], &edges[index + 1]);
            pairs.extend([(before, after), (slope, before), (slope, after)]);
        }
        let (dots, values) = LeafVector::wide_dots(&pairs, &losses)?;
        let squares = &dots[..edges.len()];
        let mut parts = Vec::with_capacity(free.len());
        for (index, slope) in slopes.into_iter().enumerate() {
            let at = edges.len() + 3 * index;
            let around = Around {
                losses: [values[index], values[index + 1], values[index + 2]],
                squares: [squares[index], squares[index + 1]],
                across: dots[at],
                slopes: [dots[at + 1], dots[at + 2]],
            };
            let [before, after] = around.correction(self.spring);
            let part = slope.axpby(1.0, before, &edges[index])?;
            parts.push(part.axpby(1.0, after, &edges[index + 1])?);
        }
        let inner = values[1..values.len() - 1].to_vec();
        let count = inner.len() as f64;
        let mean = losses.iter().skip(1).take(inner.len()).cloned();
        let mean = mean
            .reduce(|x, y| x + y)
            .unwrap_or_else(|| losses[0].clone())
            / count;
        Ok((inner, mean, space.gradients(parts)?))
    }
}

/// The losses and inner products that determine the force on a pivot.
struct Around {
    /// Of the pivot before, this pivot, and the pivot after.
    losses: [f64; 3],
    /// `|e|²` of the edges before and after.
    squares: [Wide; 2],
    /// `⟨e_before, e_after⟩`.
    across: Wide,
    /// `⟨g, e⟩` with both.
    slopes: [Wide; 2],
}

impl Around {
    /// The factors of both edges in `g − ⟨g, τ⟩ τ − k (|e_after| − |e_before|) τ`.
    fn correction(&self, spring: f64) -> [f64; 2] {
        let [x, y] = self.tangent().map(Wide::from);
        let [before, after] = self.squares;
        let mixed = x * y * self.across;
        let square = x * x * before + mixed + mixed + y * y * after;
        if !square.is_positive() {
            return [0.0, 0.0];
        }
        let norm = square.sqrt();
        let along = (x * self.slopes[0] + y * self.slopes[1]) / norm;
        let stretch = after.sqrt() + -before.sqrt();
        let factor = -((along + Wide::from(spring) * stretch) / norm);
        [(x * factor).value(), (y * factor).value()]
    }

    /// The tangent as a combination of both edges (Henkelman and Jónsson 2000, equations 8 to 11).
    fn tangent(&self) -> [f64; 2] {
        let [before, own, after] = self.losses;
        if after > own && own > before {
            return [0.0, 1.0];
        }
        if after < own && own < before {
            return [1.0, 0.0];
        }
        let (up, down) = ((after - own).abs(), (before - own).abs());
        let (large, small) = (up.max(down), up.min(down));
        if large == 0.0 {
            return [1.0, 1.0];
        }
        if after > before {
            [small, large]
        } else {
            [large, small]
        }
    }
}
