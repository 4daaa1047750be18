//! Least squares on some of the coordinates of normal inputs.

use burnscape::krylov::{Estimate, Probe};
use nalgebra::{Cholesky, DMatrix, DVector};

use crate::Failure;
use crate::studies::criteria::double_descent::{
    COORDINATES, EXAMPLES, KNOWN, LAW, NOISE, RISK, law, of_coordinates,
};
use crate::studies::frame::{Measured, Plan};

/// Numbers of coordinates near that of the examples, of which only medians mean something.
const NEAR: [usize; 3] = [38, 40, 42];
const MEDIAN: &str = "median risk";
const CHART: &str = "risk of least squares";

pub(super) fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let mut sizes = [KNOWN.as_slice(), NEAR.as_slice()].concat();
    sizes.sort_unstable();
    let (draws, together) = plan.pick((800, 100), (20, 10));
    let drawn: Vec<Vec<Vec<f64>>> = plan.over_seeds(|seed| {
        let draws = (0..draws).map(|draw| risks(&sizes, seed, draw));
        draws.collect()
    })?;
    for (index, &used) in sizes.iter().enumerate() {
        let row = of_coordinates(used);
        if law(used).is_finite() {
            found.push(row.as_str(), LAW, law(used));
        }
        for own in &drawn {
            let mut values: Vec<f64> = own.iter().map(|draw| draw[index]).collect();
            if KNOWN.contains(&used) {
                let means = values.chunks(together);
                let means = means.map(|some| Estimate::of(some).value);
                found.extend(&row, RISK, means);
            }
            values.sort_by(f64::total_cmp);
            found.push(row.as_str(), MEDIAN, values[values.len() / 2]);
        }
    }
    let exact = (1..=COORDINATES).map(|used| (used as f64, law(used)));
    let exact = exact.filter(|(_, risk)| risk.is_finite()).collect();
    draw(found, "exact mean", exact);
    for (name, column, sizes) in [
        ("mean of draws", RISK, KNOWN.as_slice()),
        ("median of draws", MEDIAN, sizes.as_slice()),
    ] {
        let mean = |&used: &usize| (used as f64, found.mean(&of_coordinates(used), column));
        let points = sizes.iter().map(mean).collect();
        draw(found, name, points);
    }
    found.note("The mean risk of least squares is infinite from 39 to 41 coordinates.");
    Ok(())
}

fn draw(found: &mut Measured, name: &str, points: Vec<(f64, f64)>) {
    found.line(CHART, "coordinates", "risk", name, points);
}

/// The risks of one draw of examples for fits on different numbers of coordinates.
fn risks(sizes: &[usize], seed: u64, draw: u64) -> Result<Vec<f64>, Failure> {
    let drawn: Vec<f64> = Probe::Gaussian.draw(&(EXAMPLES * (COORDINATES + 1)), seed, draw)?;
    let (inputs, noise) = drawn.split_at(EXAMPLES * COORDINATES);
    let inputs = DMatrix::from_column_slice(EXAMPLES, COORDINATES, inputs);
    let coefficient = 1.0 / (COORDINATES as f64).sqrt();
    let noise = DVector::from_column_slice(noise);
    let targets: DVector<f64> = inputs.column_sum() * coefficient + noise * NOISE;
    let risk = |&used: &usize| -> Result<f64, Failure> {
        let fitted = fit(&inputs.columns(0, used).into_owned(), &targets)?;
        let errors = fitted.iter().map(|own| (own - coefficient).powi(2));
        let left_out = (COORDINATES - used) as f64 * coefficient * coefficient;
        Ok(errors.sum::<f64>() + left_out + NOISE * NOISE)
    };
    sizes.iter().map(risk).collect()
}

/// The coefficients with the least squared error; of several, those of least norm.
fn fit(inputs: &DMatrix<f64>, targets: &DVector<f64>) -> Result<DVector<f64>, Failure> {
    let dependent = "the inputs of least squares are dependent";
    let transposed = inputs.transpose();
    if inputs.ncols() <= inputs.nrows() {
        let gram = Cholesky::new(&transposed * inputs).ok_or(dependent)?;
        Ok(gram.solve(&(transposed * targets)))
    } else {
        let gram = Cholesky::new(inputs * &transposed).ok_or(dependent)?;
        Ok(transposed * gram.solve(targets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fit_solves_its_equations_with_the_least_norm() {
        let inputs = DMatrix::from_row_slice(3, 2, &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        let targets = DVector::from_column_slice(&[1.0, 2.0, 3.0]);
        let narrow = fit(&inputs, &targets).unwrap();
        assert!((narrow - DVector::from_column_slice(&[1.0, 2.0])).norm() < 1e-12);
        let wide = DMatrix::from_row_slice(1, 2, &[1.0, 2.0]);
        let found = fit(&wide, &DVector::from_column_slice(&[5.0])).unwrap();
        assert!((found - DVector::from_column_slice(&[1.0, 2.0])).norm() < 1e-12);
    }
}
