//! Half precision: products in the parameters' type, sums over batches in f32.

use burn::module::Module;
use burn::tensor::DType;
use burnscape::curvature::{CurvatureConfig, Hessian};
use burnscape::krylov::LinearOperator;
use burnscape::space::{ParamSpace, ParamVector};

use super::fixture::{Labeled, Net, batches};

#[test]
fn products_in_half_precision_are_those_in_double_to_its_digits() {
    let loss = |net: &Net, batch: Labeled| {
        let z = net.logits(batch.x);
        z.tanh().powi_scalar(2).mean()
    };
    let net = Net::new();
    let data = batches(&[3, 4]);
    let hessian = Hessian::new(&net, &loss, &data).unwrap();
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
        half.last = cast(half.last);
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
        for budget in [0, 1 << 20] {
            let config = CurvatureConfig::new().with_residual_budget(budget);
            let hessian = config.hessian(&half, &loss, &data).unwrap();
            let v = ParamVector::from_host(&space, &v.to_host().unwrap()).unwrap();
            let product = hessian.matvec(&v).unwrap();
            assert_eq!(product.values().dtype(), dtype);
            let distance = super::fixture::distance(&exact, &product.to_host().unwrap());
            println!("{dtype:?}: {distance:.1e}");
            assert!(distance < tolerance, "{dtype:?}: {distance:e}");
        }
    }
}
