//! Half precision: products in the parameters' type, sums over batches in f32.

use burn::module::Module;
use burn::tensor::{DType, Tensor};
use burnscape::curvature::FisherSampling;
use burnscape::krylov::{HasAdjoint, LinearOperator};
use burnscape::loss::{Likelihood, Risk};
use burnscape::space::{ParamSpace, ParamVector};

use super::fixture::{Dropped, Labeled, batches, net};

#[test]
fn products_in_half_precision_are_those_in_double_to_its_digits() {
    let loss = |net: &Dropped, batch: Labeled| {
        let z = net.forward(batch.x);
        z.tanh().powi_scalar(2).mean()
    };
    let net = net();
    let data = batches(&[3, 4]);
    let hessian = Risk::new(&loss, &data).hessian(&net).unwrap();
    let v = ParamVector::gaussian(hessian.space(), 4).unwrap();
    let exact = hessian.matvec(&v).unwrap().to_host().unwrap();
    for (dtype, tolerance) in [(DType::F16, 6e-3), (DType::BF16, 5e-2)] {
        let mut half = net.clone();
        let cast = |layer: burn::nn::Linear| {
            let mut layer = layer;
            layer.weight = layer.weight.map(|w| w.cast(dtype));
            layer.bias = layer.bias.map(|bias| bias.map(|b| b.cast(dtype)));
            layer
        };
        half.first = cast(half.first);
        half.second = cast(half.second);
        let half = half.valid();
        let data: Vec<Labeled> = data
            .iter()
            .map(|batch| Labeled {
                x: batch.x.clone().cast(dtype),
                y: batch.y.clone(),
            })
            .collect();
        let space = ParamSpace::of(&half).unwrap();
        assert_eq!(space.dtype().unwrap(), dtype);
        let risk = Risk::new(&loss, &data);
        for budget in [0, 1 << 20] {
            let hessian = risk
                .clone()
                .with_residual_budget(budget)
                .hessian(&half)
                .unwrap();
            let v = ParamVector::from_host(&space, &v.to_host().unwrap()).unwrap();
            let product = hessian.matvec(&v).unwrap();
            assert_eq!(product.values().dtype(), dtype);
            let distance = super::fixture::distance(&exact, &product.to_host().unwrap());
            println!("{dtype:?}: {distance:.1e}");
            assert!(distance < tolerance, "{dtype:?}: {distance:e}");
        }
        // Outputs in single precision, as mixed precision has them; and drawn targets.
        for widened in [DType::F32, dtype] {
            let risk = Risk::split(
                move |net: &Dropped, batch: &Labeled| net.forward(batch.x.clone()).cast(widened),
                |z: Tensor<2>, _: Labeled| z.square().mean(),
                &data,
            );
            let jacobian = risk.jacobian(&half).unwrap();
            assert_eq!(jacobian.outputs().dtype(), widened);
            let v = ParamVector::gaussian(&space, 5).unwrap();
            let moved = jacobian.matvec(&v).unwrap();
            let back = jacobian.matvec_adjoint(&moved).unwrap();
            let (a, b) = (moved.dot(&moved).unwrap(), back.dot(&v).unwrap());
            assert!((a - b).abs() < 10.0 * tolerance * a, "{a} {b}");
            let sampling = FisherSampling {
                samples: 400,
                seed: 3,
            };
            let law = Likelihood::Categorical;
            let exact = risk.fisher(&half, law).unwrap();
            let drawn = risk.sampled_fisher(&half, law, sampling).unwrap();
            let (a, b) = (exact.matvec(&v).unwrap(), drawn.matvec(&v).unwrap());
            let (a, b) = (a.to_host().unwrap(), b.to_host().unwrap());
            let distance = super::fixture::distance(&a, &b);
            assert!(distance < 0.25, "{dtype:?}: {distance}");
        }
    }
}
