//! Every layer, activation and loss of Burn: the exact product agrees with differences of Burn's own
//! gradient taken on one smooth piece, is symmetric, is linear, repeats itself and is the same in
//! single precision. One line a case; `--nocapture` prints what was measured.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation fails the test"
)]

mod activations;
mod batch;
mod convolutions;
mod coverage;
mod deformable;
mod exports;
mod functions;
mod kernels;
mod layers;
mod losses;
mod parameters;
mod pools;
mod products;
mod referee;
mod sequences;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use burn::module::Param;
use burn::tensor::activation::relu;
use burn::tensor::{Tensor, TensorData};
use referee::{Bars, Case, Measured, case, wave};

/// The random stream belongs to the device: one test at a time starts it again and draws from it.
static STREAM: Mutex<()> = Mutex::new(());

/// Every family of cases.
const FAMILIES: &[fn() -> Vec<Case>] = &[
    layers::cases,
    convolutions::cases,
    deformable::cases,
    pools::cases,
    sequences::cases,
    activations::cases,
    functions::cases,
    kernels::cases,
    losses::cases,
];

#[test]
fn layers_have_exact_products() {
    hold(layers::cases);
}

#[test]
fn convolutions_have_exact_products() {
    hold(convolutions::cases);
}

#[test]
fn deformable_convolutions_have_exact_products() {
    hold(deformable::cases);
}

#[test]
fn pools_and_rearrangements_have_exact_products() {
    hold(pools::cases);
}

#[test]
fn sequences_have_exact_products() {
    hold(sequences::cases);
}

#[test]
fn activations_have_exact_products() {
    hold(activations::cases);
}

#[test]
fn functions_have_exact_products() {
    hold(functions::cases);
}

#[test]
fn kernels_have_exact_products() {
    hold(kernels::cases);
}

#[test]
fn losses_have_exact_products() {
    hold(losses::cases);
}

/// The check of the points is one that can fail.
#[test]
fn a_kink_between_the_points_of_the_differences_is_seen() {
    let _turn = STREAM.lock().unwrap_or_else(PoisonError::into_inner);
    let relu_at = |distance: f64| {
        let weights = Param::from_tensor(wave([3]));
        let case = case("", weights, (), move |w: &Param<Tensor<1>>, ()| {
            let y = w.val();
            let here = parameters::filled(3, 0);
            let here = Tensor::<1>::from_data(TensorData::new(here, [3]), &y.device());
            let y = relu(y - here + distance) + 1.0;
            (y.clone() * y).sum()
        });
        (case.measure)()
    };
    let (near, away) = (relu_at(1e-5), relu_at(1e-2));
    assert!(!near.is_smooth && near.differences > 0.1, "{near:?}");
    assert!(away.is_smooth && away.differences < 1e-6, "{away:?}");
}

/// Measures every case before it complains, naming all that failed.
fn hold(cases: fn() -> Vec<Case>) {
    let _turn = STREAM.lock().unwrap_or_else(PoisonError::into_inner);
    let mut failed = Vec::new();
    let mut table = String::new();
    for case in cases() {
        let name = case.name;
        match catch_unwind(AssertUnwindSafe(|| (case.measure)())) {
            Ok(found) => {
                let row = row(name, &found);
                table += &row;
                if !is_exact(&found, &case.bars) {
                    failed.push(row);
                }
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                failed.push(format!("{name}: {}\n", text.unwrap_or_default()));
            }
        }
    }
    let titles = format!(
        "{:30} {:>4} {:>9} {:>11} {:>9} {:>9} {:>9} {:>9}\n",
        "case", "ops", "gradient", "differences", "symmetry", "linearity", "single", "formula"
    );
    println!("{titles}{table}");
    assert!(failed.is_empty(), "\n{titles}{}", failed.concat());
}

/// NaN is within nothing.
fn is_exact(found: &Measured, bars: &Bars) -> bool {
    found.is_smooth
        && found.gradient <= bars.gradient
        && found.differences <= bars.differences
        && found.symmetry <= bars.law
        && found.linearity <= bars.law
        && found.single <= bars.single
        && found.formula <= bars.formula
}

fn row(name: &str, found: &Measured) -> String {
    let kink = if found.is_smooth {
        ""
    } else {
        "  across a kink"
    };
    format!(
        "{name:30} {:>4} {:>9.1e} {:>11.1e} {:>9.1e} {:>9.1e} {:>9.1e} {:>9.1e}{kink}\n",
        found.operations,
        found.gradient,
        found.differences,
        found.symmetry,
        found.linearity,
        found.single,
        found.formula,
    )
}
