//! The operator over a data set does not depend on how the data are cut into batches.

use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};
use burnscape::krylov::LinearOperator;
use burnscape::loss::{Batch, Likelihood, Reduction, Risk, SumLoss};
use burnscape::space::ParamVector;
use proptest::prelude::*;

use super::fixture::{
    Dropped, EXAMPLES, Labeled, assert_close, batches, cross_entropy, dense, losses, net,
};

/// The sum over a batch.
fn total(net: &Dropped, batch: Labeled) -> Tensor<1> {
    losses(net.forward(batch.x), batch.y).sum()
}

/// Sizes of batches that make up the whole.
fn partition() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop::bool::ANY, EXAMPLES - 1).prop_map(|cuts| {
        let mut sizes = vec![1];
        for is_cut in cuts {
            match (is_cut, sizes.last_mut()) {
                (false, Some(last)) => *last += 1,
                _ => sizes.push(1),
            }
        }
        sizes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn any_partition_of_the_data_gives_the_same_operators(sizes in partition(), sum in any::<bool>()) {
        let net = net();
        let reduction = if sum { Reduction::Sum } else { Reduction::Mean };
        let losses = |net: &Dropped, batch: Labeled| losses(net.forward(batch.x), batch.y);
        let all = |data: &Vec<Labeled>| {
            let risk = cross_entropy(reduction, data);
            let per_example = Risk::per_example(losses, data).with_reduction(reduction);
            [
                dense(&risk.hessian(&net).unwrap()),
                dense(&risk.gauss_newton(&net).unwrap()),
                dense(&risk.fisher(&net, Likelihood::Categorical).unwrap()),
                dense(&per_example.empirical_fisher(&net).unwrap()),
                dense(&risk.jacobian(&net).unwrap()),
            ]
        };
        let (whole, parts) = (all(&batches(&[EXAMPLES])), all(&batches(&sizes)));
        for (whole, parts) in whole.iter().zip(&parts) {
            assert_close(whole, parts, 1e-13);
        }
    }
}

#[test]
fn a_batch_that_weighs_more_counts_more() {
    /// A batch that counts three times.
    #[derive(Clone, Debug)]
    struct Heavy(Labeled);
    impl Batch for Heavy {
        fn map_tensors<T: burnscape::loss::BatchMapper>(self, mapper: &mut T) -> Self {
            Self(self.0.map_tensors(mapper))
        }
        fn weight(&self) -> Result<f64, burnscape::loss::LossError> {
            let factor = if self.0.num_examples()? == Some(2) {
                3.0
            } else {
                1.0
            };
            Ok(self.0.weight()? * factor)
        }
    }
    let net = net();
    let plain = |net: &Dropped, batch: Labeled| losses(net.forward(batch.x), batch.y).mean();
    let loss = |net: &Dropped, batch: Heavy| plain(net, batch.0);
    let parts = batches(&[5, 2]);
    let heavy: Vec<Heavy> = parts.iter().cloned().map(Heavy).collect();
    let repeated = [&parts[0], &parts[1], &parts[1], &parts[1]].map(Clone::clone);
    let one = Risk::new(&loss, &heavy).hessian(&net).unwrap();
    let other = Risk::new(&plain, &repeated).hessian(&net).unwrap();
    assert_close(&dense(&other), &dense(&one), 1e-13);
}

#[test]
fn scaling_the_loss_by_a_power_of_two_scales_products_exactly() {
    let net = net();
    let data = batches(&[4, 3]);
    let scaled = |factor: f64| move |net: &Dropped, batch: Labeled| total(net, batch) * factor;
    let product = |factor: f64| {
        let objective = SumLoss(scaled(factor));
        let hessian = Risk::new(&objective, &data).hessian(&net).unwrap();
        let v = ParamVector::gaussian(hessian.space(), 3).unwrap();
        hessian.matvec(&v).unwrap().to_host().unwrap()
    };
    let one = product(1.0);
    for k in [-20, 3, 30] {
        let factor = 2.0_f64.powi(k);
        let expected: Vec<f64> = one.iter().map(|x| x * factor).collect();
        assert_eq!(product(factor), expected);
    }
}

#[test]
fn fields_that_are_no_tensors_are_seen_in_every_batch() {
    /// The factor is no tensor: a program that was traced for one batch does not fit another.
    #[derive(Batch, Clone, Debug)]
    struct Scaled {
        labeled: Labeled,
        #[batch(skip)]
        factor: f64,
    }
    const { assert!(Labeled::IS_ONLY_TENSORS && !Scaled::IS_ONLY_TENSORS) };
    const { assert!(<(Tensor<1>, [Tensor<2>; 2])>::IS_ONLY_TENSORS) };
    const { assert!(!<Option<Tensor<1>>>::IS_ONLY_TENSORS) };
    let net = net();
    let labeled = batches(&[2, 2, 3]);
    let factors = [1.0, 5.0, 0.5];
    let data: Vec<Scaled> = labeled
        .iter()
        .zip(factors)
        .map(|(labeled, factor)| Scaled {
            labeled: labeled.clone(),
            factor,
        })
        .collect();
    let objective =
        SumLoss(|net: &Dropped, batch: Scaled| total(net, batch.labeled) * batch.factor);
    let plain = SumLoss(total);
    let risk = Risk::new(&objective, &data);
    for budget in [0, 1 << 20] {
        let whole = dense(
            &risk
                .clone()
                .with_residual_budget(budget)
                .hessian(&net)
                .unwrap(),
        );
        let mut expected = vec![0.0; whole.as_slice().len()];
        for (batch, factor) in labeled.iter().zip(factors) {
            let part = Risk::new(&plain, std::slice::from_ref(batch))
                .hessian(&net)
                .unwrap();
            for (sum, entry) in expected.iter_mut().zip(dense(&part).as_slice()) {
                *sum += factor * entry;
            }
        }
        assert!(super::fixture::distance(&expected, whole.as_slice()) < 1e-13);
    }
}

#[test]
fn masks_of_infinities_are_data_like_any_other() {
    let net = net();
    let data: Vec<(Labeled, Tensor<2>)> = batches(&[4, 3])
        .into_iter()
        .map(|batch| {
            let rows = batch.x.dims()[0];
            let mut mask = vec![0.0; 3];
            mask[2] = f64::NEG_INFINITY;
            let mask = Tensor::<1>::from_data(TensorData::new(mask, [3]), &batch.x.device());
            (batch, mask.unsqueeze::<2>().expand([rows, 3]))
        })
        .collect();
    // The third class is ruled out.
    let loss = SumLoss(|net: &Dropped, (batch, mask): (Labeled, Tensor<2>)| {
        let p = softmax(net.forward(batch.x) + mask, 1);
        p.square().sum()
    });
    let hessian = Risk::new(&loss, &data).hessian(&net).unwrap();
    let finite = dense(&hessian);
    assert!(finite.as_slice().iter().all(|x| x.is_finite()));
}
