//! Operators that move to other weights equal new ones, bit for bit, and refuse what they cannot follow.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape::curvature::{CurvatureError, FisherSampling};
use burnscape::linearize::LinearizeError;
use burnscape::loss::{Likelihood, LossError, Mode, Reduction, Risk};
use burnscape::space::{ParamSpace, ParamVector, SpaceError};
use burnscape_testkit::turn;

use super::fixture::{
    EXAMPLES, Labeled, batches, cross_entropy, dense, device, distance, losses, net,
};

/// The model a step away.
fn moved<M: Module>(model: &M, seed: u64) -> M {
    let space = ParamSpace::of(model).unwrap();
    let step = ParamVector::gaussian(&space, seed).unwrap();
    step.perturb(model, 0.1).unwrap()
}

/// Two products, to the bit, and the numbers of an operator.
macro_rules! assert_same {
    ($moved:expr, $new:expr) => {{
        let (moved, new) = ($moved, $new);
        assert_eq!(dense(&moved), dense(&new));
        assert_eq!(moved.num_examples(), new.num_examples());
        assert_eq!(moved.num_kept_batches(), new.num_kept_batches());
        moved
    }};
}

#[test]
fn every_matrix_equals_a_new_one_at_the_weights_it_moves_to() {
    let (here, there) = (net(), moved(&net(), 3));
    let away = moved(&there, 4);
    // Two signatures, three batches; all kept, one kept, none kept.
    let data = batches(&[3, 1, 3]);
    let outputs = |z: Tensor<2>, batch: &Labeled| losses(z, batch.y.clone());
    for budget in [1 << 20, 1000, 0] {
        for reduction in [Reduction::Mean, Reduction::Sum] {
            let risk = cross_entropy(reduction, &data).with_residual_budget(budget);
            let hessian = risk.hessian(&here).unwrap();
            let start = dense(&hessian);
            let hessian = assert_same!(hessian.at(&there).unwrap(), risk.hessian(&there).unwrap());
            assert!(distance(start.as_slice(), dense(&hessian).as_slice()) > 1e-2);
            // It moves again, and back.
            let hessian = assert_same!(hessian.at(&away).unwrap(), risk.hessian(&away).unwrap());
            let new = risk.hessian(&here).unwrap();
            let hessian = hessian.at(&here).unwrap();
            assert_eq!(hessian.loss(), new.loss());
            let gradients = [hessian.gradient(), new.gradient()];
            let gradients = gradients.map(|gradient| gradient.unwrap().to_host().unwrap());
            assert_eq!(gradients[0], gradients[1]);
            assert_eq!(dense(&hessian), start);

            let newton = risk.gauss_newton(&here).unwrap().at(&there).unwrap();
            assert_same!(newton, risk.gauss_newton(&there).unwrap());
            let fisher = risk.fisher(&here, Likelihood::Categorical).unwrap();
            let new = risk.fisher(&there, Likelihood::Categorical).unwrap();
            assert_same!(fisher.at(&there).unwrap(), new);
            let sampling = FisherSampling {
                samples: 2,
                seed: 5,
            };
            let sampled = |model| risk.sampled_fisher(model, Likelihood::Categorical, sampling);
            let fisher = sampled(&here).unwrap().at(&there).unwrap();
            assert_same!(fisher, sampled(&there).unwrap());
            let risk = Risk::per_example(
                |net: &_, batch: Labeled| {
                    let z = burnscape_testkit::models::Dropped::forward(net, batch.x.clone());
                    outputs(z, &batch)
                },
                &data,
            )
            .with_reduction(reduction)
            .with_residual_budget(budget);
            let fisher = risk.empirical_fisher(&here).unwrap().at(&there).unwrap();
            assert_same!(fisher, risk.empirical_fisher(&there).unwrap());
        }
    }
}

#[test]
fn masks_stay_those_of_the_seed() {
    let _drawing = turn();
    let (here, there) = (net(), moved(&net(), 3));
    let data = batches(&[3, 1, 3]);
    let risk = cross_entropy(Reduction::Mean, &data).with_mode(Mode::Train);
    for (seed, budget) in [(1, 1 << 20), (2, 0)] {
        let risk = risk
            .clone()
            .with_draws_seed(seed)
            .with_residual_budget(budget);
        let hessian = risk.hessian(&here).unwrap().at(&there).unwrap();
        assert_same!(hessian, risk.hessian(&there).unwrap());
        // The device's generator is left as by a new operator.
        let after = |work: &dyn Fn()| {
            device().seed(9);
            work();
            let next = Tensor::<1>::random([2], burn::tensor::Distribution::Default, &device());
            next.into_data().iter::<f64>().collect::<Vec<_>>()
        };
        let made = after(&|| drop(risk.hessian(&there).unwrap()));
        let hessian = std::cell::Cell::new(Some(risk.hessian(&here).unwrap()));
        let moved = after(&|| drop(hessian.take().map(|hessian| hessian.at(&there).unwrap())));
        assert_eq!(made, moved);
    }
}

#[derive(Module, Debug)]
struct Pictures {
    conv: Conv2d,
    norm: BatchNorm,
    dropout: Dropout,
    last: Linear,
    /// Not a parameter: a constant of a trace.
    shift: Tensor<1>,
}

impl Pictures {
    fn new(shift: f64, rate: f64) -> Self {
        let device = device();
        let shift = Tensor::from_data([shift], &device);
        Self {
            conv: Conv2dConfig::new([1, 2], [3, 3]).init(&device),
            norm: BatchNormConfig::new(2).init(&device),
            dropout: DropoutConfig::new(rate).init(),
            last: LinearConfig::new(2 * 9, 1).init(&device),
            shift,
        }
    }

    fn loss(&self, x: Tensor<4>) -> Tensor<1> {
        let [n, ..] = x.dims();
        let hidden = self.norm.forward(self.conv.forward(x)).tanh();
        let hidden = self.dropout.forward(hidden).reshape([n, 18]);
        let shift = self.shift.clone().to_device(&hidden.device());
        (self.last.forward(hidden) + shift.unsqueeze::<2>())
            .square()
            .mean()
    }
}

fn pictures() -> [Tensor<4>; 2] {
    [4, 3].map(|n: i32| {
        let numbers: Vec<f64> = (0..n * 25)
            .map(|i| f64::from(i * i % 11) / 5.0 - 1.0)
            .collect();
        Tensor::from_data(TensorData::new(numbers, [n as usize, 1, 5, 5]), &device())
    })
}

#[test]
fn batch_normalization_follows_in_both_modes() {
    let _drawing = turn();
    let here = Pictures::new(0.5, 0.0);
    let data = pictures();
    let mut there = moved(&here, 7);
    // Training moves the running statistics, too.
    let lifted = there.clone().train();
    let _ = lifted
        .norm
        .forward(data[0].clone().repeat_dim(1, 2).autodiff());
    there = lifted.valid();
    let loss = |model: &Pictures, x: Tensor<4>| model.loss(x);
    for mode in [Mode::Eval, Mode::Train] {
        let risk = Risk::new(&loss, &data).with_mode(mode).with_draws_seed(3);
        let start = risk.hessian(&here).unwrap();
        let before = dense(&start);
        let hessian = assert_same!(start.at(&there).unwrap(), risk.hessian(&there).unwrap());
        assert!(distance(before.as_slice(), dense(&hessian).as_slice()) > 1e-2);
    }
}

#[test]
fn what_a_trace_holds_fixed_must_not_change() {
    let _drawing = turn();
    let here = Pictures::new(0.5, 0.25);
    let data = pictures();
    let loss = |model: &Pictures, x: Tensor<4>| model.loss(x);
    let risk = Risk::new(&loss, &data).with_draws_seed(3);
    let shifted = Pictures {
        shift: Tensor::from_data([0.6], &device()),
        ..here.clone()
    };
    let stale = risk.hessian(&here).unwrap().at(&shifted).map(drop);
    let Err(CurvatureError::StaleTrace { traced, found }) = stale else {
        panic!("{stale:?}");
    };
    // A program runs kernels of its own, whose last bit may differ.
    assert!((traced / first_loss(&here) - 1.0).abs() < 1e-14);
    assert!((found / first_loss(&shifted) - 1.0).abs() < 1e-14);
    let message = stale.unwrap_err().to_string();
    assert!(message.contains("make a new operator"), "{message}");

    let dropped = Pictures {
        dropout: DropoutConfig::new(0.5).init(),
        ..here.clone()
    };
    // In evaluation the rate does not matter.
    assert_same!(
        risk.hessian(&here).unwrap().at(&dropped).unwrap(),
        risk.hessian(&dropped).unwrap()
    );
    let risk = risk.with_mode(Mode::Train);
    let stale = risk.hessian(&here).unwrap().at(&dropped).map(drop);
    assert!(
        matches!(stale, Err(CurvatureError::StaleTrace { .. })),
        "{stale:?}"
    );
}

/// The loss of the first batch.
fn first_loss(model: &Pictures) -> f64 {
    let first = [pictures()[0].clone()];
    let loss = |model: &Pictures, x: Tensor<4>| model.loss(x);
    Risk::new(&loss, &first).loss(model).unwrap().value
}

#[test]
fn a_draw_that_nothing_reads_is_no_change() {
    let _drawing = turn();
    let (here, there) = (net(), moved(&net(), 3));
    let data = batches(&[EXAMPLES]);
    // The trace drops the first draw, so that the numbers of the second differ from those of the closure.
    let loss = |net: &burnscape_testkit::models::Dropped, batch: Labeled| {
        let draw = || batch.x.random_like(burn::tensor::Distribution::Default);
        let _ = draw();
        losses(net.forward(batch.x.clone() + draw()), batch.y.clone()).mean()
    };
    let risk = Risk::new(&loss, &data).with_draws_seed(4);
    let hessian = risk.hessian(&here).unwrap().at(&there).unwrap();
    assert_same!(hessian, risk.hessian(&there).unwrap());
}

#[test]
fn other_models_and_other_data_are_refused() {
    let here = net();
    let data = batches(&[EXAMPLES]);
    let risk = cross_entropy(Reduction::Mean, &data);
    let hessian = || risk.hessian(&here).unwrap();

    let other = burnscape_testkit::models::Dropped::new([3, 5, 3], &device());
    let error = hessian().at(&other).map(drop).unwrap_err();
    assert!(
        matches!(
            error,
            CurvatureError::Space(SpaceError::DifferentSpaces { .. })
        ),
        "{error}"
    );
    let error = hessian().at(&here.clone().no_grad()).map(drop).unwrap_err();
    assert!(matches!(error, CurvatureError::Space(_)), "{error}");
    let layer = LinearConfig::new(3, 3).init(&device());
    let error = hessian().at(&layer).map(drop).unwrap_err();
    assert!(error.to_string().contains("type of the model"), "{error}");
}

/// A layer that is frozen after the trace, and one that is trained again. Both change what a trace has to compute.
#[test]
fn a_model_with_other_frozen_layers_is_refused() {
    let trained = net();
    let frozen = burnscape_testkit::models::Dropped {
        first: trained.first.clone().no_grad(),
        ..trained.clone()
    };
    let data = batches(&[EXAMPLES]);
    let risk = cross_entropy(Reduction::Mean, &data);
    let ways = [(&trained, &frozen), (&frozen, &trained)];
    for (here, there) in ways {
        let hessian = risk.hessian(here).unwrap();
        let error = hessian.at(there).map(drop).unwrap_err();
        let is_space = matches!(
            error,
            CurvatureError::Space(SpaceError::DifferentSpaces { .. })
        );
        assert!(is_space, "{error}");
        let message = error.to_string();
        assert!(
            message.contains("build both from models of the same"),
            "{message}"
        );
    }

    // The parameters are the same ones if the layer is outside the group.
    let group = burn::module::ParamGroup::from_predicate("second");
    let block = risk.clone().with_group(group);
    let states = [["trained", "fixed"], ["fixed", "trained"]];
    for ((here, there), states) in ways.into_iter().zip(states) {
        let error = block.hessian(here).unwrap().at(there).map(drop);
        let Err(CurvatureError::Linearize(LinearizeError::Mismatch {
            what,
            expected,
            found,
        })) = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!(what, "first.weight");
        for (state, told) in states.into_iter().zip([expected, found]) {
            assert!(told.contains(state), "{told}");
        }
        let message = error.unwrap_err().to_string();
        assert!(message.contains("or trace again"), "{message}");
        assert_same!(
            block.hessian(here).unwrap().at(here).unwrap(),
            block.hessian(here).unwrap()
        );
    }
}

#[test]
fn data_that_have_changed_are_refused() {
    let here = net();
    type Reading = fn() -> Vec<Labeled>;
    let changing = |second: Reading| {
        let reads = std::sync::atomic::AtomicUsize::new(0);
        move || {
            // Construction reads twice: to trace, and to check.
            let read = reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if read < 2 { batches(&[4, 3]) } else { second() }
        }
    };
    let cases: [(Reading, &str); 3] = [
        (|| batches(&[3, 4]), "batch 0 is different"),
        (
            || {
                let mut data = batches(&[4, 3]);
                data[1].x = data[1].x.clone() * 2.0;
                data
            },
            "batch 1 is different",
        ),
        (|| batches(&[4, 3])[..1].to_vec(), "number of batches"),
    ];
    for (second, expected) in cases {
        let data = changing(second);
        let risk = cross_entropy(Reduction::Mean, &data);
        let error = risk
            .hessian(&here)
            .unwrap()
            .at(&here)
            .map(drop)
            .unwrap_err();
        assert!(matches!(
            error,
            CurvatureError::Loss(
                LossError::DataChanged { .. } | LossError::NotDeterministic { .. }
            )
        ));
        assert!(error.to_string().contains(expected), "{error}");
    }
}
