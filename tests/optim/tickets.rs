//! Searches for lottery tickets whose every number is known, and one by real training.

use std::cell::RefCell;
use std::ops::{ControlFlow, Range};

use burn::module::{Module, Param};
use burn::optim::SgdConfig;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::{DType, Distribution, Tensor, TensorData};
use burnscape::krylov::Estimate;
use burnscape::loss::Work;
use burnscape::optim::{
    ClosureStep, MaskedOptimizer, OptimError, TicketSearch, TicketSearchConfig, WeightMask,
};
use burnscape::path::{CurveProfileConfig, InstabilityConfig};
use burnscape::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::fixture::{device, no_data};

/// One matrix of weights, in rows of two.
#[derive(Module, Debug)]
struct Net {
    weight: Param<Tensor<2>>,
}

impl Net {
    fn new(weights: &[f64]) -> Self {
        let data = TensorData::new(weights.to_vec(), [weights.len() / 2, 2]);
        Self {
            weight: Param::from_tensor(Tensor::from_data(data, (&device(), DType::F64))),
        }
    }

    fn weights(&self) -> Vec<f64> {
        self.weight.val().into_data().iter::<f64>().collect()
    }
}

/// A number from 0 to 1 for each seed, another one for each.
fn shift(seed: u64) -> f64 {
    seed as f64 / u64::MAX as f64
}

/// The weights 1, 2, …, 10, shifted by the seed.
fn ascending(seed: u64) -> Net {
    let weights: Vec<f64> = (1..=10).map(|w| f64::from(w) + shift(seed)).collect();
    Net::new(&weights)
}

/// Every weight that is kept grows by one a step.
fn grow(net: Net, mask: &WeightMask, steps: Range<usize>, _: u64) -> Result<Net, OptimError> {
    let grown: Vec<f64> = net
        .weights()
        .iter()
        .map(|w| w + steps.len() as f64)
        .collect();
    mask.apply_to(&Net::new(&grown))
}

/// The sum of the weights.
fn total(net: &Net, _: Tensor<1>) -> Tensor<1> {
    net.weight.val().sum()
}

/// A training run as the closure sees it.
#[derive(Debug, Clone, PartialEq)]
struct Call {
    start: Vec<f64>,
    steps: Range<usize>,
    seed: u64,
}

/// A search by [`grow`] that is scored by [`total`], and its training runs.
fn search(config: &TicketSearchConfig) -> (TicketSearch<Net>, Vec<Call>) {
    let calls = RefCell::new(Vec::new());
    let logged = |net: Net, mask: &WeightMask, steps: Range<usize>, seed| {
        calls.borrow_mut().push(Call {
            start: net.weights(),
            steps: steps.clone(),
            seed,
        });
        grow(net, mask, steps, seed)
    };
    let data = [no_data()];
    let found = config.run(&Risk::new(&total, &data), ascending, logged);
    (found.unwrap(), calls.into_inner())
}

/// Levels without controls.
fn alone(num_steps: usize) -> TicketSearchConfig {
    TicketSearchConfig::new(num_steps)
        .with_reinitialized(false)
        .with_random_mask(false)
        .with_from_initialization(false)
}

#[test]
fn every_level_prunes_the_smallest_weights_and_rewinds_the_others() {
    let (found, calls) = search(&alone(7).with_levels(6));
    let kept: Vec<usize> = found.levels.iter().map(|level| level.num_kept).collect();
    assert_eq!(kept, [10, 8, 6, 5, 4, 3, 2]);
    assert!(found.completed);
    assert_eq!((found.num_runs, calls.len()), (7, 7));
    for (level, call) in found.levels.iter().zip(&calls) {
        assert_eq!((call.steps.clone(), call.seed), (0..7, 0));
        assert_eq!(level.kept_share, level.num_kept as f64 / 10.0);
        // The largest weights stay, at the values that they started from.
        let pruned = 10 - level.num_kept;
        let start = (0..10).map(|i| if i < pruned { 0.0 } else { (i + 1) as f64 });
        let start: Vec<f64> = start.collect();
        assert_eq!(call.start, start);
        let ticket = level.masks[0].apply_to(&found.rewound[0]).unwrap();
        assert_eq!(ticket.weights(), start);
        let score = start.iter().sum::<f64>() + 7.0 * level.num_kept as f64;
        assert_eq!(level.ticket.scores, [score]);
        assert_eq!(
            (level.ticket.mean, level.ticket.standard_error),
            (score, None)
        );
        let controls = [
            &level.reinitialized,
            &level.random_mask,
            &level.from_initialization,
        ];
        assert!(controls.iter().all(|control| control.is_none()));
    }
}

#[test]
fn weights_are_rewound_to_step_k_and_controls_differ_in_one_thing() {
    let config = TicketSearchConfig::new(10)
        .with_levels(2)
        .with_fraction(0.5)
        .with_rewind(3)
        .with_seeds(vec![7]);
    let (found, calls) = search(&config);
    // Two runs to step 3, the dense network, and four for each level.
    assert_eq!((found.num_runs, calls.len()), (11, 11));
    assert!(calls.iter().all(|call| call.seed == 7), "one order of data");
    assert_eq!(
        (calls[0].steps.clone(), calls[1].steps.clone()),
        (0..3, 0..3)
    );
    let (other, own) = (&calls[0].start, &calls[1].start);
    assert_eq!(*own, ascending(7).weights());
    assert_ne!(other, own);
    let at = |start: &[f64], steps: f64| -> Vec<f64> { start.iter().map(|w| w + steps).collect() };
    let masked = |mut start: Vec<f64>, kept: usize| {
        start[..10 - kept].fill(0.0);
        start
    };
    assert_eq!(found.rewound[0].weights(), at(own, 3.0));
    assert_eq!(calls[2].start, at(own, 3.0));
    assert_eq!(calls[2].steps, 3..10);
    let mut differs = false;
    for (level, kept, arms) in [(1, 5, &calls[3..7]), (2, 2, &calls[7..11])] {
        let [ticket, reinitialized, random, from_initialization] = arms else {
            panic!("four networks")
        };
        assert_eq!(found.levels[level].num_kept, kept);
        assert_eq!(ticket.start, masked(at(own, 3.0), kept));
        assert_eq!(reinitialized.start, masked(at(other, 3.0), kept));
        assert_eq!(from_initialization.start, masked(own.clone(), kept));
        assert_eq!(from_initialization.steps, 0..10);
        for arm in [ticket, reinitialized, random] {
            assert_eq!(arm.steps, 3..10);
        }
        // As many weights, of the same model.
        let dense = at(own, 3.0);
        let kept_at_random = random.start.iter().zip(&dense).filter(|(found, dense)| {
            assert!(**found == 0.0 || found == dense);
            **found != 0.0
        });
        assert_eq!(kept_at_random.count(), kept);
        differs |= random.start != ticket.start;
    }
    assert!(differs);
    // From step 0 three more steps are run, to the same end.
    let last = &found.levels[2];
    let from_initialization = last.from_initialization.as_ref().unwrap();
    assert!((last.ticket.minus(from_initialization).value).abs() < 1e-12);
    assert!(last.ticket.mean >= last.random_mask.as_ref().unwrap().mean);
}

#[test]
fn without_rewinding_there_is_no_control_from_the_initialization() {
    let (found, calls) = search(&TicketSearchConfig::new(4).with_levels(2));
    assert_eq!(calls.len(), 1 + 2 * 3);
    assert!(found.levels[1].reinitialized.is_some());
    assert!(found.levels[1].from_initialization.is_none());
    assert!(found.levels[0].random_mask.is_none());
}

#[test]
fn seeds_give_standard_errors_and_differences_are_paired() {
    let config = TicketSearchConfig::new(2)
        .with_levels(1)
        .with_fraction(0.5)
        .with_seeds(vec![0, 1 << 62, 1 << 63]);
    let (found, calls) = search(&config);
    assert_eq!(found.rewound.len(), 3);
    assert!(calls.iter().filter(|call| call.seed == 1 << 62).count() == 4);
    let level = &found.levels[1];
    assert_eq!(level.masks.len(), 3);
    // 6 + 7 + 8 + 9 + 10, five shifts, and two steps for each weight.
    let scores = [0.0, 0.25, 0.5].map(|shift| 40.0 + 5.0 * shift + 10.0);
    for (found, expected) in level.ticket.scores.iter().zip(scores) {
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }
    let expected = Estimate::of(&level.ticket.scores);
    assert_eq!(level.ticket.mean, expected.value);
    assert_eq!(level.ticket.standard_error, expected.standard_error);
    assert!((level.ticket.standard_error.unwrap() - 1.25 / 3.0_f64.sqrt()).abs() < 1e-9);
    // The dense network has the same shifts twice.
    let difference = found.levels[0].ticket.minus(&level.ticket);
    assert!((difference.value - (15.0 + 1.25 + 10.0)).abs() < 1e-9);
    let table = found.to_string();
    assert!(
        table.contains("100.0 %") && table.contains(" ± "),
        "{table}"
    );
    let mut csv = Vec::new();
    found.write_csv(&mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let header = "level,num_kept,kept_share,ticket,ticket_error,reinitialized,reinitialized_error,\
                  random_mask,random_mask_error,from_initialization,from_initialization_error\n0,10,1,";
    assert!(csv.starts_with(header), "{csv}");
    assert_eq!(csv.lines().count(), 3);
}

/// The error of a search that starts from [`ascending`] weights.
fn refused(
    config: &TicketSearchConfig,
    train: impl FnMut(Net, &WeightMask, Range<usize>, u64) -> Result<Net, OptimError>,
) -> OptimError {
    let data = [no_data()];
    let found = config.run(&Risk::new(&total, &data), ascending, train);
    found.unwrap_err()
}

#[test]
fn training_that_revives_weights_fails_or_diverges_is_named() {
    let config = alone(2).with_levels(3);
    let careless = |net: Net, _: &WeightMask, steps: Range<usize>, _: u64| {
        let grown: Vec<f64> = net
            .weights()
            .iter()
            .map(|w| w + steps.len() as f64)
            .collect();
        Ok(Net::new(&grown))
    };
    let error = refused(&config, careless);
    let expected = OptimError::Revived {
        path: "weight".to_owned(),
        value: 2.0,
    };
    assert_eq!(error, expected);
    assert!(error.to_string().contains("MaskedOptimizer"), "{error}");
    let fails = |_: Net, _: &WeightMask, _: Range<usize>, _: u64| {
        Err(OptimError::Certificate {
            message: "the disk is full".to_owned(),
        })
    };
    let error = refused(&config.clone().with_rewind(1), fails);
    let OptimError::Training {
        step,
        num_kept,
        ref message,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((step, num_kept), (0, 10));
    assert!(message.contains("the disk is full"), "{message}");
    let diverges = |net: Net, mask: &WeightMask, _: Range<usize>, _: u64| {
        let broken: Vec<f64> = net.weights().iter().map(|w| w / 0.0).collect();
        mask.apply_to(&Net::new(&broken))
    };
    let error = refused(&config, diverges);
    assert!(
        matches!(error, OptimError::NonFiniteWeight { .. }),
        "{error}"
    );
    let other = |_: Net, _: &WeightMask, _: Range<usize>, _: u64| Ok(Net::new(&[1.0, 2.0]));
    let error = refused(&config, other);
    assert!(matches!(error, OptimError::OtherMask { .. }), "{error}");
}

#[test]
fn a_control_that_diverges_has_a_score_that_is_not_finite() {
    let config = TicketSearchConfig::new(2)
        .with_levels(1)
        .with_reinitialized(false);
    let mut num_calls = 0;
    let train = |net: Net, mask: &WeightMask, steps: Range<usize>, seed: u64| {
        num_calls += 1;
        if num_calls < 3 {
            return grow(net, mask, steps, seed);
        }
        let broken: Vec<f64> = net.weights().iter().map(|w| w / 0.0).collect();
        mask.apply_to(&Net::new(&broken))
    };
    let data = [no_data()];
    let found = config.run(&Risk::new(&total, &data), ascending, train);
    let found = found.unwrap();
    let random = found.levels[1].random_mask.as_ref().unwrap();
    assert_eq!(random.mean, f64::INFINITY);
    assert!(found.levels[1].ticket.mean.is_finite());
}

#[test]
fn one_initialization_for_all_seeds_is_refused() {
    let data = [no_data()];
    let risk = Risk::new(&total, &data);
    let same = |_: u64| ascending(0);
    let reinitialized = alone(2).with_levels(1).with_reinitialized(true);
    let error = reinitialized.run(&risk, same, grow).unwrap_err();
    assert!(matches!(error, OptimError::SameInitialization { .. }));
    let seeds = alone(2).with_levels(1).with_seeds(vec![3, 5]);
    let error = seeds.run(&risk, same, grow).unwrap_err();
    assert_eq!(error, OptimError::SameInitialization { seed: 5 });
    // One search without that control needs one initialization only.
    assert!(alone(2).with_levels(1).run(&risk, same, grow).is_ok());
}

#[test]
fn settings_and_levels_out_of_range_are_refused_before_training() {
    let never = |_: Net, _: &WeightMask, _: Range<usize>, _: u64| -> Result<Net, OptimError> {
        panic!("training started")
    };
    for (config, name) in [
        (alone(4).with_rewind(4), "`rewind`"),
        (alone(4).with_levels(0), "`levels`"),
        (alone(4).with_levels(7), "`levels` is 7; use at most 6"),
        (alone(4).with_fraction(1.0), "`fraction`"),
        (
            alone(4).with_seeds(vec![2, 2]),
            "`seeds` is 2; use each seed once",
        ),
    ] {
        let error = refused(&config, never).to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn a_stopped_search_has_the_levels_that_were_finished() {
    let config = TicketSearchConfig::new(2)
        .with_levels(2)
        .with_random_mask(false)
        .with_seeds(vec![0, 1 << 62]);
    let data = [no_data()];
    // Level 0 has two networks, the others four.
    for (after, levels) in [(1, 0), (2, 1), (5, 1), (6, 2), (10, 3)] {
        let mut seen = Vec::new();
        let risk = Risk::new(&total, &data).with_observer(|progress| {
            if progress.work != Work::Training {
                return ControlFlow::Continue(());
            }
            seen.push((progress.done, progress.total));
            if progress.done == after {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let found = config.run(&risk, ascending, grow).unwrap();
        drop(risk);
        assert_eq!(found.levels.len(), levels, "after {after}");
        assert_eq!(found.completed, levels == 3);
        assert_eq!((seen.len(), seen[0]), (after, (1, Some(10))));
    }
}

#[test]
fn the_stability_of_a_ticket_is_the_barrier_between_two_orders_of_data() {
    // A double well in the first weight; the order decides the side, if the mask keeps that weight.
    let well = |net: &Net, _: Tensor<1>| {
        let first = net.weight.val().slice([0..1, 0..1]);
        (first.square() - 1.0).square().sum()
    };
    let train = |_: Net, mask: &WeightMask, _: Range<usize>, order: u64| {
        let side = if order == 2 { 1.0 } else { -1.0 };
        mask.apply_to(&Net::new(&[side, 3.0]))
    };
    let data = [no_data()];
    let risk = Risk::new(&well, &data);
    let initial = |_: u64| Net::new(&[0.5, 1.0]);
    let config = alone(5).with_levels(1).with_fraction(0.5);
    let found = config.run(&risk, initial, train).unwrap();
    let barrier = |level: usize| {
        let mask = &found.levels[level].masks[0];
        let ticket = mask.apply_to(&found.rewound[0]).unwrap();
        let again = |net, (), steps, order| train(net, mask, steps, order).map(|net| (net, ()));
        let profile = CurveProfileConfig::new().with_num_points(11);
        let branches = InstabilityConfig::new(vec![0], 5).with_profile(profile);
        let branches = branches.run(&risk, &ticket, (), again).unwrap();
        branches.profiles[0].barriers().unwrap().above_mean
    };
    assert_eq!(barrier(0), 1.0);
    // The first weight was smaller, and is pruned.
    assert_eq!(barrier(1), 0.0);
}

/// A teacher of ten weights, of which three matter.
const TEACHER: [f64; 10] = [0.0, 1.0, 0.0, 0.0, -2.0, 0.0, 0.0, 0.0, 1.5, 0.0];

#[test]
fn tickets_of_a_sparse_teacher_are_its_weights_and_random_masks_are_worse() {
    let mut rng = StdRng::seed_from_u64(1);
    let x = TensorData::random::<f64, _, _>([32, 10], Distribution::Normal(0.0, 1.0), &mut rng);
    let x = Tensor::<2>::from_data(x, (&device(), DType::F64));
    // The ten weights, in rows of two, as a column.
    let column = |weight: Tensor<2>| weight.reshape([10, 1]);
    let y = x
        .clone()
        .matmul(column(Net::new(&TEACHER).weight.val().detach()));
    // Without the graph that made it.
    let y = Tensor::<2>::from_data(y.into_data(), (&device(), DType::F64));
    let loss = |net: &Net, (x, y): (Tensor<2>, Tensor<2>)| {
        (x.matmul(column(net.weight.val())) - y).square().mean()
    };
    let data = [(x, y)];
    let train = |mut net: Net, mask: &WeightMask, steps: Range<usize>, _: u64| {
        let momentum = MomentumConfig::new().with_momentum(0.8);
        let sgd = SgdConfig::new()
            .with_momentum(Some(momentum.with_dampening(0.0)))
            .with_weight_decay(Some(WeightDecayConfig::new(1e-4)));
        let mut sgd = MaskedOptimizer::new(sgd.init(), mask.clone());
        for _ in steps {
            sgd.closure_step(0.1, &mut net, |net: &Net| loss(net, data[0].clone()))?;
        }
        Ok::<_, OptimError>(net)
    };
    let initial = |seed: u64| {
        let net = Net::new(&[0.0; 10]);
        let space = ParamSpace::of(&net).unwrap();
        let weights = ParamVector::gaussian(&space, seed).unwrap().scale(0.3);
        weights.apply_to(&net).unwrap()
    };
    let config = TicketSearchConfig::new(85)
        .with_levels(3)
        .with_fraction(0.3)
        .with_rewind(5)
        .with_from_initialization(false)
        .with_seeds(vec![0, 1, 2]);
    let found = config.run(&Risk::new(&loss, &data), initial, train);
    let found = found.unwrap();
    let kept: Vec<usize> = found.levels.iter().map(|level| level.num_kept).collect();
    assert_eq!(kept, [10, 7, 5, 3]);
    let last = &found.levels[3];
    for (seed, mask) in last.masks.iter().enumerate() {
        let kept = mask.apply_to(&Net::new(&TEACHER)).unwrap();
        assert_eq!(kept.weights(), TEACHER, "seed {seed}");
        assert!(last.ticket.scores[seed] < 1e-3, "seed {seed}");
    }
    let random = last.random_mask.as_ref().unwrap();
    assert!(random.mean > 0.1, "{random:?}");
    let advantage = last.ticket.minus(random);
    assert!(advantage.value < 0.0);
    // The loss is convex: another initialization is as good.
    let reinitialized = last.reinitialized.as_ref().unwrap();
    assert!(last.ticket.minus(reinitialized).value.abs() < 1e-3);
}
