//! Exact Fisher matrices, Gauss-Newton matrices and Hessians of logits at any margin, against closed forms that
//! form no `1 − p` of a `p`.
//!
//! The logits themselves are the parameters. Row `m` of the batch has a margin of `m`, from 0 to 80: the
//! likeliest class is ahead of the next by that, and the others lie up to one below.

use burn::module::Param;
use burn::nn::loss::{BinaryCrossEntropyLossConfig, CrossEntropyLossConfig};
use burn::tensor::{DType, Int, Tensor, TensorData};
use burnscape::curvature::FisherSampling;
use burnscape::krylov::LinearOperator;
use burnscape::loss::{Likelihood, Risk};
use burnscape::space::ParamVector;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::element::{DTYPE, device, rounded};

const MARGINS: usize = 81;
const SEEDS: u64 = 100;
/// What CI runs.
const SHARE: u64 = SEEDS / 10;

type Logits = Param<Tensor<2>>;
type Targets = Tensor<2, Int>;

const TOLERANCE: f64 = match DTYPE {
    DType::F64 => 1e-13,
    _ => 1e-5,
};

/// Parameters, one row a target.
fn logits(numbers: &[f64], columns: usize) -> Logits {
    let rows = numbers.len() / columns;
    let numbers = TensorData::new(numbers.to_vec(), [rows, columns]);
    Param::from_tensor(Tensor::from_data(numbers, &device().autodiff()))
}

/// Logits and a direction, and what the Fisher matrix makes of it, with the sizes of its terms.
struct Case {
    columns: usize,
    logits: Vec<f64>,
    direction: Vec<f64>,
    product: Vec<f64>,
    size: Vec<f64>,
    targets: Vec<i64>,
}

impl Case {
    fn categorical(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let columns = 2 + (seed % 9) as usize;
        let mut case = Self::empty(columns);
        for margin in 0..MARGINS {
            let (first, next) = (rng.random_range(0..columns), rng.random_range(1..columns));
            let mut row: Vec<f64> = (0..columns).map(|_| -rng.random::<f64>()).collect();
            row[(first + next) % columns] = 0.0;
            row[first] = margin as f64;
            let row: Vec<f64> = row.into_iter().map(rounded).collect();
            let w: Vec<f64> = (0..columns)
                .map(|_| rounded(2.0 * rng.random::<f64>() - 1.0))
                .collect();
            let total: f64 = row.iter().map(|z| (z - row[first]).exp()).sum();
            let p: Vec<f64> = row.iter().map(|z| (z - row[first]).exp() / total).collect();
            for i in 0..columns {
                // Σ pᵢ pⱼ (wᵢ − wⱼ): of each pair at least one is small, and nothing is taken from one.
                let terms: Vec<f64> = (0..columns).map(|j| p[i] * p[j] * (w[i] - w[j])).collect();
                case.product
                    .push(terms.iter().sum::<f64>() / MARGINS as f64);
                let size: f64 = terms.iter().map(|x| x.abs()).sum();
                case.size.push(size / MARGINS as f64);
            }
            case.logits.extend(row);
            case.direction.extend(w);
            case.targets.push(first as i64);
        }
        case
    }

    fn bernoulli(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut case = Self::empty(1);
        for margin in 0..MARGINS {
            let is_one = rng.random::<bool>();
            let z = rounded(margin as f64 + rng.random::<f64>() * f64::from(margin < 80));
            let w = rounded(2.0 * rng.random::<f64>() - 1.0);
            let q = (-z).exp();
            let slope = q / ((1.0 + q) * (1.0 + q));
            case.logits.push(if is_one { z } else { -z });
            case.direction.push(w);
            case.product.push(w * slope / MARGINS as f64);
            case.size.push((w * slope / MARGINS as f64).abs());
            case.targets.push(i64::from(is_one));
        }
        case
    }

    fn empty(columns: usize) -> Self {
        Self {
            columns,
            logits: Vec::new(),
            direction: Vec::new(),
            product: Vec::new(),
            size: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// The products with the exact Fisher matrix, the Gauss-Newton matrix and the Hessian.
    fn products(&self, likelihood: Likelihood) -> [Vec<f64>; 3] {
        let model = logits(&self.logits, self.columns);
        let targets = TensorData::new(self.targets.clone(), [MARGINS, 1]);
        let data = [Targets::from_data(targets, &device())];
        let criterion = move |z: Tensor<2>, y: Targets| match likelihood {
            Likelihood::Bernoulli => {
                let config = BinaryCrossEntropyLossConfig::new().with_logits(true);
                config.init(&z.device()).forward(z, y)
            }
            _ => {
                let criterion = CrossEntropyLossConfig::new().init(&z.device());
                criterion.forward(z, y.reshape([MARGINS]))
            }
        };
        let risk = Risk::split(|m: &Logits, _: &Targets| m.val(), criterion, &data);
        // The check of the gradient is about Burn's own, which forms p − 1.
        let fisher = risk.clone().with_checks(false).fisher(&model, likelihood);
        let fisher = fisher.expect("a Fisher matrix");
        let gauss_newton = risk
            .clone()
            .with_checks(false)
            .gauss_newton(&model)
            .expect("a matrix");
        let hessian = risk
            .clone()
            .with_checks(false)
            .hessian(&model)
            .expect("a Hessian");
        let w = ParamVector::from_host(fisher.space(), &self.direction).expect("a direction");
        [
            fisher.matvec(&w),
            gauss_newton.matvec(&w),
            hessian.matvec(&w),
        ]
        .map(|product| product.expect("a product").to_host().expect("numbers"))
    }

    /// The worst error at margins within each stretch of ten, of each matrix.
    fn worst(&self, products: &[Vec<f64>; 3], worst: &mut [[f64; 3]; 9]) {
        for (matrix, product) in products.iter().enumerate() {
            for (index, found) in product.iter().enumerate() {
                let stretch = index / self.columns / 10;
                let error = (found - self.product[index]).abs() / self.size[index];
                let known = &mut worst[stretch][matrix];
                // A NaN stays.
                *known = if error <= *known { *known } else { error };
            }
        }
    }
}

/// Holds the matrices of so many seeds to the closed form, and prints a table.
fn hold(seeds: std::ops::Range<u64>) {
    for likelihood in [Likelihood::Categorical, Likelihood::Bernoulli] {
        let mut worst = [[0.0; 3]; 9];
        for seed in seeds.clone() {
            let case = match likelihood {
                Likelihood::Bernoulli => Case::bernoulli(seed),
                _ => Case::categorical(seed),
            };
            let products = case.products(likelihood);
            case.worst(&products, &mut worst);
        }
        println!(
            "{likelihood:?}: worst relative errors of {} seeds",
            seeds.end
        );
        println!("margins    Fisher   Gauss-Newton  Hessian");
        for (stretch, [fisher, gauss_newton, hessian]) in worst.iter().enumerate() {
            let from = 10 * stretch;
            let to = (from + 9).min(MARGINS - 1);
            println!("{from:2} to {to:2}   {fisher:.1e}  {gauss_newton:.1e}       {hessian:.1e}");
        }
        for error in worst.iter().flatten() {
            assert!(*error <= TOLERANCE, "{likelihood:?}: {error:e}");
        }
    }
}

#[test]
fn fisher_is_gauss_newton_at_any_margin() {
    hold(0..SHARE);
}

#[test]
#[ignore = "cargo xtask sweep fisher"]
fn sweep_fisher_at_margins() {
    hold(0..SEEDS);
}

/// Every target drawn at margin 20 is the likeliest class, so that the matrix is `(p − e)(p − e)ᵀ`: its first entry
/// is the square of `1 − p`.
#[test]
fn a_sampled_score_keeps_what_is_left_of_a_probability_near_one() {
    let model = logits(&[20.0, 0.0, 0.0], 3);
    let targets = TensorData::new(vec![0_i64], [1, 1]);
    let data = [Targets::from_data(targets, &device())];
    for (likelihood, expected) in [
        (
            Likelihood::Categorical,
            2.0 * (-20.0_f64).exp() / (1.0 + 2.0 * (-20.0_f64).exp()),
        ),
        (
            Likelihood::Bernoulli,
            (-20.0_f64).exp() / (1.0 + (-20.0_f64).exp()),
        ),
    ] {
        let risk = Risk::split(
            |m: &Logits, _: &Targets| m.val(),
            |z: Tensor<2>, _: Targets| z.square().mean(),
            &data,
        );
        let sampling = FisherSampling {
            samples: 4,
            seed: 7,
        };
        let sampled = risk
            .clone()
            .with_checks(false)
            .sampled_fisher(&model, likelihood, sampling);
        let sampled = sampled.expect("a Fisher matrix");
        let first = ParamVector::from_host(sampled.space(), &[1.0, 0.0, 0.0]).expect("a vector");
        let found = sampled
            .matvec(&first)
            .expect("a product")
            .to_host()
            .expect("numbers")[0];
        let error = (found - expected * expected).abs() / (expected * expected);
        assert!(
            error <= TOLERANCE,
            "{likelihood:?}: {found:e}, off by {error:e}"
        );
    }
}
