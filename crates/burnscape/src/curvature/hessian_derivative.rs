use burn::module::Module;
use burnscape_linearize::LinearMap;

use super::CurvatureError;
use super::batch_points::{Setup, Traced};
use super::batch_sum::BatchSum;
use super::kept::{Kept, KeptShard};
use super::matrix::Matrix;
use super::site::{Site, positions};
use super::symmetric::symmetric;
use crate::loss::{Risk, RiskBatch};
use crate::space::{ParamVector, moved};

/// The derivative of the Hessian of a loss over data along a vector `u`: the symmetric matrix `d/dt H(w + t u)` at
/// `t = 0`, exact up to rounding, from third derivatives of the loss.
///
/// Its product with `u` is the gradient of `uᵀ H(w) u` for a fixed `u`, and that of an eigenvalue of `H`, if `u` is its
/// eigenvector of norm one.
///
/// # Cost
///
/// As a [`Hessian`](super::Hessian), with about twice the work: one trace for all batches of the same shapes, and a
/// gradient with a forward derivative for each batch. A product costs about two of the Hessian.
pub(crate) struct HessianDerivative<'a>(Matrix<'a>);

impl<'a> HessianDerivative<'a> {
    /// That of a risk at a model along a vector, with what another one has kept if it fits.
    pub(crate) fn with_kept<M: Module, K>(
        risk: &Risk<'a, M, K>,
        model: &M,
        along: &ParamVector,
        kept: Option<Kept>,
    ) -> Result<Self, CurvatureError> {
        risk.space(model)?.check_same(along.space())?;
        let matrix = Matrix::with_kept(risk, model, kept, |site, kept| {
            Self::batches(site, along, kept)
        })?;
        Ok(Self(matrix))
    }

    fn batches<M: Module>(
        site: &Site<'_, 'a, M>,
        along: &ParamVector,
        kept: Option<KeptShard>,
    ) -> Result<BatchSum<'a>, CurvatureError> {
        let trace = |batch: &dyn RiskBatch<M>, _: usize| traced(site, batch);
        let along = moved(along.values().clone(), site.space.device())?;
        let setup = Setup {
            direction: Some(&along),
            ..site.setup(&trace)
        };
        symmetric(site, &setup, kept)
    }

    /// What can be used at other weights and along other vectors. Residuals are released.
    pub(crate) fn into_kept(self) -> Kept {
        self.0.batches.into_kept()
    }

    /// The product with a vector.
    pub(crate) fn product(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        self.0.product(v)
    }
}

/// The map of a batch. That the gradient is one of the loss is what a Hessian checks.
fn traced<M: Module>(
    site: &Site<'_, '_, M>,
    batch: &dyn RiskBatch<M>,
) -> Result<Traced, CurvatureError> {
    let trace = batch.trace_gradient(site.model(), site.settings, site.reduction)?;
    let wrt = site.chosen(&trace.parameters)?;
    Ok(Traced {
        positions: positions(&wrt, &trace.parameters),
        reverse: None,
        maps: vec![LinearMap::hessian_derivative(&trace, &wrt, site.settings)?],
        bindings: trace.bindings,
        noise: None,
    })
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::{DType, Device, Tensor, TensorData};
    use burnscape_krylov::LinearOperator;

    use super::*;
    use crate::space::ParamSpace;

    const ROWS: [[f64; 3]; 4] = [
        [1.0, 0.5, -1.0],
        [0.0, 2.0, 1.0],
        [-1.0, 1.0, 0.5],
        [2.0, -0.5, 0.0],
    ];

    fn dot(x: &[f64], y: &[f64]) -> f64 {
        x.iter().zip(y).map(|(x, y)| x * y).sum()
    }

    /// Of the mean of `(x·w)⁴` over the rows: the mean of `24 (x·w)(x·u)(x·v) x`.
    fn expected([w, u, v]: [&[f64; 3]; 3]) -> Vec<f64> {
        let mean = |i: usize| {
            let terms = ROWS
                .iter()
                .map(|x| dot(x, w) * dot(x, u) * dot(x, v) * x[i]);
            24.0 * terms.sum::<f64>() / ROWS.len() as f64
        };
        (0..3).map(mean).collect()
    }

    fn loss(model: &Linear, x: Tensor<2>) -> Tensor<1> {
        model.forward(x).powi_scalar(4).mean()
    }

    /// Batches of three rows and of one.
    fn data() -> [Tensor<2>; 2] {
        let rows = |range: std::ops::Range<usize>| {
            let rows: Vec<f64> = ROWS[range.clone()].concat();
            let rows: Vec<f32> = rows.iter().map(|x| *x as f32).collect();
            let x = Tensor::<1>::from_floats(rows.as_slice(), &Device::default());
            x.reshape([range.len(), 3])
        };
        [rows(0..3), rows(3..4)]
    }

    #[track_caller]
    fn assert_near(found: &ParamVector, expected: &[f64]) {
        for (found, expected) in found.to_host().unwrap().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-3, "{found} for {expected}");
        }
    }

    #[test]
    fn it_is_the_third_derivative_at_all_weights_and_along_all_vectors() {
        let (device, data) = (Device::default(), data());
        let model = LinearConfig::new(3, 1).with_bias(false).init(&device);
        let risk: Risk<'_, Linear> = Risk::new(&loss, &data);
        let space = ParamSpace::of(&model).unwrap();
        let vector = |x: &[f64; 3]| ParamVector::from_host(&space, x).unwrap();
        let along = [
            [[0.5, -1.0, 0.25], [1.0, 0.0, 2.0], [0.0, 1.0, 0.0]],
            [[-1.0, 0.5, 1.0], [0.0, -1.0, 1.0], [1.0, 1.0, 1.0]],
            [[0.0, 0.0, 1.0], [1.0, 1.0, 0.5], [1.0, 1.0, 0.5]],
        ];
        for budget in [usize::MAX, 0] {
            let risk = risk.clone().with_residual_budget(budget);
            let mut kept = None;
            for [w, u, v] in &along {
                let at = vector(w).apply_to(&model).unwrap();
                let u_vector = vector(u);
                let matrix = HessianDerivative::with_kept(&risk, &at, &u_vector, kept).unwrap();
                let found = matrix.product(&vector(v)).unwrap();
                assert_near(&found, &expected([w, u, v]));
                kept = Some(matrix.into_kept());
            }
        }
    }

    #[derive(Module, Debug)]
    struct Net {
        first: Param<Tensor<2>>,
        second: Param<Tensor<2>>,
    }

    #[test]
    fn of_a_network_it_is_the_difference_of_hessians() {
        let device = Device::default();
        let place = (&device, DType::F64);
        let zeros = |shape: [usize; 2]| Param::from_tensor(Tensor::<2>::zeros(shape, place));
        let net = Net {
            first: zeros([3, 4]),
            second: zeros([4, 1]),
        };
        let space = ParamSpace::of(&net).unwrap();
        let wave = |phase: f64| {
            let numbers: Vec<f64> = (0..16)
                .map(|i| (1.7 * f64::from(i) + phase).sin())
                .collect();
            ParamVector::from_host(&space, &numbers).unwrap()
        };
        let [w, u, v] = [0.3, 1.1, 2.9].map(wave);
        let loss = |net: &Net, x: Tensor<2>| {
            let hidden = x.matmul(net.first.val()).tanh();
            (hidden.matmul(net.second.val()) - 0.5).square().mean()
        };
        let rows = |range: std::ops::Range<usize>| {
            let shape = [range.len(), 3];
            Tensor::<2>::from_data(TensorData::new(ROWS[range].concat(), shape), place)
        };
        let data = [rows(0..3), rows(3..4)];
        let risk: Risk<'_, Net> = Risk::new(&loss, &data);
        let at = w.apply_to(&net).unwrap();
        let matrix = HessianDerivative::with_kept(&risk, &at, &u, None).unwrap();
        let found = matrix.product(&v).unwrap().to_host().unwrap();
        let product = |step: f64| {
            let moved = u.perturb(&at, step).unwrap();
            let hessian = risk.hessian(&moved).unwrap();
            hessian.matvec(&v).unwrap().to_host().unwrap()
        };
        let step = 1e-5;
        for ((found, up), down) in found.iter().zip(product(step)).zip(product(-step)) {
            let expected = (up - down) / (2.0 * step);
            assert!((found - expected).abs() < 1e-8, "{found} for {expected}");
        }
    }

    #[test]
    fn a_vector_of_another_model_is_refused() {
        let (device, data) = (Device::default(), data());
        let layer = |inputs| LinearConfig::new(inputs, 1).with_bias(false).init(&device);
        let (model, other) = (layer(3), layer(2));
        let along = ParamVector::zeros(&ParamSpace::of(&other).unwrap()).unwrap();
        let risk: Risk<'_, Linear> = Risk::new(&loss, &data);
        let found = HessianDerivative::with_kept(&risk, &model, &along, None);
        assert!(matches!(found.err(), Some(CurvatureError::Space(_))));
    }
}
