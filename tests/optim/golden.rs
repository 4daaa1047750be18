//! Runs of PyTorch, replayed in the element type of the binary.

use std::collections::BTreeMap;
use std::error::Error;

use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::{DType, Device, Tensor};
use burnscape::optim::{AscentDirection, DescentGradient, Metric, SamConfig, StepReport};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::golden::{GoldenArray, GoldenMethod, GoldenRun, max_difference};
use burnscape_testkit::models::{Classifier, Cnn, Mlp};

use crate::element::{DTYPE, device};

type Outcome = Result<(), Box<dyn Error>>;

/// The tolerance of a run against PyTorch's, which is in double precision.
const TOLERANCE: f64 = match DTYPE {
    DType::F64 => 1e-10,
    _ => 1e-5,
};

macro_rules! agrees {
    ($($name:ident: $($case:literal),+;)+) => {
        $(
            #[test]
            fn $name() -> Outcome {
                for case in [$($case),+] {
                    replay(case)?;
                }
                Ok(())
            }
        )+
    };
}

agrees! {
    sam_agrees_on_the_mlp: "mlp_sam_sgd", "mlp_sam_momentum";
    asam_agrees_on_the_mlp: "mlp_asam_sgd", "mlp_asam_momentum";
    sam_agrees_on_the_cnn_with_batch_norm: "cnn_sam_sgd", "cnn_sam_momentum";
    asam_agrees_on_the_cnn_with_batch_norm: "cnn_asam_sgd", "cnn_asam_momentum";
    gsam_agrees_on_the_mlp: "mlp_gsam_sgd";
    coupled_wsam_agrees_on_the_mlp: "mlp_wsam_sgd";
    look_sam_agrees_on_the_mlp: "mlp_look_sam_sgd";
    friendly_sam_agrees_on_the_mlp: "mlp_friendly_sam_sgd";
}

/// Replays `golden/optim/<case>.json`; all numbers must agree.
fn replay(case: &str) -> Outcome {
    let device = device().autodiff();
    let run = GoldenRun::load(case)?;
    let differences = match run.model.as_str() {
        "mlp" => train::<2, _>(&run, Mlp::golden(&device), &device, |_| Vec::new())?,
        "cnn" => train::<4, _>(&run, Cnn::golden(&device), &device, |model| {
            model.running().into()
        })?,
        other => return Err(format!("no such model: {other}").into()),
    };
    let worst: Vec<String> = differences
        .iter()
        .map(|(what, difference)| format!("{what} {difference:.1e}"))
        .collect();
    println!("{case}: {}", worst.join(", "));
    for (what, difference) in &differences {
        // `<=`, because a NaN agrees with nothing.
        assert!(
            *difference <= TOLERANCE,
            "{case}: {what} differ by {difference:e}, more than {TOLERANCE:e}"
        );
    }
    Ok(())
}

type Differences = Vec<(&'static str, f64)>;

fn train<const D: usize, M: Classifier<D>>(
    run: &GoldenRun,
    model: M,
    device: &Device,
    running: impl Fn(&M) -> Vec<(&'static str, Tensor<1>)>,
) -> Result<Differences, Box<dyn Error>> {
    let space = ParamSpace::of(&model)?;
    // Otherwise the run would have another precision than the test claims.
    assert_eq!(space.dtype()?, DTYPE);
    let mut model =
        ParamVector::from_host(&space, &flat(&space, &run.initial)?)?.apply_to(&model)?;
    let input = run.input.tensor::<D>(device, DTYPE)?;
    let target = run.target_tensor(device);

    let momentum = run.momentum.map(|momentum| MomentumConfig {
        momentum,
        dampening: 0.0,
        nesterov: false,
    });
    let base = SgdConfig::new().with_momentum(momentum).init();
    let mut sam = config(&run.method)?.init(base)?;
    let mut reports = Vec::new();
    for _ in &run.losses {
        let loss = |m: &M| m.loss(input.clone(), target.clone());
        reports.push(sam.step(run.lr, &mut model, loss)?);
    }

    let present = ParamVector::from_module(&space, &model)?.to_host()?;
    let column = |read: fn(&StepReport) -> Option<f64>| reports.iter().map(read).collect();
    let losses: Vec<Option<f64>> = column(|report| report.loss);
    let norms: Vec<Option<f64>> = column(|report| Some(report.gradient_norm));
    let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
    let perturbed = column(|report| report.perturbed_loss);
    let cosines = column(|report| report.cosine);
    let mut differences = vec![
        (
            "parameters",
            max_difference(&present, &flat(&space, &run.last)?),
        ),
        ("losses", difference(&losses, &some(&run.losses))),
        (
            "perturbed losses",
            difference(&perturbed, &run.perturbed_losses),
        ),
        (
            "gradient norms",
            difference(&norms, &some(&run.gradient_norms)),
        ),
        ("cosines", difference(&cosines, &run.cosines)),
    ];
    let running = running(&model);
    assert_eq!(running.len(), run.running.len());
    for (path, value) in running {
        let found: Vec<f64> = value.into_data().iter::<f64>().collect();
        let expected = &golden(&run.running, path)?.values;
        differences.push((path, max_difference(&found, expected)));
    }
    Ok(differences)
}

/// The optimizer with the file's settings. Where a preset has the same settings, it must be equal.
fn config(method: &GoldenMethod) -> Result<SamConfig, Box<dyn Error>> {
    let setting = |value: Option<f64>, name: &str| {
        value.ok_or_else(|| format!("{} without {name}", method.name))
    };
    let preset = match method.name.as_str() {
        "sam" => SamConfig::new(),
        "asam" => {
            let eta = setting(method.eta, "eta")?;
            assert_eq!(SamConfig::asam().metric, Metric::Adaptive { eta });
            SamConfig::asam()
        }
        "gsam" => {
            let alpha = setting(method.alpha, "alpha")?;
            let descent = DescentGradient::SurrogateGap { alpha };
            assert_eq!(SamConfig::gsam().descent_gradient, descent);
            SamConfig::gsam()
        }
        "wsam" => SamConfig::new().with_descent_gradient(DescentGradient::Weighted {
            gamma: setting(method.gamma, "gamma")?,
            decoupled: false,
        }),
        "look_sam" => SamConfig::new().with_descent_gradient(DescentGradient::Look {
            every: method.every.ok_or("look_sam without every")?,
            alpha: setting(method.alpha, "alpha")?,
        }),
        "friendly_sam" => {
            let sigma = setting(method.sigma, "sigma")?;
            let momentum = setting(method.decay, "decay")?;
            let direction = AscentDirection::Friendly { sigma, momentum };
            assert_eq!(SamConfig::friendly_sam().ascent_direction, direction);
            SamConfig::friendly_sam()
        }
        other => return Err(format!("no such method: {other}").into()),
    };
    assert_eq!(preset.rho, method.rho);
    Ok(preset)
}

/// A golden vector in the order of the space, all of its arrays used.
fn flat(
    space: &ParamSpace,
    arrays: &BTreeMap<String, GoldenArray>,
) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut values = Vec::with_capacity(space.len());
    for leaf in space.leaves() {
        let array = golden(arrays, leaf.path())?;
        assert_eq!(array.shape, leaf.shape(), "{}", leaf.path());
        values.extend_from_slice(&array.values);
    }
    assert_eq!(arrays.len(), space.leaves().len());
    Ok(values)
}

fn golden<'a>(
    arrays: &'a BTreeMap<String, GoldenArray>,
    path: &str,
) -> Result<&'a GoldenArray, String> {
    arrays
        .get(path)
        .ok_or_else(|| format!("the file lacks `{path}`"))
}

/// As [`max_difference`]; infinite where one list has a number and the other has none.
fn difference(x: &[Option<f64>], y: &[Option<f64>]) -> f64 {
    let present = |values: &[Option<f64>]| values.iter().map(Option::is_some).collect::<Vec<_>>();
    if present(x) != present(y) {
        return f64::INFINITY;
    }
    let numbers = |values: &[Option<f64>]| values.iter().flatten().copied().collect::<Vec<_>>();
    max_difference(&numbers(x), &numbers(y))
}
