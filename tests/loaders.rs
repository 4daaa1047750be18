//! Burn's data loaders as data: streamed, never held at once.
//!
//! A binary of its own whose tests take turns: it counts all that is allocated.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::{Dataset, DatasetError};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use burnscape::curvature::{CurvatureError, Hessian};
use burnscape::krylov::LinearOperator;
use burnscape::loss::{Batches, LossError, Risk};
use burnscape::sharpness::SharpnessReportConfig;
use burnscape::space::ParamVector;
use burnscape_testkit::turn;
use peak_alloc::PeakAlloc;

#[global_allocator]
static PEAK: PeakAlloc = PeakAlloc;

const WIDTH: usize = 256;
const ROWS: usize = 128;

/// Rows that are made when they are asked for.
struct Rows(usize);

impl Dataset<usize> for Rows {
    fn get(&self, index: usize) -> Result<usize, DatasetError> {
        Ok(index)
    }

    fn len(&self) -> usize {
        self.0
    }
}

#[derive(Clone)]
struct Make;

impl Batcher<usize, Tensor<2>> for Make {
    fn batch(&self, rows: Vec<usize>, device: &Device) -> Tensor<2> {
        let number =
            |row: usize, column: usize| ((row * 31 + column * 17) % 101) as f32 / 50.0 - 1.0;
        let numbers = rows
            .iter()
            .flat_map(|&row| (0..WIDTH).map(move |column| number(row, column)));
        let data = TensorData::new(numbers.collect::<Vec<f32>>(), [rows.len(), WIDTH]);
        Tensor::from_data(data, device)
    }
}

fn loader(num_batches: usize) -> Arc<dyn DataLoader<Tensor<2>>> {
    DataLoaderBuilder::new(Make)
        .batch_size(ROWS)
        .build(Rows(num_batches * ROWS))
}

fn model() -> Linear {
    LinearConfig::new(WIDTH, 1).init(&Device::default())
}

fn loss(model: &Linear, x: Tensor<2>) -> Tensor<1> {
    model.forward(x).tanh().square().mean()
}

fn product(hessian: &Hessian<'_>) -> Vec<f64> {
    let v = ParamVector::gaussian(hessian.space(), 1).unwrap();
    hessian.matvec(&v).unwrap().to_host().unwrap()
}

#[test]
fn a_loader_gives_what_its_batches_give() {
    let _turn = turn();
    let (model, loader) = (model(), loader(3));
    let pinned = Batches::collect(loader.as_ref()).unwrap();
    let unsized_loader: &dyn DataLoader<Tensor<2>> = loader.as_ref();
    let pinned = Risk::new(&loss, &pinned);
    let expected = product(&pinned.hessian(&model).unwrap());
    let streamed = Risk::new(&loss, &loader);
    for risk in [&streamed, &Risk::new(&loss, unsized_loader)] {
        assert_eq!(product(&risk.hessian(&model).unwrap()), expected);
    }
    assert_eq!(streamed.loss(&model).unwrap(), pinned.loss(&model).unwrap());
}

#[test]
fn a_closure_may_borrow_a_loader() {
    let _turn = turn();
    let (model, loader) = (model(), loader(2));
    let first = || loader.iter().map(Result::unwrap).take(1);
    let data = Risk::new(&loss, &first).loss(&model).unwrap();
    assert_eq!(data.num_batches, 1);
    Risk::new(&loss, &first).hessian(&model).unwrap();
}

#[test]
fn a_loader_of_threads_is_a_data_set() {
    let _turn = turn();
    let model = model();
    let threads = DataLoaderBuilder::new(Make)
        .batch_size(ROWS)
        .num_workers(2)
        .build(Rows(3 * ROWS));
    let by_threads = Risk::new(&loss, &threads).loss(&model).unwrap();
    let alone = Risk::new(&loss, &loader(3)).loss(&model).unwrap();
    assert_eq!(by_threads.num_examples, 3 * ROWS);
    assert!((by_threads.value - alone.value).abs() < 1e-6);
}

#[test]
fn a_loader_that_shuffles_is_refused_by_that_word() {
    let _turn = turn();
    let shuffled = DataLoaderBuilder::new(Make)
        .batch_size(ROWS)
        .shuffle(1)
        .build(Rows(3 * ROWS));
    let (model, risk) = (model(), Risk::new(&loss, &shuffled));
    let error = risk.hessian(&model).map(drop).unwrap_err();
    assert_eq!(
        error,
        CurvatureError::Loss(LossError::DataChanged { batch: 0 })
    );
    let text = error.to_string();
    assert!(text.contains("the loader shuffles"), "{text}");
    assert!(text.contains("without `shuffle`"), "{text}");
    let error = SharpnessReportConfig::new().run(&risk, &model).unwrap_err();
    assert!(error.to_string().contains("the loader shuffles"), "{error}");
}

/// A batch takes 128 kB, 200 of them 25 MB. With a budget for ten, what is alive at once has to stay
/// far below that.
#[test]
fn a_hessian_over_a_loader_holds_what_its_budget_allows() {
    let _turn = turn();
    let (model, batch) = (model(), ROWS * WIDTH * 4);
    product(&Risk::new(&loss, &loader(2)).hessian(&model).unwrap());
    PEAK.reset_peak_usage();
    let before = PEAK.current_usage();
    let loader = loader(200);
    let hessian = Risk::new(&loss, &loader)
        .clone()
        .with_residual_budget(10 * batch)
        .hessian(&model)
        .unwrap();
    product(&hessian);
    let peak = PEAK.peak_usage() - before;
    assert!(peak < 20 * batch, "{} batches", peak as f64 / batch as f64);
}
