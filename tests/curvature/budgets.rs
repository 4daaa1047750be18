//! Memory budgets: what is chosen, and that products do not change.

use burn::tensor::{Int, Tensor, TensorData};
use burnscape::curvature::{CurvatureError, Hessian, MemoryPlan};
use burnscape::dynamics::{CurvatureMonitorConfig, Moment, Monitor};
use burnscape::krylov::LinearOperator;
use burnscape::loss::{Batch, BatchMapper, LossError, Mode, Reduction, Risk, Split};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::models::Dropped;

use super::fixture::{Labeled, cross_entropy, device, losses, net};

/// Enough for tensors to outweigh programs while they are made.
const EXAMPLES: usize = 8_000;

fn data(sizes: &[usize]) -> Vec<Labeled> {
    let batch = |&len: &usize| {
        let numbers: Vec<f64> = (0..len * 3).map(|i| (0.7 * i as f64).sin()).collect();
        let labels: Vec<i64> = (0..len as i64).map(|i| i * i % 3).collect();
        Labeled {
            x: Tensor::<2>::from_data(TensorData::new(numbers, [len, 3]), &device()),
            y: Tensor::<1, Int>::from_data(TensorData::new(labels, [len]), &device()),
        }
    };
    sizes.iter().map(batch).collect()
}

type SplitRisk<'a> = Risk<'a, Dropped, Split>;

/// The least budget, and why it is not less.
fn least(risk: &SplitRisk<'_>) -> (u64, &'static str) {
    match risk.clone().with_memory_budget(1).hessian(&net()) {
        Err(CurvatureError::MemoryBudget { least, why, .. }) => (least, why),
        other => panic!("{other:?}"),
    }
}

fn product(hessian: &Hessian<'_>) -> Vec<f64> {
    let v = ParamVector::gaussian(hessian.space(), 1).unwrap();
    hessian.matvec(&v).unwrap().to_host().unwrap()
}

fn assert_near(found: &[f64], expected: &[f64]) {
    let size = expected.iter().fold(0.0, |size: f64, x| size.max(x.abs()));
    for (x, y) in found.iter().zip(expected) {
        assert!((x - y).abs() <= 1e-12 * size, "{x} for {y}");
    }
}

#[test]
fn smaller_budgets_store_less_recompute_and_split() {
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let (net, data) = (net(), data(&[EXAMPLES, EXAMPLES, EXAMPLES / 3]));
        let risk = cross_entropy(reduction, &data);
        let reference = product(&risk.hessian(&net).unwrap());
        let all = risk.hessian(&net).unwrap().memory_plan();
        assert_eq!((all.kept_batches, all.recomputed_batches), (3, 0));
        // The least budget takes parts of single examples, and a long time.
        let least = least(&risk).0 * 5 / 4;
        // The room for the other batches is judged by the first one, which is larger.
        let mut budget = 3 * all.peak_bytes as usize / 2;
        let mut plans: Vec<MemoryPlan> = Vec::new();
        while budget as u64 > least {
            let hessian = risk
                .clone()
                .with_memory_budget(budget)
                .hessian(&net)
                .unwrap();
            assert_near(&product(&hessian), &reference);
            let plan = hessian.memory_plan();
            assert!(plan.peak_bytes <= budget as u64, "{plan}");
            assert!((hessian.loss() / risk.loss(&net).unwrap().value - 1.0).abs() < 1e-12);
            plans.push(plan);
            budget = budget * 2 / 3;
        }
        let has = |is_it: fn(&MemoryPlan) -> bool| plans.iter().any(is_it);
        assert_eq!(plans[0].kept_batches, 3);
        assert!(has(
            |plan| plan.kept_batches > 0 && plan.recomputed_batches > 0
        ));
        assert!(has(
            |plan| plan.examples_per_batch.is_none() && plan.kept_batches == 0
        ));
        let last = plans.last().unwrap();
        let parts = last.examples_per_batch.unwrap();
        assert!(last.recomputed_batches >= 2 * EXAMPLES / parts, "{last}");
        assert!(last.relative_cost > 1.0);
        let hessian = risk.clone().with_memory_budget(least as usize);
        assert_near(&product(&hessian.hessian(&net).unwrap()), &reference);
    }
}

#[test]
fn an_operator_that_moves_keeps_to_its_budget() {
    let (here, data) = (net(), data(&[EXAMPLES, EXAMPLES, EXAMPLES / 3]));
    let space = ParamSpace::of(&here).unwrap();
    let step = ParamVector::gaussian(&space, 3).unwrap();
    let there = step.perturb(&here, 0.1).unwrap();
    let risk = cross_entropy(Reduction::Mean, &data);
    let all = risk.hessian(&here).unwrap().memory_plan();
    let (least, _) = least(&risk);
    let mut budget = all.peak_bytes * 3 / 2;
    let mut plans = Vec::new();
    while budget >= least {
        let risk = risk.clone().with_checks(false);
        let risk = risk.with_memory_budget(budget as usize);
        let new = risk.hessian(&there).unwrap();
        let moved = risk.hessian(&here).unwrap().at(&there).unwrap();
        let plan = new.memory_plan();
        assert_eq!(moved.memory_plan().to_string(), plan.to_string());
        assert_eq!(product(&moved), product(&new));
        assert_eq!(moved.loss(), new.loss());
        plans.push(plan);
        budget = (budget * 2 / 3).max(least.min(budget - 1));
    }
    let has = |is_it: fn(&MemoryPlan) -> bool| plans.iter().any(is_it);
    assert!(has(|plan| plan.kept_batches == 3));
    assert!(has(
        |plan| plan.kept_batches > 0 && plan.recomputed_batches > 0
    ));
    assert!(has(|plan| plan.examples_per_batch.is_some()));
}

#[test]
fn a_residual_budget_is_a_second_limit() {
    let data = data(&[100, 100]);
    let risk = cross_entropy(Reduction::Mean, &data).with_memory_budget(1 << 30);
    let kept = |risk: &SplitRisk<'_>| risk.hessian(&net()).unwrap().num_kept_batches();
    assert_eq!(kept(&risk), 2);
    assert_eq!(kept(&risk.clone().with_residual_budget(0)), 0);
}

#[test]
fn blocks_are_the_same_within_a_budget() {
    let (net, data) = (net(), data(&[EXAMPLES / 4]));
    let risk = cross_entropy(Reduction::Mean, &data);
    let hessian = risk.hessian(&net).unwrap();
    let vectors: Vec<ParamVector> = (0..5)
        .map(|seed| ParamVector::gaussian(hessian.space(), seed).unwrap())
        .collect();
    let expected = hessian.matmat(&vectors).unwrap();
    let largest = hessian.memory_plan().peak_bytes as usize;
    let mut budget = least(&risk).0 as usize;
    while budget < 2 * largest {
        let risk = risk.clone().with_memory_budget(budget);
        let hessian = risk.hessian(&net).unwrap();
        let is_split = hessian.memory_plan().examples_per_batch.is_some();
        for ((x, y), v) in hessian
            .matmat(&vectors)
            .unwrap()
            .iter()
            .zip(&expected)
            .zip(&vectors)
        {
            let x = x.to_host().unwrap();
            assert_eq!(x, hessian.matvec(v).unwrap().to_host().unwrap());
            if is_split {
                assert_near(&x, &y.to_host().unwrap());
            } else {
                assert_eq!(x, y.to_host().unwrap());
            }
        }
        budget = budget * 8 / 5;
    }
}

#[test]
fn batches_are_not_split_where_parts_are_another_loss() {
    let (net, data) = (net(), data(&[EXAMPLES]));
    let risk = cross_entropy(Reduction::Mean, &data);
    let (split, why) = least(&risk);
    assert_eq!(why, "");
    let training = risk.clone().with_mode(Mode::Train).with_draws_seed(1);
    let (whole, why) = least(&training);
    assert!(why.contains("Mode::Train"), "{why}");
    assert!(whole > split);
    // The square of a mean.
    let squared: SplitRisk<'_> = Risk::split(
        |net: &Dropped, batch: &Labeled| net.forward(batch.x.clone()),
        |z, batch: Labeled| losses(z, batch.y).mean().square(),
        &data,
    );
    let budget = split as usize * 3 / 2;
    assert!(budget < whole as usize);
    let refused = squared.with_memory_budget(budget).hessian(&net);
    let message = refused.map(drop).unwrap_err().to_string();
    assert!(message.contains("is not the mean"), "{message}");
}

/// A mean with weights that are equal in each half of a batch, so that only parts from both halves show them.
#[test]
fn weights_that_differ_far_apart_are_found() {
    let net = net();
    let mut data = data(&[EXAMPLES]);
    let half = |class: i64| vec![class; EXAMPLES / 2];
    let labels = [half(0), half(2)].concat();
    data[0].y = Tensor::from_data(TensorData::new(labels, [EXAMPLES]), &device());
    let weighted: SplitRisk<'_> = Risk::split(
        |net: &Dropped, batch: &Labeled| net.forward(batch.x.clone()),
        |z, batch: Labeled| {
            let weights = batch.y.clone().float() + 1.0;
            (losses(z, batch.y) * weights.clone()).sum() / weights.sum()
        },
        &data,
    );
    let (mut budget, why) = least(&weighted);
    assert_eq!(why, "");
    for _ in 0..3 {
        let risk = weighted.clone().with_memory_budget(budget as usize);
        let message = risk.hessian(&net).map(drop).unwrap_err().to_string();
        assert!(message.contains("is not the mean"), "{message}");
        budget = budget * 5 / 4;
    }
}

/// A batch whose weight is a function of its number of examples.
#[derive(Clone, Debug)]
struct Weighed(Labeled, fn(usize) -> f64);

impl Batch for Weighed {
    const IS_ONLY_TENSORS: bool = true;

    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        Self(self.0.map_tensors(mapper), self.1)
    }

    fn weight(&self) -> Result<f64, LossError> {
        Ok((self.1)(self.0.num_examples()?.unwrap_or(1)))
    }
}

/// Two batches of different sizes.
fn weighed(weight: fn(usize) -> f64) -> Vec<Weighed> {
    let batches = data(&[EXAMPLES, EXAMPLES / 4]).into_iter();
    batches.map(|batch| Weighed(batch, weight)).collect()
}

fn risk_of(reduction: Reduction, data: &[Weighed]) -> SplitRisk<'_> {
    let outputs = |net: &Dropped, batch: &Weighed| net.forward(batch.0.x.clone());
    let criterion = move |z: Tensor<2>, batch: Weighed| {
        let losses = losses(z, batch.0.y);
        match reduction {
            Reduction::Mean => losses.mean(),
            Reduction::Sum => losses.sum(),
        }
    };
    Risk::split(outputs, criterion, data).with_reduction(reduction)
}

/// A budget that whole batches exceed by little.
fn splitting_budget(risk: &SplitRisk<'_>) -> usize {
    let plan = |risk: &SplitRisk<'_>| risk.hessian(&net()).unwrap().memory_plan();
    let is_split = |budget: usize| {
        let plan = plan(&risk.clone().with_memory_budget(budget));
        plan.examples_per_batch.is_some()
    };
    let mut budget = plan(risk).peak_bytes as usize;
    while !is_split(budget) {
        budget = budget * 9 / 10;
    }
    budget
}

#[test]
fn batches_are_split_only_if_their_parts_weigh_as_much() {
    let net = net();
    let (adding, constant) = (weighed(|len| 0.3 * len as f64), weighed(|_| 1.0));
    let risk = risk_of(Reduction::Mean, &adding);
    let budget = splitting_budget(&risk);
    let whole = product(&risk.hessian(&net).unwrap());
    let parts = risk.with_memory_budget(budget).hessian(&net).unwrap();
    assert_near(&product(&parts), &whole);

    // The parts of the larger batch would count more than those of the smaller one.
    let risk = risk_of(Reduction::Mean, &constant);
    assert!(risk.hessian(&net).is_ok());
    let refused = risk.with_memory_budget(budget).hessian(&net).map(drop);
    let Err(CurvatureError::MemoryBudget { why, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.contains("is not the mean"), "{why}");

    // A sum has no weights.
    let risk = risk_of(Reduction::Sum, &constant);
    let budget = splitting_budget(&risk);
    let whole = product(&risk.hessian(&net).unwrap());
    let parts = risk.with_memory_budget(budget).hessian(&net).unwrap();
    assert_near(&product(&parts), &whole);
}

/// A monitor divides the data of a measurement as those before, which may have had other weights.
#[test]
fn a_monitor_compares_the_parts_of_other_data() {
    let net = net();
    let (adding, constant) = (weighed(|len| len as f64), weighed(|_| 1.0));
    let risks = [&adding, &constant];
    let [adding, constant] = risks.map(|data| risk_of(Reduction::Mean, data).with_checks(false));
    let budget = splitting_budget(&adding);
    let [adding, constant] = [adding, constant].map(|risk| risk.with_memory_budget(budget));
    let moment = Moment::new(0, 0.1, &net);
    let mut monitor = CurvatureMonitorConfig::new().init().unwrap();
    monitor.measure(&adding, &moment).unwrap();
    // Parts that weigh as much are divided as before. A copy has no programs.
    let fresh = monitor.clone().measure(&adding, &moment).unwrap();
    let again = monitor.measure(&adding, &moment).unwrap();
    assert!((again.sharpness / fresh.sharpness - 1.0).abs() < 1e-6);

    let refused = monitor.measure(&constant, &moment).map(drop);
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("is not the mean"), "{message}");
    // The next measurement starts anew.
    let after = monitor.measure(&adding, &moment).unwrap();
    assert!((after.sharpness / fresh.sharpness - 1.0).abs() < 1e-3);
}

#[test]
fn plans_say_what_was_chosen() {
    let data = data(&[EXAMPLES]);
    let risk = cross_entropy(Reduction::Mean, &data);
    let newton = risk
        .clone()
        .with_residual_budget(0)
        .gauss_newton(&net())
        .unwrap();
    let plan = newton.memory_plan();
    let text = plan.to_string();
    assert!(
        text.starts_with("residuals of 0 batches stored, of 1 recomputed; peak "),
        "{text}"
    );
    let json = serde_json::to_string(&plan).unwrap();
    let again: MemoryPlan = serde_json::from_str(&json).unwrap();
    assert_eq!(again.to_string(), text);
}
