use super::pairs::Pairs;
use crate::curvature::{BatchHessians, CurvatureError};
use crate::space::{ParamVector, Wide};

/// A vector times a power of two that brings its norm near one, so that products with it neither overflow nor underflow. No
/// digit changes.
pub(super) struct Unit {
    pub(super) vector: ParamVector,
    pub(super) norm: Wide,
}

impl Unit {
    pub(super) fn of(vector: ParamVector) -> Result<Self, CurvatureError> {
        let norm = vector.wide_norm()?;
        Ok(Self {
            vector: vector.scale_wide(power(-norm.exponent())),
            norm,
        })
    }

    /// The gradient of each part. One that is not finite is an error.
    pub(super) fn gradients(hessians: &BatchHessians<'_>) -> Result<Vec<Self>, CurvatureError> {
        let gradients = hessians.gradients()?.into_iter().enumerate();
        let units = gradients.map(|(batch, gradient)| {
            let unit = Self::of(gradient)?;
            if unit.norm.is_finite() {
                return Ok(unit);
            }
            let norm = unit.norm.value();
            Err(CurvatureError::NonFiniteGradient { batch, norm })
        });
        units.collect()
    }
}

/// `2^exponent`.
pub(super) fn power(exponent: i32) -> Wide {
    Wide::new(1.0, exponent)
}

/// The brackets of pairs without a gradient of zero.
#[derive(Debug, Default)]
pub(super) struct Brackets {
    /// `|C| / (|g_A| |g_B|)`.
    pub(super) brackets: Vec<f64>,
    /// `|C| / (|H_B g_A| + |H_A g_B|)`, of the pairs for which not both products are zero.
    pub(super) relatives: Vec<f64>,
}

impl Brackets {
    /// # Cost
    ///
    /// One product of each part.
    pub(super) fn of(
        hessians: &BatchHessians<'_>,
        gradients: &[Unit],
        pairs: &Pairs,
    ) -> Result<Self, CurvatureError> {
        // Parts without a partner are multiplied by their own gradient.
        let mut partners: Vec<usize> = (0..gradients.len()).collect();
        for &[a, b] in &pairs.pairs {
            (partners[a], partners[b]) = (b, a);
        }
        let vector = |part: usize| &gradients[partners[part]].vector;
        let products = hessians.products(vector)?;
        let mut found = Self::default();
        for &[a, b] in &pairs.pairs {
            let [of_a, of_b] = [a, b].map(|part| gradients[part].norm);
            let common = of_a.exponent().max(of_b.exponent());
            let in_common = |part: usize, norm: Wide| {
                let exponent = norm.exponent() - common;
                products[part].clone().scale_wide(power(exponent))
            };
            // H_B g_A and H_A g_B, both over 2^common.
            let (one, other) = (in_common(b, of_a), in_common(a, of_b));
            let size = one.wide_norm()? + other.wide_norm()?;
            let bracket = one.axpy(-1.0, &other)?.wide_norm()?;
            if !bracket.is_finite() {
                return Err(hessians.find_non_finite(vector)?);
            }
            let norms = of_a * of_b;
            if !norms.is_positive() {
                continue;
            }
            found
                .brackets
                .push((bracket.shifted(common) / norms).value());
            if size.is_positive() {
                found.relatives.push((bracket / size).value());
            }
        }
        Ok(found)
    }
}
