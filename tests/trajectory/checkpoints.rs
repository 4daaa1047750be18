//! Checkpoints in files: what they hold, and who can read them.

use std::fs;

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig, LinearLayout};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::dynamics::{Due, Moment, Watch};
use burnscape::loss::Risk;
use burnscape::space::unshared_copy;
use burnscape::trajectory::{Thinning, Trajectory, TrajectoryLog};
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::Point;

use super::fixture::{Directory, bits, log, observe, points};

/// Keeps models, at steps 0, 10, 20, …
fn keep<M: Module>(directory: &Directory, models: &[M]) {
    let loss = |_: &M, x: Tensor<2>| x.mean();
    let data = [Tensor::<2>::ones([2, 1], &Device::default())];
    let log = TrajectoryLog::create(&directory.0).unwrap();
    let mut watch = Watch::new(Due::Every(1), log, Risk::new(&loss, &data)).unwrap();
    for (index, model) in models.iter().enumerate() {
        watch.observe(&Moment::new(10 * index, 0.1, model)).unwrap();
    }
}

/// The message of a directory that cannot be opened.
#[track_caller]
fn refused<M: Module>(directory: &Directory, model: &M, parts: &[&str]) {
    let error = Trajectory::open(&directory.0, model).unwrap_err();
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{text}");
    }
}

/// The models before the steps of a training with batch normalization.
fn trained(device: &Device) -> Vec<Normalized> {
    let numbers: Vec<f64> = (0..24).map(|i| (1.7 * f64::from(i)).sin()).collect();
    let x = Tensor::<2>::from_data(TensorData::new(numbers, [8, 3]), device);
    let mut model = Normalized::new([3, 4, 1], device);
    let mut sgd = SgdConfig::new().init();
    let mut models = Vec::new();
    for _ in 0..4 {
        models.push(unshared_copy(&model));
        let loss = (model.forward(x.clone()) - 1.0).square().mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = sgd.step(0.1, model, gradients);
    }
    models
}

#[test]
fn checkpoints_are_the_models_to_the_bit() {
    let directory = Directory::new();
    let device = Device::default().autodiff();
    let models = trained(&device);
    keep(&directory, &models);
    let template = Normalized::new([3, 4, 1], &device);
    let own = bits(&template);
    let trajectory = Trajectory::open(&directory.0, &template).unwrap();
    let in_memory = models.iter().cloned().enumerate();
    let in_memory = Trajectory::of(in_memory.map(|(index, model)| (10 * index, model))).unwrap();
    assert_eq!(trajectory.steps(), in_memory.steps());
    let mut all = Vec::new();
    for (index, model) in models.iter().enumerate() {
        let expected = bits(model);
        assert_eq!(bits(&trajectory.model(index).unwrap()), expected);
        assert_eq!(bits(&in_memory.model(index).unwrap()), expected);
        // Burn reads the file too.
        let name = format!("step-{:09}.bpk", 10 * index);
        let loaded = unshared_copy(&template).try_load_file(directory.file(&name));
        assert_eq!(bits(&loaded.unwrap()), expected);
        all.push(expected);
    }
    // Weights and statistics moved, and reading has not moved the template.
    for (now, next) in all.iter().zip(&all[1..]) {
        let moved = now.iter().zip(next).filter(|(now, next)| now != next);
        assert!(moved.count() > now.len() / 2);
    }
    assert_eq!(bits(&template), own);
    assert!(trajectory.model(4).is_err());
}

/// An update of running statistics that no pass has seen yet is part of the model.
#[test]
fn pending_statistics_are_kept() {
    let device = Device::default().autodiff();
    let model = Normalized::new([3, 4, 1], &device);
    let _ = model.forward(Tensor::<2>::ones([5, 3], &device) * 3.0);
    let directory = Directory::new();
    keep(&directory, std::slice::from_ref(&model));
    let trajectory = Trajectory::open(&directory.0, &model).unwrap();
    let kept = trajectory.model(0).unwrap();
    assert_eq!(bits(&kept), bits(&model));
    let [mean, _] = kept.running();
    assert!(mean.abs().max().into_scalar::<f32>() > 0.0);
}

/// A weight in two places, and a frozen one.
#[derive(Module, Debug)]
struct Tied {
    encoder: Linear,
    decoder: Linear,
    frozen: Linear,
}

impl Tied {
    fn new(device: &Device) -> Self {
        let encoder = LinearConfig::new(3, 2).with_bias(false).init(device);
        let frozen = LinearConfig::new(2, 2).init(device);
        Self {
            decoder: encoder.clone(),
            encoder,
            frozen: frozen.no_grad(),
        }
    }

    /// Σ(xW₁) + 3 Σ(xW₂).
    fn loss(&self, x: Tensor<2>) -> Tensor<1> {
        self.encoder.forward(x.clone()).sum() + self.decoder.forward(x).sum() * 3.0
    }
}

#[test]
fn checkpoints_are_in_the_state_of_the_template() {
    let plain = Device::default();
    let training = plain.clone().autodiff();
    let frugal = training.clone().gradient_checkpointing();
    let kept = Tied::new(&training);
    let directory = Directory::new();
    keep(&directory, std::slice::from_ref(&kept));
    for device in [&plain, &training, &frugal] {
        for template in [Tied::new(device), Tied::new(device).valid()] {
            let trajectory = Trajectory::open(&directory.0, &template).unwrap();
            let model = trajectory.model(0).unwrap();
            assert_eq!(bits(&model), bits(&kept));
            let frozen = |model: &Tied| model.frozen.weight.val().into_data();
            assert_eq!(frozen(&model), frozen(&kept));
            let state = |tied: &Tied| {
                [&tied.encoder, &tied.decoder, &tied.frozen].map(|layer| {
                    let weight = layer.weight.val();
                    let strategy = weight.gradient_checkpointing_strategy();
                    (weight.is_autodiff(), weight.is_require_grad(), strategy)
                })
            };
            assert_eq!(state(&model), state(&template));
            assert_eq!(model.encoder.weight.id, model.decoder.weight.id);
            if state(&model)[0].1 {
                // One leaf: both places contribute, 1 + 3 times the sum over the batch.
                let loss = model.loss(Tensor::ones([1, 3], device));
                let gradients = GradientsParams::from_grads(loss.backward(), &model);
                let gradient = gradients.get::<2>(model.encoder.weight.id).unwrap();
                let numbers: Vec<f64> = gradient.into_data().iter::<f64>().collect();
                assert_eq!(numbers, [4.0; 6]);
            }
            // After `train`, what was frozen is.
            let trained = model.valid().train();
            assert!(trained.encoder.weight.val().is_require_grad());
            assert!(!trained.frozen.weight.val().is_require_grad());
        }
    }
}

#[test]
fn weights_with_columns_first_are_read_as_they_are() {
    let device = Device::default();
    let layer = |_| {
        let layer = LinearConfig::new(2, 2).with_layout(LinearLayout::Col);
        layer.init(&device)
    };
    let models: [Linear; 2] = [0, 1].map(layer);
    let directory = Directory::new();
    keep(&directory, &models);
    let trajectory = Trajectory::open(&directory.0, &layer(2)).unwrap();
    for (index, model) in models.iter().enumerate() {
        assert_eq!(bits(&trajectory.model(index).unwrap()), bits(model));
    }
}

#[test]
fn half_precision_stays() {
    for dtype in [DType::F16, DType::BF16] {
        let directory = Directory::new();
        let point = |x: f64| Point::new(&[x, -1.0 / x], &Device::default(), dtype);
        let models = [point(0.1), point(0.3)];
        keep(&directory, &models);
        let trajectory = Trajectory::open(&directory.0, &point(1.0)).unwrap();
        let model = trajectory.model(1).unwrap();
        assert_eq!(model.w.val().dtype(), dtype);
        assert_eq!(model.coordinates(), models[1].coordinates());
        // Another type is another model.
        let wide = Point::new(&[1.0, 2.0], &Device::default(), DType::F32);
        let known = format!("`w` [2] {dtype:?}");
        refused(&directory, &wide, &["another model", &known, "`w` [2] F32"]);
    }
}

#[test]
fn a_trajectory_of_another_model_is_refused_by_the_name_of_a_parameter() {
    let directory = Directory::new();
    let device = Device::default();
    let layer = |from: usize, to: usize| LinearConfig::new(from, to).init(&device);
    keep(&directory, &[layer(2, 3)]);
    let other = "another model";
    let parts = [other, "`weight` [2, 3]", "`weight` [3, 3]"];
    refused(&directory, &layer(3, 3), &parts);
    let parts = [other, "`bias` [3]", "no further parameter"];
    let without = LinearConfig::new(2, 3).with_bias(false).init(&device);
    refused(&directory, &without, &parts);
    let parts = [other, "`weight` [2, 3]", "`first.weight` [2, 3]"];
    refused(&directory, &Normalized::new([2, 3, 1], &device), &parts);
    let mut frozen = layer(2, 3);
    frozen.weight = frozen.weight.set_require_grad(false);
    let parts = [other, "`weight` [2, 3]", "`bias` [3]", "frozen"];
    refused(&directory, &frozen, &parts);
    // A tie is a difference, too.
    let tied = Directory::new();
    keep(&tied, &[Tied::new(&device)]);
    let mut untied = Tied::new(&device);
    untied.decoder = LinearConfig::new(3, 2).with_bias(false).init(&device);
    let parts = [other, "tied to `decoder.weight`"];
    refused(&tied, &untied, &parts);
    // A file of another model under the name of a checkpoint.
    let (model, file) = (layer(2, 3), directory.file("step-000000000.bpk"));
    layer(4, 4).save_file(&file).unwrap();
    let parts = [other, "`weight` is [4, 4]", "step-000000000.bpk"];
    refused(&directory, &model, &parts);
    let point = Point::new(&[1.0], &device, DType::F32);
    point.save_file(&file).unwrap();
    refused(&directory, &model, &[other, "has no `weight`"]);
}

#[test]
fn directories_that_are_damaged_are_refused() {
    let run = points(&[[1.0], [2.0], [3.0]]);
    let (empty, directory) = (Directory::new(), Directory::new());
    let model = &run[0];
    refused(&empty, model, &["trajectory.jsonl", "TrajectoryLog"]);

    let mut log = log(&directory, Due::Every(1), Thinning::All);
    observe(&mut log, &run, 0..3);
    let index = directory.file("trajectory.jsonl");
    let whole = fs::read_to_string(&index).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let [header, first, second, third] = lines[..] else {
        panic!("{whole}");
    };
    let newer = header.replace("\"format\":1", "\"format\":2");
    let renamed = second.replace("step-000000001", "../step-000000001");
    let cases: [(&[&str], &[&str]); 7] = [
        (&["not json"], &["line 1", "restore"]),
        (&[&newer, first], &["line 1", "version 2", "version 1"]),
        (&[header, first, "{}"], &["line 3", "step"]),
        (&[header, first, third, second], &["line 4", "not after"]),
        (&[header, first, first], &["line 3", "not after"]),
        (&[header, &renamed], &["line 2", "not named by its step"]),
        (&[header], &["0 checkpoints are too few"]),
    ];
    for (lines, parts) in cases {
        fs::write(&index, lines.join("\n") + "\n").unwrap();
        refused(&directory, model, parts);
    }
    fs::write(&index, "").unwrap();
    refused(&directory, model, &["line 1", "no header"]);

    // The last line is read when it is complete.
    for (text, count) in [(whole.as_str(), 3), (whole.trim_end(), 2)] {
        fs::write(&index, text).unwrap();
        let trajectory = Trajectory::open(&directory.0, model).unwrap();
        assert_eq!(trajectory.len(), count);
    }
    fs::write(&index, &whole).unwrap();
    let file = directory.file("step-000000001.bpk");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    refused(&directory, model, &["step-000000001.bpk", "restore"]);
    fs::write(&file, b"BURN").unwrap();
    refused(&directory, model, &["step-000000001.bpk", "restore"]);
    fs::remove_file(&file).unwrap();
    refused(&directory, model, &["step-000000001.bpk", "restore"]);
}

#[test]
fn one_checkpoint_can_be_opened() {
    let directory = Directory::new();
    let point = Point {
        w: Param::from_tensor(Tensor::ones([3], &Device::default())),
    };
    keep(&directory, std::slice::from_ref(&point));
    let trajectory = Trajectory::open(&directory.0, &point).unwrap();
    assert_eq!(trajectory.steps(), [0]);
    assert_eq!(trajectory.model(0).unwrap().coordinates(), [1.0; 3]);
}
