//! The traps between a model and its vector of parameters, one test each.

use burn::module::{Flag, Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, GradientCheckpointingStrategy, Int, Tensor};
use burnscape::loss::{Mode, Risk};
use burnscape::space::{
    ParamSpace, ParamVector, RunningStatistics, SpaceError, copy_for_gradients, unshared_copy,
};

#[derive(Module, Debug)]
struct Net {
    first: Linear,
    norm: BatchNorm,
    last: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        Self {
            first: LinearConfig::new(3, 4).init(device),
            norm: BatchNormConfig::new(4).init(device),
            last: LinearConfig::new(4, 2).init(device),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = self.norm.forward(self.first.forward(x)).tanh();
        self.last.forward(hidden)
    }

    fn statistics(&self) -> Vec<u32> {
        let mean = bits(self.norm.running_mean.value_sync());
        let var = bits(self.norm.running_var.value_sync());
        [mean, var].concat()
    }
}

fn mean_square(net: &Net, x: Tensor<2>) -> Tensor<1> {
    net.forward(x).powi_scalar(2).mean()
}

fn training() -> Device {
    Device::default().autodiff()
}

fn input(device: &Device) -> Tensor<2> {
    let rows = [[1.0, -2.0, 0.5], [0.25, 3.0, -1.0], [2.0, 0.125, 4.0]];
    Tensor::from_floats(rows, device)
}

fn bits<const D: usize>(tensor: Tensor<D>) -> Vec<u32> {
    let data = tensor.inner().into_data();
    data.iter::<f32>().map(f32::to_bits).collect()
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.inner().into_data().iter::<f32>().collect()
}

fn paths(space: &ParamSpace) -> Vec<&str> {
    space.leaves().iter().map(|leaf| leaf.path()).collect()
}

/// A vector whose coordinates are all different.
fn ramp(space: &ParamSpace) -> ParamVector {
    let values: Vec<f64> = (0..space.len()).map(|i| 0.5 + i as f64).collect();
    ParamVector::from_host(space, &values).unwrap()
}

#[test]
fn a_moved_weight_keeps_its_leaf_status_and_its_gradient() {
    let device = training();
    let layer = LinearConfig::new(3, 2).init(&device);
    let space = ParamSpace::of(&layer).unwrap();
    let moved = ramp(&space).perturb(&layer, 0.5).unwrap();

    assert!(moved.weight.val().is_autodiff());
    assert!(moved.weight.val().is_require_grad());
    assert_eq!(moved.weight.id, layer.weight.id);
    // The gradient of Σ(xW + b) is the column sums of x, in every column, and the batch size.
    let loss = moved.forward(input(&device)).sum();
    let gradients = GradientsParams::from_grads(loss.backward(), &moved);
    let gradient = ParamVector::from_gradients(&space, &gradients).unwrap();
    let expected = [3.25, 3.25, 1.125, 1.125, 3.5, 3.5, 3.0, 3.0];
    assert_eq!(gradient.to_host().unwrap(), expected);
}

#[derive(Module, Debug)]
struct Checkpointed {
    net: Net,
    offset: Tensor<2>,
    order: Param<Tensor<1, Int>>,
}

impl Checkpointed {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let output = self.net.forward(x) + self.offset.clone();
        output.select(1, self.order.val())
    }
}

#[test]
fn a_moved_weight_keeps_its_gradient_checkpointing_strategy() {
    let device = training().gradient_checkpointing();
    let order = Tensor::<1, Int>::from_ints([1, 0], &device);
    let model = Checkpointed {
        net: Net::new(&device),
        offset: Tensor::ones([1, 2], &device),
        order: Param::initialized(ParamId::new(), order),
    };
    let balanced = Some(GradientCheckpointingStrategy::Balanced);
    let space = ParamSpace::of(&model).unwrap();
    let zero = ParamVector::zeros(&space).unwrap();
    let moved = zero.perturb(&model, 1.0).unwrap();

    let weight = moved.net.last.weight.val();
    assert_eq!(weight.gradient_checkpointing_strategy(), balanced);
    let statistics = moved.net.norm.running_mean.value();
    assert_eq!(statistics.gradient_checkpointing_strategy(), balanced);
    // Burn panics where two strategies meet: the plain tensor and the integers must not bring one.
    let gradient = |model: &Checkpointed| {
        let loss = model.forward(input(&device)).powi_scalar(2).mean();
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        bits(
            ParamVector::from_gradients(&space, &gradients)
                .unwrap()
                .values()
                .clone(),
        )
    };
    let statistics = model.net.statistics();
    assert_eq!(gradient(&moved), gradient(&unshared_copy(&model)));
    let ready = copy_for_gradients(&model, true);
    assert_eq!(gradient(&moved), gradient(&ready));
    assert_eq!(model.net.statistics(), statistics);

    let loss = |model: &Checkpointed, x| model.forward(x).powi_scalar(2).mean();
    let batch = [input(&Device::default())];
    let risk = Risk::new(&loss, &batch).with_mode(Mode::Train);
    let measured = risk.loss_and_gradient(&model).unwrap();
    let norm = measured.gradient.norm().unwrap();
    assert!(norm > 0.0 && norm.is_finite());
}

#[test]
fn rebuilding_a_model_gives_the_same_coordinates() {
    let device = training();
    let (one, two) = (Net::new(&device), Net::new(&device));
    let (space, other) = (ParamSpace::of(&one).unwrap(), ParamSpace::of(&two).unwrap());
    let expected = [
        "first.weight",
        "first.bias",
        "norm.gamma",
        "norm.beta",
        "last.weight",
        "last.bias",
    ];
    assert_eq!(paths(&space), expected);
    assert_eq!(paths(&other), expected);
    assert_ne!(space.leaves()[0].id(), other.leaves()[0].id());
    assert!(space.check_same(&other).is_ok());

    let vector = ParamVector::from_module(&space, &one).unwrap();
    let filled = vector.apply_to(&two).unwrap();
    assert_eq!(
        bits(filled.first.weight.val()),
        bits(one.first.weight.val())
    );
    assert_eq!(
        bits(filled.last.bias.unwrap().val()),
        bits(one.last.bias.unwrap().val())
    );
    assert_eq!(filled.first.weight.id, two.first.weight.id);
}

#[test]
fn measuring_and_displacing_leave_the_running_statistics_alone() {
    let device = training();
    let net = Net::new(&device);
    let _ = net.forward(input(&device));
    let clone = net.clone();
    let before = net.statistics();

    let space = ParamSpace::of(&net).unwrap();
    let moved = ramp(&space).perturb(&net, 0.1).unwrap();
    let copies = [moved, unshared_copy(&net), copy_for_gradients(&net, true)];
    for copy in &copies {
        assert_eq!(copy.statistics(), before);
        let _ = copy.forward(input(&device));
        assert_ne!(copy.statistics(), before, "the copy's own pass is recorded");
    }
    let data = [input(&device), input(&Device::default())];
    for mode in [Mode::Eval, Mode::Train] {
        let risk = Risk::new(&mean_square, &data).with_mode(mode);
        risk.loss(&net).unwrap();
        risk.loss_and_gradient(&net).unwrap();
        risk.check_deterministic(&net, 0.0).unwrap();
    }
    assert_eq!(net.statistics(), before);
    assert_eq!(clone.statistics(), before);
}

#[test]
fn an_update_that_waits_for_synchronization_is_counted_once() {
    let device = training();
    let net = Net::new(&device);
    let _ = net.forward(input(&device));
    // No one has asked for the statistics yet: the update waits. A measurement folds it in.
    let space = ParamSpace::of(&net).unwrap();
    let moved = ParamVector::zeros(&space)
        .unwrap()
        .perturb(&net, 1.0)
        .unwrap();
    let batch_mean = net.first.forward(input(&device)).mean_dim(0);
    let expected = floats(batch_mean * 0.1);
    for found in [&net, &moved] {
        let found = floats(found.norm.running_mean.value_sync());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}

#[test]
fn a_valid_model_and_a_plain_one_just_work() {
    let trained = Net::new(&training());
    let valid = trained.valid();
    let space = ParamSpace::of(&trained).unwrap();
    let vector = ParamVector::from_module(&space, &trained).unwrap();
    let plain = vector.apply_to(&Net::new(&Device::default())).unwrap();
    let batch = [input(&Device::default())];
    let gradient = |net: &Net| {
        let result = Risk::new(&mean_square, &batch)
            .loss_and_gradient(net)
            .unwrap();
        (
            result.value.to_bits(),
            bits(result.gradient.values().clone()),
        )
    };
    let expected = gradient(&trained);
    for net in [&valid, &plain] {
        assert!(ParamSpace::of(net).unwrap().check_same(&space).is_ok());
        assert_eq!(gradient(net), expected);
        let moved = ramp(&space).perturb(net, 0.5).unwrap();
        assert!(
            !moved.first.weight.val().is_autodiff(),
            "it stays as it was"
        );
        assert!(!moved.norm.training.is_enabled() || net.norm.training.is_enabled());
        assert!(moved.train().first.weight.val().is_require_grad());
    }
}

#[derive(Module, Debug)]
struct Tied {
    encoder: Linear,
    decoder: Linear,
}

impl Tied {
    fn new(device: &Device) -> Self {
        let encoder = LinearConfig::new(3, 2).with_bias(false).init(device);
        Self {
            decoder: encoder.clone(),
            encoder,
        }
    }

    fn untied(device: &Device) -> Self {
        Self {
            encoder: LinearConfig::new(3, 2).with_bias(false).init(device),
            decoder: LinearConfig::new(3, 2).with_bias(false).init(device),
        }
    }

    /// Σ(xW₁) + 3 Σ(xW₂).
    fn loss(&self, x: Tensor<2>) -> Tensor<1> {
        self.encoder.forward(x.clone()).sum() + self.decoder.forward(x).sum() * 3.0
    }
}

#[test]
fn a_parameter_that_occurs_twice_is_one_coordinate_and_one_leaf() {
    let device = training();
    let model = Tied::new(&device);
    let space = ParamSpace::of(&model).unwrap();
    assert_eq!(space.len(), 6);
    assert_eq!(paths(&space), ["encoder.weight"]);
    assert_eq!(space.leaves()[0].duplicates(), ["decoder.weight"]);

    let moved = ramp(&space).perturb(&model, 1.0).unwrap();
    assert_ne!(
        bits(moved.encoder.weight.val()),
        bits(model.encoder.weight.val())
    );
    assert_eq!(
        bits(moved.encoder.weight.val()),
        bits(moved.decoder.weight.val())
    );
    // Both occurrences contribute: 1 + 3 times the column sums of x.
    for copy in [moved, copy_for_gradients(&model.valid(), false)] {
        let loss = copy.loss(input(&device));
        let gradients = GradientsParams::from_grads(loss.backward(), &copy);
        let gradient = ParamVector::from_gradients(&space, &gradients).unwrap();
        let expected = [13.0, 13.0, 4.5, 4.5, 14.0, 14.0];
        assert_eq!(gradient.to_host().unwrap(), expected);
    }
}

#[test]
fn a_group_that_names_one_occurrence_moves_them_all() {
    let model = Tied::new(&training());
    let space = ParamSpace::of_group(&model, &ParamGroup::from_predicate("decoder")).unwrap();
    assert_eq!(paths(&space), ["decoder.weight"]);
    assert_eq!(space.leaves()[0].duplicates(), ["encoder.weight"]);
    let filled = ramp(&space).apply_to(&model).unwrap();
    let expected = [0.5, 1.5, 2.5, 3.5, 4.5, 5.5];
    assert_eq!(floats(filled.encoder.weight.val()), expected);
    assert_eq!(floats(filled.decoder.weight.val()), expected);
    assert!(filled.encoder.weight.val().is_require_grad());
}

#[test]
fn a_model_with_other_ties_is_refused() {
    let device = training();
    let (tied, untied) = (Tied::new(&device), Tied::untied(&device));
    let refused = |result: Result<Tied, SpaceError>| {
        let error = result.unwrap_err();
        assert!(
            matches!(error, SpaceError::DifferentSpaces { .. }),
            "{error}"
        );
    };
    let space = ParamSpace::of(&tied).unwrap();
    refused(ramp(&space).apply_to(&untied));
    let group = ParamGroup::from_path("encoder.weight");
    let space = ParamSpace::of_group(&untied, &group).unwrap();
    refused(ramp(&space).perturb(&tied, 1.0));
}

#[test]
fn a_frozen_parameter_is_no_coordinate_and_stays_as_it_is() {
    let device = training();
    let mut net = Net::new(&device);
    net.first = net.first.freeze();
    let space = ParamSpace::of(&net).unwrap();
    assert_eq!(paths(&space)[0], "norm.gamma");
    // Running statistics are not frozen parameters.
    assert_eq!(space.num_frozen(), 2);
    assert_eq!(ParamSpace::of(&Net::new(&device)).unwrap().num_frozen(), 0);

    let moved = ramp(&space).perturb(&net, 0.5).unwrap();
    assert_eq!(bits(moved.first.weight.val()), bits(net.first.weight.val()));
    for copy in [
        moved,
        copy_for_gradients(&net, true),
        copy_for_gradients(&net.valid(), true),
    ] {
        assert!(!copy.first.weight.val().is_require_grad());
        assert!(copy.last.weight.val().is_require_grad());
    }
    let error = ParamSpace::of(&net.freeze()).unwrap_err();
    assert_eq!(error, SpaceError::NoTrainableParameters { frozen: 6 });
}

#[test]
fn a_tie_between_a_frozen_and_a_trained_occurrence_keeps_both_as_they_are() {
    let device = training();
    let model = Tied::new(&device);
    // Freezing one clone of a lazy parameter would freeze what both initialize to.
    assert!(model.encoder.weight.val().is_require_grad());
    let model = model.freeze_group(ParamGroup::from_predicate("encoder"));
    let space = ParamSpace::of(&model).unwrap();
    assert_eq!(paths(&space), ["decoder.weight"]);
    let filled = ramp(&space).apply_to(&model).unwrap();
    assert_eq!(
        bits(filled.encoder.weight.val()),
        bits(filled.decoder.weight.val())
    );
    assert!(!filled.encoder.weight.val().is_require_grad());
    assert!(filled.decoder.weight.val().is_require_grad());
}

#[derive(Default)]
struct Flags(Vec<bool>);

impl ModuleVisitor for Flags {
    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.0.push(flag.is_enabled());
    }
}

#[test]
fn a_copy_keeps_the_training_flags_and_measuring_copies_set_them() {
    let flags = |model: &(Dropout, Net)| {
        let mut flags = Flags::default();
        model.visit(&mut flags);
        flags.0
    };
    let model = (DropoutConfig::new(0.5).init(), Net::new(&training()));
    let space = ParamSpace::of(&model).unwrap();
    let partly = (model.0.clone().freeze(), model.1.clone());
    for (model, expected) in [
        (model.clone(), [true, true]),
        (model.valid(), [false, false]),
        (partly.clone(), [false, true]),
    ] {
        assert_eq!(flags(&model), expected);
        assert_eq!(flags(&unshared_copy(&model)), expected);
        assert_eq!(flags(&ramp(&space).perturb(&model, 0.5).unwrap()), expected);
        assert_eq!(flags(&copy_for_gradients(&model, false)), [false, false]);
    }
    assert_eq!(
        flags(&copy_for_gradients(&model.valid(), true)),
        [true, true]
    );
    assert_eq!(flags(&copy_for_gradients(&partly, true)), [false, true]);
    // A copy in inference still knows what training would switch on.
    assert_eq!(flags(&unshared_copy(&model.valid()).train()), [true, true]);
}

#[test]
fn restored_statistics_undo_a_poisoned_training_pass() {
    let device = training();
    let net = Net::new(&device);
    let _ = net.forward(input(&device));
    let clone = net.clone();
    let snapshot = RunningStatistics::of(&net);
    let (before, weight) = (net.statistics(), bits(net.first.weight.val()));

    let _ = net.forward(input(&device) * f32::NAN);
    assert!(floats(net.norm.running_mean.value_sync())[0].is_nan());
    // A second poisoned pass leaves an update that waits for synchronization.
    let _ = net.forward(input(&device) * f32::NAN);
    let net = snapshot.write_to(net);
    assert_eq!(net.statistics(), before);
    assert_eq!(
        clone.statistics(),
        before,
        "shared with clones, so restored for them"
    );
    assert_eq!(bits(net.first.weight.val()), weight);
    assert!(net.first.weight.val().is_require_grad());
    assert!(net.norm.running_mean.value().is_autodiff());
    let _ = net.forward(input(&device));
    assert_ne!(net.statistics(), before, "it lives on");
}
