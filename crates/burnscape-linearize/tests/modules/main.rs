//! Every layer, activation and loss of Burn: the exact product agrees with differences of Burn's own
//! gradient, is symmetric, is linear and repeats itself. One line a module; `--nocapture` prints what
//! was measured.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation fails the test"
)]

mod activations;
mod convolutions;
mod functions;
mod layers;
mod losses;
mod parameters;
mod pools;
mod referee;
mod sequences;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burnscape_linearize::{Rule, coverage};
use referee::{Case, Measured, Referee};

#[test]
fn layers_have_exact_products() {
    hold(layers::cases());
}

#[test]
fn convolutions_have_exact_products() {
    hold(convolutions::cases());
}

#[test]
fn pools_and_rearrangements_have_exact_products() {
    hold(pools::cases());
}

#[test]
fn sequences_have_exact_products() {
    hold(sequences::cases());
}

#[test]
fn activations_have_exact_products() {
    hold(activations::cases());
}

#[test]
fn functions_have_exact_products() {
    hold(functions::cases());
}

#[test]
fn losses_have_exact_products() {
    hold(losses::cases());
}

/// Operations with a rule that no gradient emits, because Burn's autodiff uses others in their place.
/// Their rules are tested alone, with all others.
const NEVER_MET: &[&str] = &[
    "NumericFloat::Pad",
    "NumericFloat::Rem",
    "NumericFloat::TopK",
    "NumericFloat::Max",
    "NumericFloat::Min",
    "NumericFloat::MinDim",
    "NumericFloat::Clamp",
    "NumericFloat::ClampMin",
    "NumericFloat::ClampMax",
    "NumericFloat::Sort",
    "Float::Hypot",
    "Activation::Softmax",
    "Activation::LogSoftmax",
    "Activation::Softmin",
    "Activation::LeakyRelu",
    "Activation::HardSigmoid",
    "Module::LinearBiasBackward",
    "Module::Unfold4d",
    "Module::Linear",
    "Module::LinearXBackward",
    "Module::LinearWeightBackward",
    "Module::MaxPool1d",
    "Module::MaxPool2d",
];

#[test]
fn the_published_table_says_what_is_tested() {
    let all = [
        layers::cases(),
        convolutions::cases(),
        pools::cases(),
        sequences::cases(),
        activations::cases(),
        functions::cases(),
        losses::cases(),
    ];
    let mut met: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for case in all.into_iter().flatten() {
        for operation in (case.measure)(1e-4).operations {
            let names = met.entry(operation).or_default();
            if names.last() != Some(&case.name) {
                names.push(case.name);
            }
        }
    }
    println!("| operation | rule | tested in |\n|---|---|---|");
    let mut never_met = Vec::new();
    for (operation, rule) in coverage() {
        let names = met.remove(&operation).unwrap_or_default();
        let some = match names.len() {
            0..=3 => names.join("; "),
            len => format!("{}; … ({len})", names[..3].join("; ")),
        };
        println!("| {operation} | {rule} | {some} |");
        assert!(names.is_empty() || rule != Rule::Refused, "{operation}");
        assert!(names.is_empty() || rule != Rule::WrittenOut, "{operation}");
        if names.is_empty() && !matches!(rule, Rule::Constant | Rule::Refused | Rule::WrittenOut) {
            never_met.push(operation);
        }
    }
    assert_eq!(never_met, NEVER_MET);
}

/// Measures every case before it complains, naming all that failed.
fn hold(cases: Vec<Case>) {
    let mut failed = Vec::new();
    let mut table = String::new();
    for case in cases {
        let (name, referee) = (case.name, case.referee);
        let step = if referee == Referee::Single {
            1e-2
        } else {
            1e-4
        };
        match catch_unwind(AssertUnwindSafe(|| (case.measure)(step))) {
            Ok(found) => {
                table += &row(name, &found, referee);
                if !is_exact(&found, referee) {
                    failed.push(format!("{name}: {}", row("", &found, referee)));
                }
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                failed.push(format!("{name}: {}", text.unwrap_or_default()));
            }
        }
    }
    println!(
        "{:28} {:>4} {:>9} {:>11} {:>9} {:>9}\n{table}",
        "module", "ops", "gradient", "differences", "symmetry", "linearity"
    );
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

fn is_exact(found: &Measured, referee: Referee) -> bool {
    let within = |gradient: f64, differences: f64, law: f64| {
        let agrees = found.gradient <= gradient && found.differences <= differences;
        (referee == Referee::Draws || agrees) && found.symmetry <= law && found.linearity <= law
    };
    match referee {
        Referee::Differences | Referee::Draws => within(1e-12, 1e-6, 1e-12),
        Referee::Single => within(1e-6, 1e-3, 1e-6),
    }
}

fn row(name: &str, found: &Measured, referee: Referee) -> String {
    let compared = |x: f64| match referee {
        Referee::Draws => "draws".to_string(),
        Referee::Differences | Referee::Single => format!("{x:.1e}"),
    };
    let single = if referee == Referee::Single {
        "  single"
    } else {
        ""
    };
    format!(
        "{name:28} {:>4} {:>9} {:>11} {:>9.1e} {:>9.1e}{single}\n",
        found.operations.len(),
        compared(found.gradient),
        compared(found.differences),
        found.symmetry,
        found.linearity
    )
}
