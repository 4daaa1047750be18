//! Linear regression on random ReLU features of digits.

use burnscape::krylov::Probe;
use nalgebra::{DMatrix, SymmetricEigen};

use super::{LABEL_SEEDS, RANDOM_LABELS, largest};
use crate::Failure;
use crate::studies::criteria::double_descent::{
    FEATURES, PLACE, RATIOS, TEST_ERROR, TEST_LOSS, of_features,
};
use crate::studies::digits::{CLASSES, Digits, PIXELS};
use crate::studies::frame::{Measured, Plan};
use crate::studies::numbers::number;

/// Draws of images, labels and features with each seed.
const DRAWS: u64 = 2;
/// What is added to the squares of singular values.
const RIDGE: f64 = 1e-2;
/// Squares of singular values up to this share of the largest count as zero.
const ZERO: f64 = 1e-14;

const TRAINING_LOSS: &str = "training loss";
const LENGTH: &str = "|w|";
const LARGEST: &str = "λ_max of FᵀF/n";
const LEAST: &str = "least positive λ";

/// What is known of a fit.
struct Fit {
    test_loss: f64,
    test_error: f64,
    training_loss: f64,
    /// The norm of the coefficients.
    length: f64,
    /// The largest and the least positive eigenvalue of `FᵀF/n`.
    largest: f64,
    least: f64,
}

/// Features of all images, those to train on first.
struct Data {
    features: DMatrix<f64>,
    /// One-hot rows minus a tenth.
    targets: DMatrix<f64>,
    labels: Vec<usize>,
    num_train: usize,
}

pub(super) fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let draws = plan.pick(DRAWS, 1);
    let seeds = plan.seeds.iter();
    let jobs: Vec<u64> = seeds
        .flat_map(|seed| (0..draws).map(move |draw| DRAWS * seed + draw))
        .collect();
    let drawn = plan.over(&jobs, |&seed| {
        let data = Data::draw(plan.pick(300, 40), seed)?;
        let fits: Vec<[Fit; 2]> = RATIOS.iter().map(|&ratio| data.fits(ratio)).collect();
        plan.progress(format!("random features, draw {seed}"));
        Ok(fits)
    })?;
    for (index, ratio) in RATIOS.into_iter().enumerate() {
        for [plain, ridge] in drawn.iter().map(|draw| &draw[index]) {
            let row = of_features(ratio);
            for (column, value) in [
                (TEST_LOSS, plain.test_loss),
                (TEST_ERROR, plain.test_error),
                (TRAINING_LOSS, plain.training_loss),
                (LENGTH, plain.length),
                (LARGEST, plain.largest),
                (LEAST, plain.least),
            ] {
                found.push(row.as_str(), column, value);
            }
            let row = with_ridge(ratio);
            found.push(row.as_str(), TEST_LOSS, ridge.test_loss);
            found.push(row.as_str(), TEST_ERROR, ridge.test_error);
            found.push(row.as_str(), LENGTH, ridge.length);
        }
    }
    for draw in &drawn {
        let losses = draw.iter().map(|[plain, _]| plain.test_loss);
        let peak = losses.zip(RATIOS).max_by(|a, b| a.0.total_cmp(&b.0));
        found.push(FEATURES, PLACE, peak.map_or(f64::NAN, |(_, ratio)| ratio));
    }
    charts(found);
    notes(found);
    Ok(())
}

fn with_ridge(ratio: f64) -> String {
    format!("{FEATURES} with ridge, p/n = {ratio}")
}

fn charts(found: &mut Measured) {
    for (chart, y, name, column, is_ridge) in [
        (TEST_LOSS, TEST_LOSS, "least norm", TEST_LOSS, false),
        (TEST_LOSS, TEST_LOSS, "ridge", TEST_LOSS, true),
        (TEST_ERROR, TEST_ERROR, "least norm", TEST_ERROR, false),
        (TEST_ERROR, TEST_ERROR, "ridge", TEST_ERROR, true),
        ("sizes", "size", LENGTH, LENGTH, false),
        ("sizes", "size", LARGEST, LARGEST, false),
        ("sizes", "size", LEAST, LEAST, false),
    ] {
        let row = if is_ridge { with_ridge } else { of_features };
        let points = RATIOS.map(|ratio| (ratio, found.mean(&row(ratio), column)));
        let chart = format!("{FEATURES}: {chart}");
        found.line(&chart, "features over examples", y, name, points.to_vec());
    }
}

/// Where each measure peaks, and what the second descent gains.
fn notes(found: &mut Measured) {
    let peak = |column| largest(found, &RATIOS, of_features, column).unwrap_or(f64::NAN);
    let [loss, length, top] = [TEST_LOSS, LENGTH, LARGEST].map(|column| number(peak(column)));
    let smallness = |ratio: f64| 1.0 / found.mean(&of_features(ratio), LEAST);
    let bottom = RATIOS
        .into_iter()
        .max_by(|one, other| smallness(*one).total_cmp(&smallness(*other)));
    let bottom = number(bottom.unwrap_or(f64::NAN));
    let ridge = RATIOS.map(|ratio| found.mean(&with_ridge(ratio), TEST_LOSS));
    let error = |ratio: f64| found.mean(&of_features(ratio), TEST_ERROR);
    let least = |values: &mut dyn Iterator<Item = f64>| number(values.fold(f64::NAN, f64::min));
    let before = least(&mut RATIOS.into_iter().filter(|ratio| *ratio < 1.0).map(error));
    let after = least(&mut RATIOS.into_iter().filter(|ratio| *ratio > 1.0).map(error));
    let most = number(ridge.into_iter().fold(f64::NAN, f64::max));
    let texts = [
        format!(
            "Of random features, the test loss is largest at p/n = {loss}, |w| at {length}, λ_max of FᵀF/n at {top}; the \
             least positive eigenvalue is smallest at {bottom}."
        ),
        format!(
            "With ridge, the test loss is at most {most}. The least test error without it is {before} below p = n and \
             {after} above."
        ),
    ];
    for text in texts {
        found.note(text);
    }
}

impl Data {
    fn draw(num_train: usize, seed: u64) -> Result<Self, Failure> {
        let digits = Digits::load(seed)?;
        let digits = digits.with_noisy_labels(0..num_train, RANDOM_LABELS, LABEL_SEEDS + seed);
        let (count, labels) = (digits.len(), digits.labels().to_vec());
        let most = RATIOS
            .iter()
            .map(|&ratio| times(ratio, num_train))
            .max()
            .unwrap_or(0);
        let pixels = (0..count).flat_map(|index| digits.image(index).iter().copied());
        let images = DMatrix::from_row_iterator(count, PIXELS, pixels);
        let weights: Vec<f64> = Probe::Gaussian.draw(&(PIXELS * most), seed, 0)?;
        let biases: Vec<f64> = Probe::Gaussian.draw(&most, seed, 1)?;
        let mut features = images * DMatrix::from_vec(PIXELS, most, weights) * 0.25;
        for (mut feature, bias) in features.column_iter_mut().zip(biases) {
            for value in feature.iter_mut() {
                *value = (*value + 0.5 * bias).max(0.0) / 8.0;
            }
        }
        let target = |image: usize, class: usize| f64::from(labels[image] == class) - 0.1;
        Ok(Self {
            features,
            targets: DMatrix::from_fn(count, CLASSES, target),
            labels,
            num_train,
        })
    }

    /// The solution of least norm, and that with ridge.
    fn fits(&self, ratio: f64) -> [Fit; 2] {
        let (count, used) = (self.num_train, times(ratio, self.num_train));
        let num_test = self.features.nrows() - count;
        let train = self.features.view((0, 0), (count, used)).into_owned();
        let test = self.features.view((count, 0), (num_test, used));
        let known = self.targets.rows(0, count);
        let truth = self.targets.rows(count, num_test);
        let transposed = train.transpose();
        // The smaller of both products has the squares of all singular values.
        let is_wide = used > count;
        let (gram, right) = match is_wide {
            true => (&train * &transposed, known.into_owned()),
            false => (&transposed * &train, &transposed * known),
        };
        let SymmetricEigen {
            eigenvectors,
            eigenvalues,
        } = SymmetricEigen::new(gram);
        let right = eigenvectors.transpose() * right;
        let largest = eigenvalues.max();
        let is_positive = |value: &f64| *value > ZERO * largest;
        let positive = eigenvalues.iter().copied().filter(is_positive);
        let least = positive.fold(f64::INFINITY, f64::min);
        [0.0, RIDGE].map(|ridge| {
            let mut parts = right.clone();
            for (mut part, value) in parts.row_iter_mut().zip(eigenvalues.iter()) {
                part *= match is_positive(value) {
                    true => 1.0 / (value + ridge),
                    false => 0.0,
                };
            }
            let solution = &eigenvectors * parts;
            let weights = match is_wide {
                true => &transposed * solution,
                false => solution,
            };
            let outputs = test * &weights;
            let is_wrong = |image: &usize| {
                let scores = outputs.row(*image);
                let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
                best.map(|(class, _)| class) != Some(self.labels[count + image])
            };
            let wrong = (0..num_test).filter(is_wrong).count();
            Fit {
                test_loss: (&outputs - truth).norm_squared() / num_test as f64,
                test_error: wrong as f64 / num_test as f64,
                training_loss: (&train * &weights - known).norm_squared() / count as f64,
                length: weights.norm(),
                largest: largest / count as f64,
                least: least / count as f64,
            }
        })
    }
}

/// A multiple of a number, rounded.
fn times(ratio: f64, count: usize) -> usize {
    (ratio * count as f64).round() as usize
}
