//! The published table: every operation with its rule, and the cases in which a gradient met it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::{env, fs};

use burnscape_linearize::{Rule, coverage};

use super::exports::lists;
use super::{FAMILIES, STREAM};

/// Set by `cargo xtask coverage`, which wants the page written; without it the page is compared with
/// what is there.
const WRITE: &str = "BURNSCAPE_WRITE_COVERAGE";

/// Operations with a rule that no gradient emits, because Burn's autodiff uses others in their place.
/// Their rules are tested alone, with all others.
const NEVER_MET: &[&str] = &[
    "NumericFloat::Pad",
    "NumericFloat::Rem",
    "NumericFloat::TopK",
    "NumericFloat::Max",
    "NumericFloat::Min",
    "NumericFloat::MinDim",
    "NumericFloat::Sort",
    "NumericFloat::MaxAbs",
    "NumericFloat::MaxAbsDim",
    "Float::Hypot",
    "Activation::Softmin",
    "Activation::LeakyRelu",
    "Activation::HardSigmoid",
    "Activation::PRelu",
    "Module::LinearBiasBackward",
    "Module::Unfold4d",
    "Module::Linear",
    "Module::LinearXBackward",
    "Module::LinearWeightBackward",
    "Module::MaxPool1d",
    "Module::MaxPool2d",
    "Module::LayerNorm",
    "Module::Attention",
];

/// Why there is no rule.
const REFUSED: &[(&str, &str)] = &[
    ("NumericFloat::Powi", "Burn does not record it"),
    ("Float::Quantize", "rounding has no derivative"),
    (
        "Float::Dequantize",
        "the numbers it reads have no derivative",
    ),
    ("Float::GridSample2d", "autodiff records its parts instead"),
    ("Module::CtcLoss", "autodiff records its parts instead"),
    (
        "Module::CtcLossBackward",
        "autodiff records its parts instead",
    ),
];

/// The cases that met an operation in one direction: the first one's name and their number.
#[derive(Default)]
struct Met {
    first: &'static str,
    count: usize,
}

impl Met {
    fn add(&mut self, name: &'static str) {
        if self.count == 0 {
            self.first = name;
        }
        self.count += 1;
    }

    fn cell(&self) -> String {
        match self.count {
            0 => "–".into(),
            1 => self.first.into(),
            count => format!("{} and {} more", self.first, count - 1),
        }
    }
}

#[derive(Default)]
struct Directions {
    forward: Met,
    backward: Met,
}

fn directions() -> BTreeMap<String, Directions> {
    let mut met: BTreeMap<String, Directions> = BTreeMap::new();
    for case in FAMILIES.iter().flat_map(|family| family()) {
        let operations = (case.operations)();
        for name in operations.forward {
            met.entry(name).or_default().forward.add(case.name);
        }
        for name in operations.backward {
            met.entry(name).or_default().backward.add(case.name);
        }
    }
    met
}

const ABOUT: &str = "\
# What is differentiated, and what tests it

Made by `cargo xtask coverage` from the list that the tests iterate over; the tests fail while this page
says anything else.

## Operations

Every operation on floats that Burn can record, with its rule. *Alone*: a program of this operation only,
its first and second derivative against differences. *Forward*: cases whose loss needs it. *Backward*:
cases whose gradient needs it besides. A case is a layer, an activation, a loss or a function of Burn; its
exact Hessian-vector product in double precision agrees with differences of Burn's own gradient to 1e-6, is
symmetric and linear to 1e-12, and is what single precision gives to 1e-4 (all relative; `RRelu, train`
draws other slopes in single precision and is not compared). Operations without a case are those for which
Burn's autodiff records others. A `constant` operation does not move: it is discrete, or made of no input.

Differences are taken between points on one smooth piece, which the tests check: every comparison, place
of an extremum and rounding that the derivative makes is the same at all of them. Losses that draw are
compared on the same draws.

Burn computes a part of some cases in single precision, whatever the tensors hold, so that its gradient is
good for seven digits there. Their products are held to those of the formula, written out in double
precision, to 1e-6: {single}.

### Ties, zeros and saturation

A gradient that selects by value is differentiated on the side that it takes:

| operation | at a tie, Burn's gradient and its derivative |
|---|---|
| `prod`, `prod_dim`, `cumprod` | exact, with any number of zeros: Burn's masks are recognized and replaced by products of the other factors (O(n), for `cumprod` O(n log n)) |
| `relu`; `leaky_relu`, `prelu` | at zero the slope zero; one |
| `abs`, `sign` | at zero the slope zero, also of `abs().square()`, which has none; write `square()` |
| `max`, `min`, `max_dim`, `min_dim`, `topk`, `sort`, `median`, quantiles, `max_pool` | the element that the backend's index names; on Flex the first of equal ones |
| `cummax`, `cummin` | the last of equal running records |
| `clamp`, `clamp_min`, `clamp_max`, `hardtanh`, `relu6` | on a bound the tangent passes |
| `mask_where`, `mask_fill` with `lower`, `greater` and the like | the branch that the mask takes |
| `round`, `floor`, `ceil`, `trunc`, `remainder` | constant between jumps |
| `scatter` and `select_assign` that multiply or take extrema | refused: no rule |
| `equal`, `not_equal` of values that move | refused at a point where something is equal that is not equal nearby (`LinearizeError::Tie`), but for comparisons with infinity, and of an extremum with what it was taken of |

Powers with a tensor of exponents (0, 1 and 2 included), `quiet_softmax` over padding and everything else in
`crates/burnscape-linearize/tests/finite` have the finite derivative where a formula is `0 · ∞`. Where Burn's own
gradient is not finite, ours is not: `docs/upstream.md` lists what is known. `sigmoid`, `log_sigmoid` and softmax
cross-entropy keep their relative accuracy as `p` tends to one (`cargo xtask sweep fisher`); `tanh` and `softplus`
have that of Burn's gradient, which forms `1 − tanh²` and `1 − σ`.

### Rules

| operation | rule | alone | forward | backward |
|---|---|---|---|---|
";

fn page() -> String {
    let all = FAMILIES.iter().flat_map(|family| family());
    let single = all.filter(|case| case.is_partly_single);
    let single: Vec<&str> = single.map(|case| case.name).collect();
    let mut page = ABOUT.replace("{single}", &format!("`{}`", single.join("`, `")));
    let mut met = directions();
    let reasons: BTreeMap<&str, &str> = REFUSED.iter().copied().collect();
    let (mut never_met, mut refused) = (Vec::new(), Vec::new());
    for (operation, rule) in coverage() {
        let Directions { forward, backward } = met.remove(&operation).unwrap_or_default();
        let is_met = forward.count + backward.count > 0;
        let has_rule = !matches!(rule, Rule::Constant | Rule::Refused);
        let mut told = rule.to_string();
        if rule == Rule::Refused {
            assert!(!is_met, "{operation}");
            let reason = reasons.get(operation.as_str()).unwrap_or(&"");
            told = format!("refused: {reason}");
            refused.push(operation.clone());
        }
        let alone = if has_rule { "yes" } else { "–" };
        if has_rule && !is_met {
            never_met.push(operation.clone());
        }
        let (forward, backward) = (forward.cell(), backward.cell());
        let _ = writeln!(
            page,
            "| `{operation}` | {told} | {alone} | {forward} | {backward} |"
        );
    }
    assert_eq!(never_met, NEVER_MET);
    assert_eq!(
        refused,
        REFUSED.iter().map(|(name, _)| *name).collect::<Vec<_>>()
    );
    for (title, lines) in lists() {
        let _ = write!(page, "\n## {title}\n\n| export | cases |\n|---|---|\n");
        for line in lines {
            let _ = writeln!(page, "| `{}` | {} |", line.export, line.tested);
        }
    }
    page
}

fn published() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("coverage.md")
}

#[test]
fn the_published_table_says_what_is_tested() {
    let _turn = STREAM.lock().unwrap_or_else(PoisonError::into_inner);
    let page = page();
    if env::var_os(WRITE).is_some() {
        fs::write(published(), page).expect("a file that can be written");
        return;
    }
    let found = fs::read_to_string(published()).unwrap_or_default();
    let differs = page
        .lines()
        .zip(found.lines())
        .find(|(ours, theirs)| ours != theirs);
    assert!(
        page == found,
        "coverage.md is not what the tests say; `cargo xtask coverage` writes it anew: {differs:?}"
    );
}
