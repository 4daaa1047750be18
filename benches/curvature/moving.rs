//! What it costs to follow a model whose weights move.

use std::hint::black_box;
use std::time::Instant;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burnscape::curvature::Hessian;
use burnscape::dynamics::{CurvatureMonitorConfig, Moment, Monitor};
use burnscape::loss::Recorded;
use burnscape::space::{ParamVector, RunningStatistics};

use crate::models::{Batch, Classifier, loss, risk};
use crate::timing::median;
use crate::timing::steady;

pub(crate) const HEAD: &str = "\
network          gradient ms   forward   new     at   at - forward   recorded gradient   reading traced   reading kept   products";

/// The step between two readings, relative to the length of the gradient's direction.
const RATE: f64 = 0.01;

/// Follows one network through `rounds` steps of gradient descent on one batch.
pub(crate) fn report<M: Classifier<D>, const D: usize>(
    name: &str,
    model: &M,
    batch: Batch<D>,
    rounds: usize,
) {
    let data = [batch];
    let risk = risk::<M, D>(&data).with_checks(false);
    let mut model = model.clone();
    let mut hessian = Some(risk.hessian(&model).expect("a Hessian"));
    // Not for networks with running statistics, whose updates no program has.
    let recorded = Some(Recorded::new(loss::<M, D>)).filter(|_| {
        let statistics = RunningStatistics::of(&model);
        statistics.paths().next().is_none()
    });
    let mut monitor = CurvatureMonitorConfig::new().init().expect("a monitor");
    monitor
        .measure(&risk, &Moment::new(0, RATE, &model))
        .expect("a first reading");
    let lifted = (data[0].0.clone().autodiff(), data[0].1.clone().autodiff());
    let mut times: [Vec<f64>; 7] = Default::default();
    let mut products: Vec<f64> = Vec::new();
    for round in 0..rounds + 2 {
        let plain = model.valid();
        // Without programs, as every measurement once was.
        let mut copy = monitor.clone();
        let moment = Moment::new(round, RATE, &model);
        let mut last = None;
        let measured = [
            steady(|| {
                let loss = loss(&model, lifted.clone());
                black_box(GradientsParams::from_grads(loss.backward(), &model));
            }),
            steady(|| {
                black_box(read(loss(&plain, data[0].clone())));
            }),
            steady(|| drop(black_box(risk.hessian(&model).expect("a Hessian")))),
            steady(|| follow(&mut hessian, &model)),
            recorded.as_ref().map_or(f64::NAN, |recorded| {
                steady(|| {
                    let loss = recorded.loss_on(&model, lifted.clone()).expect("a loss");
                    black_box(GradientsParams::from_grads(loss.backward(), &model));
                })
            }),
            once(|| {
                black_box(copy.measure(&risk, &moment).expect("a reading"));
            }),
            once(|| {
                let reading = monitor.measure(&risk, &moment);
                last = Some(black_box(reading.expect("a reading")));
            }),
        ];
        if round >= 2 {
            for (list, time) in times.iter_mut().zip(measured) {
                list.push(time);
            }
            products.extend(last.map(|reading| reading.num_matvecs as f64));
        }
        let gradient = hessian
            .as_ref()
            .expect("a Hessian")
            .gradient()
            .expect("one");
        let step: ParamVector = gradient.normalize().expect("a direction").scale(-RATE);
        model = step.perturb(&model, 1.0).expect("a step");
    }
    let ratio = |top: &dyn Fn(usize) -> f64| {
        let rounds = 0..times[0].len();
        median(rounds.map(|round| top(round) / times[0][round]).collect())
    };
    println!(
        "{name:<16} {:>11.2} {:>9.2} {:>5.1} {:>6.2} {:>14.2} {:>19.2} {:>16.1} {:>14.1} {:>10.1}",
        median(times[0].clone()),
        ratio(&|round| times[1][round]),
        ratio(&|round| times[2][round]),
        ratio(&|round| times[3][round]),
        ratio(&|round| times[3][round] - times[1][round]),
        ratio(&|round| times[4][round]),
        ratio(&|round| times[5][round]),
        ratio(&|round| times[6][round]),
        products.iter().sum::<f64>() / products.len() as f64,
    );
}

fn follow<M: Module + 'static>(hessian: &mut Option<Hessian<'_>>, model: &M) {
    *hessian = hessian
        .take()
        .map(|hessian| hessian.at(model).expect("it moves"));
}

fn read(loss: Tensor<1>) -> f64 {
    loss.into_data().iter::<f64>().next().expect("a number")
}

/// The time of a single run in milliseconds.
fn once(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e3
}
