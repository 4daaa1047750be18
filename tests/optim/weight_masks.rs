//! Masks of weights: what they prune, and that optimizers hold them to the bit.

use burn::module::{Module, Param, ParamGroup};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdamConfig, AdamWConfig, GradientsParams, LionConfig, ModuleOptimizer, MuonConfig,
    RmsPropConfig, SgdConfig,
};
use burn::tensor::{DType, Tensor, TensorData};
use burnscape::FormatError;
use burnscape::optim::{
    ClosureStep, MaskedOptimizer, OptimError, OptimRecord, SamConfig, SkipReason, WeightMask,
};
use burnscape::prelude::*;
use burnscape::space::{LeafVector, unshared_copy};
use burnscape_testkit::models::Normalized;

use super::fixture::{device, point, sgd};

/// Six weights and two biases.
#[derive(Module, Debug)]
struct Net {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Net {
    fn new(weights: [f64; 6]) -> Self {
        Self::of(weights, DType::F64)
    }

    fn of(weights: [f64; 6], dtype: DType) -> Self {
        let options = (&device(), dtype);
        let weight = TensorData::new(weights.to_vec(), [3, 2]);
        Self {
            weight: Param::from_tensor(Tensor::from_data(weight, options)),
            bias: Param::from_tensor(Tensor::from_data([0.5, -0.5], options)),
        }
    }

    fn weights(&self) -> Vec<f64> {
        self.weight.val().into_data().iter::<f64>().collect()
    }

    fn biases(&self) -> Vec<f64> {
        self.bias.val().into_data().iter::<f64>().collect()
    }
}

/// `½ Σ h (w − c)² + ½ Σ b²`: no coordinate depends on another.
fn separable(net: &Net) -> Tensor<1> {
    let options = (&net.weight.val().device(), net.weight.val().dtype());
    let h = Tensor::<2>::from_data([[1.0, 2.0], [3.0, 0.5], [1.5, 2.5]], options);
    let c = Tensor::<2>::from_data([[2.0, -1.0], [0.7, 3.0], [-2.0, 1.0]], options);
    let weights = ((net.weight.val() - c).square() * h).sum();
    (weights + net.bias.val().square().sum()) * 0.5
}

const START: [f64; 6] = [3.0, -0.1, 0.2, 2.0, -1.0, 0.3];
/// Half of the weights of the start are smaller than the others.
const PRUNED: [usize; 3] = [1, 2, 5];

fn half(net: &Net) -> WeightMask {
    WeightMask::of(net)
        .unwrap()
        .without_smallest(net, 0.5)
        .unwrap()
}

/// The places at which a mask is zero.
fn pruned(mask: &WeightMask) -> Vec<usize> {
    let weights = mask.apply_to(&Net::new([1.0; 6])).unwrap().weights();
    (0..6).filter(|&index| weights[index] == 0.0).collect()
}

fn momentum() -> ModuleOptimizer {
    let momentum = MomentumConfig::new().with_momentum(0.9);
    SgdConfig::new()
        .with_momentum(Some(momentum.with_dampening(0.0)))
        .with_weight_decay(Some(WeightDecayConfig::new(0.1)))
        .init()
}

/// Optimizers that move every coordinate for itself, with memories and with decay.
fn bases() -> Vec<(&'static str, ModuleOptimizer)> {
    vec![
        ("momentum and decay", momentum()),
        ("adamw", AdamWConfig::new().with_weight_decay(0.1).init()),
        ("adam", AdamConfig::new().init()),
        ("rmsprop", RmsPropConfig::new().init()),
        ("lion", LionConfig::new().init()),
    ]
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn masks_hold_to_the_bit_through_warm_momentum_and_decay_and_other_weights_do_not_notice() {
    for (name, mut base) in bases() {
        let mut dense = Net::new(START);
        let mask = half(&dense);
        // The base has memories of the weights that are pruned then.
        for _ in 0..5 {
            base.closure_step(0.01, &mut dense, separable).unwrap();
        }
        let mut masked = dense.clone();
        let mut held = MaskedOptimizer::new(base.clone(), mask.clone());
        for step in 0..20 {
            let report = held.closure_step(0.01, &mut masked, separable).unwrap();
            assert_eq!(report.skipped, None);
            base.closure_step(0.01, &mut dense, separable).unwrap();
            let (found, free) = (masked.weights(), dense.weights());
            for index in 0..6 {
                let is_pruned = PRUNED.contains(&index);
                let expected = if is_pruned { 0.0_f64 } else { free[index] };
                let [found, expected] = [found[index], expected].map(f64::to_bits);
                assert_eq!(found, expected, "{name}, step {step}, weight {index}");
            }
            assert_eq!(bits(&masked.biases()), bits(&dense.biases()), "{name}");
        }
    }
}

#[test]
fn a_masked_gradient_alone_revives_weights() {
    for (name, mut base) in [
        ("momentum", momentum()),
        ("adamw", AdamWConfig::new().init()),
    ] {
        let mut net = Net::new(START);
        let mask = half(&net);
        for _ in 0..5 {
            base.closure_step(0.01, &mut net, separable).unwrap();
        }
        net = mask.apply_to(&net).unwrap();
        let space = ParamSpace::of(&net).unwrap();
        let masked_gradient = |net: &Net| {
            let gradients = GradientsParams::from_grads(separable(net).backward(), net);
            let gradient = LeafVector::from_gradients(&space, &gradients).unwrap();
            mask.restrict(gradient).unwrap().into_gradients()
        };
        base.closure_step(0.01, &mut net, masked_gradient).unwrap();
        assert!(net.weights()[1] != 0.0, "{name}");
    }
}

#[test]
fn masks_hold_where_the_base_mixes_coordinates() {
    let mut net = Net::new(START);
    // Muon supports matrices only.
    net.bias = net.bias.set_require_grad(false);
    let mask = half(&net);
    let mut muon = MaskedOptimizer::new(MuonConfig::new().init(), mask);
    for _ in 0..5 {
        muon.closure_step(0.05, &mut net, separable).unwrap();
        let weights = net.weights();
        let zeros: Vec<usize> = (0..6).filter(|&index| weights[index] == 0.0).collect();
        assert_eq!(zeros, PRUNED);
    }
}

#[test]
fn sam_takes_both_gradients_with_pruned_weights_at_zero() {
    let mut net = Net::new(START);
    let mask = half(&net);
    let sam = SamConfig::new().with_rho(0.3).init(sgd()).unwrap();
    let mut sam = MaskedOptimizer::new(sam, mask);
    let calls = std::cell::Cell::new(0);
    let loss = |net: &Net| {
        let weights = net.weights();
        assert!(
            PRUNED.iter().all(|&index| weights[index] == 0.0),
            "{weights:?}"
        );
        calls.set(calls.get() + 1);
        separable(net)
    };
    let report = sam.closure_step(0.1, &mut net, loss).unwrap();
    assert_eq!((calls.get(), report.num_gradients), (2, 2));
    assert!(report.perturbed_loss > report.loss);
}

#[test]
fn the_norm_of_the_gradient_is_that_of_the_weights_that_are_left() {
    let mut net = Net::new(START);
    let mask = half(&net);
    let mut held = MaskedOptimizer::new(sgd(), mask);
    let report = held.closure_step(0.0, &mut net, separable).unwrap();
    // h (w − c) at 3, 2 and −1, and the biases.
    let expected = [1.0, -0.5, 1.5, 0.5, -0.5].map(|g: f64| g * g);
    let expected = expected.iter().sum::<f64>().sqrt();
    assert!((report.gradient_norm - expected).abs() < 1e-14);
}

#[test]
fn a_mask_that_keeps_everything_changes_nothing_with_running_statistics_either() {
    let device = device();
    let x = Tensor::<2>::from_data([[1.0, 2.0], [-1.0, 0.5], [0.3, -2.0]], &device);
    let start = Normalized::new([2, 4, 1], &device).train();
    let loss = |net: &Normalized| net.forward(x.clone()).square().mean();
    let mut plain = unshared_copy(&start);
    let mut masked = unshared_copy(&start);
    let mut base = sgd();
    let mut held = MaskedOptimizer::new(sgd(), WeightMask::of(&start).unwrap());
    for _ in 0..3 {
        base.closure_step(0.1, &mut plain, loss).unwrap();
        held.closure_step(0.1, &mut masked, loss).unwrap();
    }
    let running = |net: &Normalized| net.running().map(|values| values.into_data());
    assert_eq!(running(&masked), running(&plain));
    assert!(running(&masked) != running(&start));
    let weights = |net: &Normalized| net.first.weight.val().into_data();
    assert_eq!(weights(&masked), weights(&plain));
}

#[test]
fn only_weights_are_pruned_and_only_those_of_the_group() {
    let net = Normalized::new([4, 5, 2], &device());
    let mask = WeightMask::of(&net).unwrap();
    assert_eq!((mask.num_weights(), mask.num_kept()), (30, 30));
    let layers = |mask: &WeightMask| -> Vec<String> {
        let layers = mask.kept_by_layer().into_iter();
        layers.map(|(path, _)| path.to_owned()).collect()
    };
    assert_eq!(layers(&mask), ["first.weight", "second.weight"]);
    let few = mask.without_smallest(&net, 0.9).unwrap();
    assert_eq!(few.num_kept(), 3);
    let pruned = few.apply_to(&net).unwrap();
    let bias = |net: &Normalized| net.first.bias.as_ref().unwrap().val().into_data();
    assert_eq!(bias(&pruned), bias(&net));
    assert_eq!(
        pruned.norm.gamma.val().into_data(),
        net.norm.gamma.val().into_data()
    );
    let first = ParamGroup::from_predicate("first");
    let mask = WeightMask::of_group(&net, &first).unwrap();
    assert_eq!((mask.num_weights(), layers(&mask).len()), (20, 1));
    let pruned = mask.without_smallest(&net, 0.5).unwrap();
    let pruned = pruned.apply_to(&net).unwrap();
    let second = |net: &Normalized| net.second.weight.val().into_data();
    assert_eq!(second(&pruned), second(&net));
}

#[test]
fn exactly_the_nearest_number_is_pruned() {
    let net = Net::new(START);
    let mask = WeightMask::of(&net).unwrap();
    // Of six weights: 0.48, 0.6, 1.2, 1.5, 2.4 and 4.8.
    for (fraction, kept) in [
        (0.0, 6),
        (0.08, 6),
        (0.1, 5),
        (0.2, 5),
        (0.25, 4),
        (0.4, 4),
        (0.8, 1),
    ] {
        let pruned = mask.without_smallest(&net, fraction).unwrap();
        assert_eq!(pruned.num_kept(), kept, "{fraction}");
        assert_eq!(pruned.kept_share(), kept as f64 / 6.0);
    }
    assert_eq!(pruned(&half(&net)), PRUNED);
}

#[test]
fn of_weights_of_one_size_those_with_lower_coordinates_go_first() {
    let net = Net::new([1.0, -1.0, 1.0, 2.0, -1.0, 1.0]);
    let mask = WeightMask::of(&net).unwrap();
    let at_once = mask.without_smallest(&net, 0.5).unwrap();
    assert_eq!(pruned(&at_once), [0, 1, 2]);
    let again = at_once.without_smallest(&net, 1.0 / 3.0).unwrap();
    assert_eq!(pruned(&again), [0, 1, 2, 4]);
    // What is pruned stays so, whatever its size.
    let grown = Net::new([9.0, 9.0, 9.0, 2.0, 9.0, 1.0]);
    let last = again.without_smallest(&grown, 0.5).unwrap();
    assert_eq!(pruned(&last), [0, 1, 2, 4, 5]);
}

#[test]
fn random_masks_keep_the_counts_of_layers_at_places_that_are_all_alike() {
    let net = Normalized::new([4, 5, 2], &device());
    let mask = WeightMask::of(&net).unwrap();
    let mask = mask.without_smallest(&net, 0.6).unwrap();
    for seed in 0..3 {
        let random = mask.shuffled(seed);
        assert_eq!(random.kept_by_layer(), mask.kept_by_layer());
        assert_eq!(random, mask.shuffled(seed));
    }
    assert!(mask.shuffled(0) != mask.shuffled(1));
    // Two of six weights, in 900 draws: 300 each, with a standard deviation of 14.
    let net = Net::new(START);
    let two = WeightMask::of(&net).unwrap();
    let two = two.without_smallest(&net, 2.0 / 3.0).unwrap();
    let mut counts = [900_i32; 6];
    for seed in 0..900 {
        for index in pruned(&two.shuffled(seed)) {
            counts[index] -= 1;
        }
    }
    assert_eq!(counts.iter().sum::<i32>(), 1800);
    assert!(
        counts.iter().all(|count| (count - 300).abs() < 64),
        "{counts:?}"
    );
}

#[test]
fn masks_are_read_back_and_broken_ones_refused() {
    let mask = half(&Net::new(START));
    let text = mask.to_json().unwrap();
    assert_eq!(WeightMask::from_json(&text).unwrap(), mask);
    // Weights 0, 3 and 4 are kept: 1 + 8 + 16.
    assert!(text.contains(r#"{"len":6,"words":[25]}"#), "{text}");
    for broken in [r#"{"len":4,"words":[25]}"#, r#"{"len":64,"words":[25]}"#] {
        let text = text.replace(r#"{"len":6,"words":[25]}"#, broken);
        let error = WeightMask::from_json(&text).unwrap_err();
        assert!(matches!(error, FormatError::Read { .. }), "{error}");
    }
    let text = text.replace(r#"{"len":6,"words":[25]}"#, r#"{"len":5,"words":[25]}"#);
    let short = WeightMask::from_json(&text).unwrap();
    let error = short.apply_to(&Net::new(START)).unwrap_err();
    assert!(error.to_string().contains("5 bits for `weight`"), "{error}");
}

#[test]
fn masks_of_another_model_are_refused_everywhere() {
    let mask = half(&Net::new(START));
    let mut other = Normalized::new([4, 5, 2], &device());
    let refused = |error: OptimError| {
        assert!(matches!(error, OptimError::OtherMask { .. }), "{error}");
        assert!(error.to_string().contains("WeightMask::of"), "{error}");
    };
    refused(mask.apply_to(&other).unwrap_err());
    refused(mask.without_smallest(&other, 0.5).unwrap_err());
    let space = ParamSpace::of(&other).unwrap();
    refused(mask.restrict(LeafVector::zeros(&space)).unwrap_err());
    let x = Tensor::<2>::ones([3, 4], &device());
    let loss = |net: &Normalized| net.forward(x.clone()).mean();
    let mut held = MaskedOptimizer::new(sgd(), mask);
    refused(held.closure_step(0.1, &mut other, loss).unwrap_err());
}

#[test]
fn models_without_weights_and_weights_without_a_size_are_refused() {
    let error = WeightMask::of(&point(&[1.0, 2.0])).unwrap_err();
    assert_eq!(error, OptimError::NothingToPrune { parameters: 1 });
    let net = Net::new([1.0, 2.0, f64::NAN, 0.5, 1.0, 1.0]);
    let mask = WeightMask::of(&net).unwrap();
    let error = mask.without_smallest(&net, 0.5).unwrap_err();
    let OptimError::NonFiniteWeight { path, value } = error else {
        panic!("{error}")
    };
    assert!(path == "weight" && value.is_nan());
    // A pruned weight may be anything, and is zero.
    let two = mask.without_smallest(&Net::new(START), 0.5).unwrap();
    assert_eq!(two.apply_to(&net).unwrap().weights()[2], 0.0);
    assert!(two.without_smallest(&net, 0.5).is_ok());
    for fraction in [-0.1, 1.0, f64::NAN] {
        let error = mask.without_smallest(&net, fraction).unwrap_err();
        assert!(matches!(error, OptimError::OutOfRange(_)), "{error}");
    }
}

#[test]
fn a_run_resumes_to_the_bit_with_the_mask_of_its_record() {
    // Burn reads records in the default type of the device.
    let mut net = Net::of(START, DType::F32);
    let mask = half(&net);
    let mut held = MaskedOptimizer::new(momentum(), mask.clone());
    for _ in 0..3 {
        held.closure_step(0.02, &mut net, separable).unwrap();
    }
    let record = held.save_state(&net).unwrap().into_bytes().unwrap();
    let mut resumed = net.clone();
    let everything = WeightMask::of(&net).unwrap();
    let again = MaskedOptimizer::new(momentum(), everything);
    let record = OptimRecord::from_bytes(record).unwrap();
    let mut again = again.load_state(record, &net).unwrap();
    assert_eq!(again.mask(), &mask);
    for _ in 0..3 {
        held.closure_step(0.02, &mut net, separable).unwrap();
        again.closure_step(0.02, &mut resumed, separable).unwrap();
    }
    assert_eq!(bits(&resumed.weights()), bits(&net.weights()));
    // A record of another optimizer is none of this one.
    let plain = momentum().save_state(&net).unwrap();
    let error = again.load_state(plain, &net).unwrap_err();
    assert!(matches!(error, OptimError::Record { .. }), "{error}");
}

#[test]
fn failed_and_skipped_steps_keep_the_weights_that_are_left() {
    let mut net = Net::new(START);
    let mask = half(&net);
    let mut held = MaskedOptimizer::new(momentum(), mask);
    let panics = |_: &Net| -> Tensor<1> { panic!("on purpose") };
    held.closure_step(0.1, &mut net, panics).unwrap_err();
    assert_eq!(net.weights(), START);
    let infinite = |net: &Net| separable(net) / 0.0;
    let report = held.closure_step(0.1, &mut net, infinite).unwrap();
    assert_eq!(report.skipped, Some(SkipReason::NonFinite));
    assert_eq!(net.weights(), [3.0, 0.0, 0.0, 2.0, -1.0, 0.0]);
}
