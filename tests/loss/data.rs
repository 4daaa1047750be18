//! Losses over batches and data sets: weights, modes, data sets, observers, the probe.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use approx::assert_relative_eq;
use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::{Module, Param, ParamGroup};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Bool, DType, Device, Int, Tensor};
use burnscape::loss::{
    Batch, BatchMapper, Batches, DataSet, ExampleLosses, LossError, Mode, Objective, Reduction,
    Risk, SumLoss, Work,
};
use burnscape::space::ParamVector;

/// One weight `w`.
#[derive(Module, Debug)]
struct Scale {
    w: Param<Tensor<1>>,
}

fn scale(w: f64, dtype: DType) -> Scale {
    let device = Device::default().autodiff();
    Scale {
        w: Param::from_tensor(Tensor::from_data([w], (&device, dtype))),
    }
}

fn numbers(values: &[f32]) -> Tensor<1> {
    Tensor::from_floats(values, &Device::default())
}

/// `1/n Σ (w xᵢ)²`, so `L = w² m₂` and `L' = 2 w m₂` with `m₂` the mean square of the data.
fn mean_square(model: &Scale, x: Tensor<1>) -> Tensor<1> {
    (model.w.val() * x).powi_scalar(2).mean()
}

fn sum_square(model: &Scale, x: Tensor<1>) -> Tensor<1> {
    (model.w.val() * x).powi_scalar(2).sum()
}

fn squares(model: &Scale, x: Tensor<1>) -> Tensor<1> {
    (model.w.val() * x).powi_scalar(2)
}

/// Partitions of the same seven numbers; Σx² = 140, m₂ = 20.
fn partitions() -> Vec<Vec<Tensor<1>>> {
    let all = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 9.219_544];
    [7, 3, 1]
        .map(|size| all.chunks(size).map(numbers).collect())
        .to_vec()
}

#[test]
fn every_partition_of_the_data_has_the_same_mean_and_gradient() {
    let model = scale(3.0, DType::F32);
    for data in partitions() {
        let risk = Risk::new(&mean_square, &data);
        let result = risk.loss_and_gradient(&model).unwrap();
        assert_relative_eq!(result.value, 9.0 * 20.0, max_relative = 1e-6);
        let gradient = result.gradient.to_host().unwrap();
        assert_relative_eq!(gradient[0], 6.0 * 20.0, max_relative = 1e-6);
        assert_eq!((result.num_examples, result.weight), (7, 7.0));
        assert_eq!(result.num_batches, data.len());
        assert!(result.completed);
        let loss = risk.loss(&model).unwrap();
        assert_eq!((loss.value, loss.num_examples), (result.value, 7));
    }
}

#[test]
fn every_partition_of_the_data_has_the_same_sum_and_gradient() {
    let model = scale(3.0, DType::F32);
    let examples = ExampleLosses::new(squares, Reduction::Sum);
    for data in partitions() {
        let summed = Risk::new(&SumLoss(sum_square), &data).loss_and_gradient(&model);
        let examples = Risk::new(&examples, &data).loss_and_gradient(&model);
        let per_example = Risk::per_example(squares, &data).with_reduction(Reduction::Sum);
        let split = Risk::split(
            |model: &Scale, x: &Tensor<1>| model.w.val() * x.clone(),
            |outputs: Tensor<1>, _: Tensor<1>| outputs.powi_scalar(2).sum(),
            &data,
        )
        .with_reduction(Reduction::Sum);
        for result in [
            summed.unwrap(),
            examples.unwrap(),
            per_example.loss_and_gradient(&model).unwrap(),
            split.loss_and_gradient(&model).unwrap(),
        ] {
            assert_relative_eq!(result.value, 9.0 * 140.0, max_relative = 1e-6);
            let gradient = result.gradient.to_host().unwrap();
            assert_relative_eq!(gradient[0], 6.0 * 140.0, max_relative = 1e-6);
        }
    }
}

#[test]
fn per_example_losses_are_told_and_reduced_as_stated() {
    let model = scale(2.0, DType::F32);
    let x = numbers(&[1.0, 2.0, 3.0]);
    let mean = ExampleLosses::new(squares, Reduction::Mean);
    let losses = mean.example_losses(&model, x.clone()).unwrap().inner();
    assert_eq!(
        losses.into_data().iter::<f64>().collect::<Vec<_>>(),
        [4.0, 16.0, 36.0]
    );
    for data in partitions() {
        let told = Risk::new(&mean, &data).loss(&model).unwrap();
        let per_example = Risk::per_example(squares, &data).loss(&model).unwrap();
        assert_relative_eq!(told.value, 80.0, max_relative = 1e-6);
        assert_relative_eq!(per_example.value, 80.0, max_relative = 1e-6);
    }
    assert!(mean_square.example_losses(&model, x).is_none());
}

/// Rows of tokens; −1 is padding. The loss is a mean over tokens, so tokens are the weight.
#[derive(Clone)]
struct Tokens(Tensor<2>);

impl Batch for Tokens {
    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        Self(mapper.map_float(self.0))
    }

    fn weight(&self) -> Result<f64, LossError> {
        let tokens = self.0.clone().inner().into_data();
        Ok(tokens.iter::<f64>().filter(|&token| token >= 0.0).count() as f64)
    }
}

#[test]
fn a_token_mean_is_weighted_by_tokens() {
    let model = scale(1.0, DType::F32);
    let loss = |model: &Scale, Tokens(x): Tokens| {
        let mask = x.clone().greater_equal_elem(0.0).float();
        (model.w.val().unsqueeze::<2>() * x * mask.clone()).sum() / mask.sum()
    };
    let device = Device::default();
    let data = [
        Tokens(Tensor::from_floats([[1.0, 2.0, 3.0]], &device)),
        Tokens(Tensor::from_floats(
            [[4.0, -1.0, -1.0], [5.0, -1.0, -1.0]],
            &device,
        )),
    ];
    let result = Risk::new(&loss, &data).loss_and_gradient(&model).unwrap();
    // (1 + 2 + 3 + 4 + 5) / 5, while the mean weighted by rows would be 11/3.
    assert_relative_eq!(result.value, 3.0, max_relative = 1e-6);
    assert_relative_eq!(
        result.gradient.to_host().unwrap()[0],
        3.0,
        max_relative = 1e-6
    );
    assert_eq!((result.weight, result.num_examples), (5.0, 3));
}

#[test]
fn gradients_in_half_precision_add_up_without_overflow() {
    let model = scale(1.0, DType::F16);
    let device = Device::default();
    let loss = |model: &Scale, x: Tensor<1>| (model.w.val() * x).mean();
    // 200 · 1024 is beyond the range of f16, the mean is not.
    let data: Vec<_> = (0..3)
        .map(|_| Tensor::full([1024], 200.0, (&device, DType::F16)))
        .collect();
    let result = Risk::new(&loss, &data).loss_and_gradient(&model).unwrap();
    assert_eq!(result.gradient.to_host().unwrap(), [200.0]);
    assert_eq!(result.gradient.values().dtype(), DType::F16);
}

#[test]
fn slices_vectors_closures_and_held_batches_are_data_sets() {
    let model = scale(3.0, DType::F32);
    let data = partitions().remove(1);
    let loss = |risk: Risk<'_, Scale>| risk.loss(&model).unwrap();
    let expected = loss(Risk::new(&mean_square, &data));
    assert_eq!(loss(Risk::new(&mean_square, &data[..])), expected);
    let held = Batches::new(data.clone());
    assert_eq!(loss(Risk::new(&mean_square, &held)), expected);
    assert_eq!(DataSet::<Tensor<1>>::num_batches(&held), Some(3));
    let array: [Tensor<1>; 3] = data.clone().try_into().unwrap();
    assert_eq!(loss(Risk::new(&mean_square, &array)), expected);
    let closure = || data.clone();
    assert_eq!(loss(Risk::new(&mean_square, &closure)), expected);
    let generator = || (0..3).map(|i| numbers(&[i as f32]));
    assert_relative_eq!(loss(Risk::new(&mean_square, &generator)).value, 15.0);
}

#[derive(Clone)]
struct Stack;

impl Batcher<f32, Tensor<1>> for Stack {
    fn batch(&self, items: Vec<f32>, device: &Device) -> Tensor<1> {
        Tensor::from_floats(items.as_slice(), device)
    }
}

#[test]
fn a_loader_is_read_once_and_then_pinned() {
    let model = scale(3.0, DType::F32);
    let items: Vec<f32> = (0..10).map(|i| i as f32).collect();
    let loader = || DataLoaderBuilder::new(Stack).batch_size(4);
    let in_order = loader().build(InMemDataset::new(items.clone()));
    let batches = Batches::collect(in_order.as_ref()).unwrap();
    let sizes: Vec<_> = batches
        .as_slice()
        .iter()
        .map(|batch| batch.dims()[0])
        .collect();
    assert_eq!(sizes, [4, 4, 2], "the last batch is uneven");
    let loss = Risk::new(&mean_square, &batches).loss(&model).unwrap();
    assert_relative_eq!(loss.value, 9.0 * 28.5, max_relative = 1e-6);

    let shuffled = loader().shuffle(1).build(InMemDataset::new(items));
    let (first, second) = (Batches::collect(&*shuffled), Batches::collect(&*shuffled));
    let flat = |batches: &Batches<Tensor<1>>| {
        let all = Tensor::cat(batches.as_slice().to_vec(), 0).into_data();
        all.iter::<f64>().collect::<Vec<_>>()
    };
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(
        flat(&first),
        flat(&second),
        "each reading has an order of its own"
    );
    let risk = Risk::new(&mean_square, &first);
    risk.check_deterministic(&model, 0.0).unwrap();
    let loss = risk.loss(&model).unwrap();
    assert_relative_eq!(loss.value, 9.0 * 28.5, max_relative = 1e-6);

    let nothing = loader().build(InMemDataset::new(Vec::new()));
    assert_eq!(
        Batches::collect(&*nothing).map(|_| ()),
        Err(LossError::EmptyData)
    );
}

#[test]
fn an_observer_sees_every_batch_and_can_stop_the_pass() {
    let model = scale(1.0, DType::F32);
    let data = [numbers(&[1.0, 1.0]), numbers(&[2.0]), numbers(&[3.0])];
    let seen = Mutex::new(Vec::new());
    let risk = Risk::new(&mean_square, &data).with_observer(|progress| {
        let work = progress.work;
        let numbers = (progress.done, progress.total, progress.value);
        seen.lock().unwrap().push((work, numbers));
        match progress.done {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    let result = risk.loss_and_gradient(&model).unwrap();
    let loss = risk.loss(&model).unwrap();
    // What was read: (1 + 1 + 4) / 3.
    assert_relative_eq!(result.value, 2.0, max_relative = 1e-6);
    assert_relative_eq!(
        result.gradient.to_host().unwrap()[0],
        4.0,
        max_relative = 1e-6
    );
    assert!(!result.completed && !loss.completed);
    assert_eq!((result.num_batches, loss.num_batches), (2, 2));
    assert_eq!((loss.num_examples, loss.value), (3, result.value));
    let expected = [(1, Some(3), Some(1.0)), (2, Some(3), Some(4.0))];
    let expected = [Work::Gradient, Work::Loss].map(|work| expected.map(|numbers| (work, numbers)));
    assert_eq!(*seen.lock().unwrap(), expected.concat());
}

#[derive(Module, Debug)]
struct TwoHeads {
    used: Linear,
    unused: Linear,
}

fn two_heads() -> TwoHeads {
    let device = Device::default().autodiff();
    TwoHeads {
        used: LinearConfig::new(2, 1).init(&device),
        unused: LinearConfig::new(2, 1).init(&device),
    }
}

#[test]
fn an_unused_head_is_counted_and_has_gradient_zero() {
    let model = two_heads();
    let loss = |model: &TwoHeads, x: Tensor<2>| model.used.forward(x).sum();
    let x = Tensor::<2>::from_floats([[1.0, 2.0]], &Device::default());
    let result = Risk::new(&loss, &[x]).loss_and_gradient(&model).unwrap();
    assert_eq!(result.num_without_gradient, 2);
    assert_eq!(
        result.gradient.to_host().unwrap(),
        [1.0, 2.0, 1.0, 0.0, 0.0, 0.0]
    );
}

#[test]
fn a_head_that_one_batch_uses_is_not_absent() {
    let model = two_heads();
    let loss = |model: &TwoHeads, x: Tensor<2>| match x.dims()[0] {
        1 => model.used.forward(x).mean(),
        _ => model.unused.forward(x).mean(),
    };
    let device = Device::default();
    let data = [
        Tensor::<2>::ones([1, 2], &device),
        Tensor::<2>::ones([3, 2], &device),
    ];
    let result = Risk::new(&loss, &data).loss_and_gradient(&model).unwrap();
    assert_eq!(result.num_without_gradient, 0);
    let expected = [0.25, 0.25, 0.25, 0.75, 0.75, 0.75];
    assert_eq!(result.gradient.to_host().unwrap(), expected);
}

#[test]
fn a_group_restricts_the_gradient() {
    let loss = |model: &TwoHeads, x: Tensor<2>| model.used.forward(x).sum();
    let data = [Tensor::<2>::from_floats([[1.0, 2.0]], &Device::default())];
    let risk = Risk::new(&loss, &data).with_group(ParamGroup::from_path("used.bias"));
    let result = risk.loss_and_gradient(&two_heads()).unwrap();
    assert_eq!(result.gradient.to_host().unwrap(), [1.0]);
    assert_eq!(result.num_without_gradient, 0);
}

#[test]
fn the_gradient_is_burns_own() {
    let device = Device::default().autodiff();
    let model = LinearConfig::new(3, 2).init(&device);
    let loss = |model: &Linear, x: Tensor<2>| model.forward(x).tanh().powi_scalar(2).mean();
    let x = Tensor::<2>::from_floats([[0.1, -0.2, 0.3]], &device);
    let result = Risk::new(&loss, std::slice::from_ref(&x))
        .loss_and_gradient(&model)
        .unwrap();
    let own = loss(&model, x);
    let value = own
        .clone()
        .inner()
        .into_data()
        .iter::<f64>()
        .next()
        .unwrap();
    assert_eq!(result.value, value);
    let gradients = GradientsParams::from_grads(own.backward(), &model);
    let own = ParamVector::from_gradients(result.gradient.space(), &gradients).unwrap();
    assert_eq!(result.gradient.to_host().unwrap(), own.to_host().unwrap());
}

fn norm_output(model: &BatchNorm, x: Tensor<2>) -> Tensor<1> {
    model.forward(x).powi_scalar(2).mean()
}

#[test]
fn the_mode_decides_between_running_and_batch_statistics() {
    // Mean 12 and variance 4; the running statistics are still 0 and 1.
    let x = [[10.0], [14.0]];
    let plain = Device::default();
    let trained = BatchNormConfig::new(1).init(&plain.clone().autodiff());
    let built_plain = BatchNormConfig::new(1).init(&plain);
    for model in [trained.clone(), trained.valid(), built_plain] {
        for device in [plain.clone(), plain.clone().autodiff()] {
            let data = [Tensor::<2>::from_floats(x, &device)];
            let eval = Risk::new(&norm_output, &data);
            let train = eval.clone().with_mode(Mode::Train);
            for (risk, expected) in [(eval, 148.0), (train, 1.0)] {
                let loss = risk.loss(&model).unwrap().value;
                assert_relative_eq!(loss, expected, max_relative = 1e-4);
                let result = risk.loss_and_gradient(&model).unwrap();
                assert_relative_eq!(result.value, expected, max_relative = 1e-4);
                // ∂/∂γ of mean((γ x̂ + β)²) at γ = 1, β = 0 is twice the loss.
                let gradient = result.gradient.to_host().unwrap();
                assert_relative_eq!(gradient[0], 2.0 * expected, max_relative = 1e-4);
            }
        }
        let mean = model.running_mean.value_sync().inner().into_data();
        assert_eq!(mean.iter::<f32>().next().unwrap().to_bits(), 0);
        let var = model.running_var.value_sync().inner().into_data();
        assert_eq!(
            var.iter::<f32>().next().unwrap().to_bits(),
            1.0_f32.to_bits()
        );
    }
}

fn not_deterministic(result: Result<(), LossError>) -> (&'static str, f64, f64) {
    match result.unwrap_err() {
        LossError::NotDeterministic {
            what,
            first,
            second,
        } => (what, first, second),
        other => panic!("{other}"),
    }
}

#[test]
fn the_probe_names_a_loss_that_differs() {
    let device = Device::default().autodiff();
    let model = (
        DropoutConfig::new(0.5).init(),
        LinearConfig::new(64, 8).init(&device),
    );
    let loss = |(dropout, layer): &(Dropout, Linear), x: Tensor<2>| {
        dropout.forward(layer.forward(x)).powi_scalar(2).mean()
    };
    let data = [Tensor::<2>::ones([16, 64], &device)];
    let eval = Risk::new(&loss, &data);
    eval.check_deterministic(&model, 0.0).unwrap();
    let train = eval.with_mode(Mode::Train);
    let (what, first, second) = not_deterministic(train.check_deterministic(&model, 0.0));
    assert_eq!(what, "loss");
    assert_ne!(first, second);
    // A tolerance is relative to the size of what is compared.
    train.check_deterministic(&model, 2.0).unwrap();
}

#[test]
fn the_probe_names_a_gradient_that_differs() {
    let calls = AtomicI32::new(0);
    // The value is always zero; the gradient is 1, 2, 3, ….
    let loss = |model: &Scale, (): ()| {
        let call = 1 + calls.fetch_add(1, Ordering::Relaxed);
        (model.w.val() - model.w.val().detach()) * call
    };
    let model = scale(1.0, DType::F32);
    let result = Risk::new(&loss, &[()]).check_deterministic(&model, 0.0);
    assert_eq!(not_deterministic(result), ("gradient", 1.0, 2.0));
}

#[test]
fn the_probe_names_a_gradient_that_only_turns() {
    let calls = AtomicUsize::new(0);
    let loss = |model: &Scale, (): ()| {
        let is_odd = calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        let sign = if is_odd { -1.0 } else { 1.0 };
        (model.w.val() - model.w.val().detach()) * sign
    };
    let model = scale(1.0, DType::F32);
    let result = Risk::new(&loss, &[()]).check_deterministic(&model, 0.0);
    // The norms agree, the vectors do not.
    assert_eq!(not_deterministic(result), ("gradient", 1.0, 1.0));
}

#[test]
fn the_probe_names_a_number_of_examples_that_differs() {
    let model = scale(1.0, DType::F32);
    let calls = AtomicUsize::new(0);
    let shrinking = || vec![numbers(&[1.0]); 3 - calls.fetch_add(1, Ordering::Relaxed)];
    let result = Risk::new(&mean_square, &shrinking).check_deterministic(&model, 0.0);
    assert_eq!(not_deterministic(result), ("number of examples", 3.0, 2.0));
    let left = Mutex::new(vec![numbers(&[1.0])]);
    let exhausted = || std::mem::take(&mut *left.lock().unwrap());
    let result = Risk::new(&mean_square, &exhausted).check_deterministic(&model, 0.0);
    assert_eq!(not_deterministic(result), ("number of examples", 1.0, 0.0));
}

#[derive(Batch, Clone, Debug)]
struct Sample<T, const N: usize, S: Clone> {
    parts: [Option<T>; N],
    pair: (Tensor<2, Int>, Vec<Tensor<1, Bool>>),
    #[batch(skip)]
    source: S,
}

#[derive(Batch, Clone, Debug)]
struct Wrapped(Tensor<3>, #[batch(skip)] &'static str);

#[derive(Batch, Clone, Debug)]
struct Nothing;

#[test]
fn a_derived_batch_maps_all_of_its_tensors_and_keeps_the_rest() {
    let device = Device::default();
    let sample = Sample {
        parts: [
            Some(Wrapped(Tensor::ones([3, 2, 2], &device), "inner")),
            None,
        ],
        pair: (
            Tensor::from_ints([[0, 1], [2, 3], [4, 5]], &device),
            vec![Tensor::from_bool([true, false, true], &device)],
        ),
        source: "outer".to_string(),
    };
    assert_eq!(sample.num_examples().unwrap(), Some(3));
    assert_eq!(sample.weight().unwrap(), 3.0);
    let chosen = sample.select(&[2, 0, 2, 1]).unwrap();
    let ints = chosen.pair.0.into_data();
    assert_eq!(
        ints.iter::<i64>().collect::<Vec<_>>(),
        [4, 5, 0, 1, 4, 5, 2, 3]
    );
    let flags = chosen.pair.1[0].clone().into_data();
    assert_eq!(
        flags.iter::<bool>().collect::<Vec<_>>(),
        [true, true, true, false]
    );
    let inner = chosen.parts[0].as_ref().unwrap();
    assert_eq!((inner.0.dims(), inner.1), ([4, 2, 2], "inner"));
    assert_eq!(chosen.source, "outer");
    assert_eq!(Nothing.num_examples().unwrap(), None);
}

#[test]
fn a_batch_without_tensors_counts_as_one_example() {
    let model = scale(3.0, DType::F32);
    let loss = |model: &Scale, _: Nothing| model.w.val().powi_scalar(2);
    let result = Risk::new(&loss, &[Nothing, Nothing])
        .loss_and_gradient(&model)
        .unwrap();
    assert_eq!((result.value, result.num_examples), (9.0, 2));
    assert_eq!(result.gradient.to_host().unwrap(), [6.0]);
}

#[test]
fn a_plain_model_is_measured_on_a_plain_batch() {
    let model = LinearConfig::new(1, 1)
        .with_bias(false)
        .init(&Device::default());
    let loss = |model: &Linear, x: Tensor<2>| model.forward(x).mean();
    let data = [Tensor::<2>::from_floats([[2.0], [4.0]], &Device::default())];
    let result = Risk::new(&loss, &data).loss_and_gradient(&model).unwrap();
    assert_eq!(result.gradient.to_host().unwrap(), [3.0]);
    assert!(!model.weight.val().is_autodiff());
}
