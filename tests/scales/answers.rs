//! What is asked at every scale, with the answers brought back to scale one.

use burn::optim::SgdConfig;
use burnscape::curvature::Hessian;
use burnscape::krylov::{
    LinearOperator, Shifted, SolveConfig, TraceConfig, TraceMethod, TrustRegionConfig,
};
use burnscape::loss::Risk;
use burnscape::optim::{
    Ascent, DescentGradient, Metric, RhoGroup, SaddleFreeNewtonConfig, SamConfig, StepReport,
};
use burnscape::sharpness::{
    AverageSharpnessConfig, SharpnessMeasure, SharpnessReportConfig, WorstCaseSharpnessConfig,
};
use burnscape::space::{ParamVector, Scale};
use burnscape::spectrum::Spectrum;

use super::models::{Kind, Net, batch, loss};

/// One answer: numbers that are the same at every scale.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) name: &'static str,
    pub(crate) values: Vec<f64>,
    /// Whether nothing at all is rounded differently.
    pub(crate) is_exact: bool,
}

fn exact(name: &'static str, values: Vec<f64>) -> Answer {
    Answer {
        name,
        values,
        is_exact: true,
    }
}

fn near(name: &'static str, values: Vec<f64>) -> Answer {
    Answer {
        name,
        values,
        is_exact: false,
    }
}

/// Everything that is asked about the loss times `2^exponent`.
pub(crate) fn answers(kind: Kind, seed: u64, exponent: i32) -> Vec<Answer> {
    let mut answers = curvature(kind, seed, exponent);
    answers.extend(steps(kind, seed, exponent, &variants()));
    answers.push(near("trust-region ascent", ascent(kind, seed, exponent)));
    answers.extend(newton(kind, seed, exponent));
    answers
}

/// Products, spectra, solutions and the verdict.
fn curvature(kind: Kind, seed: u64, exponent: i32) -> Vec<Answer> {
    let (net, data, loss) = (Net::new(seed), [batch(seed)], loss(kind, exponent));
    let unit = 2.0_f64.powi(exponent);
    let back = |values: Vec<f64>| -> Vec<f64> { values.iter().map(|value| value / unit).collect() };
    let risk = Risk::new(&loss, &data);
    let hessian = risk.hessian(&net).expect("a Hessian");
    let gradient = hessian.gradient().expect("a gradient");
    let v = ParamVector::gaussian(hessian.space(), seed).expect("a direction");
    let product = hessian.matvec(&v).expect("a product");
    let mut found = vec![
        exact("loss", vec![hessian.loss() / unit]),
        exact("gradient", back(gradient.to_host().expect("numbers"))),
        exact("product", back(product.to_host().expect("numbers"))),
        exact("norm", vec![gradient.norm().expect("a norm") / unit]),
    ];

    let spectrum = Spectrum::of(&hessian).with_seed(seed);
    let top = spectrum.top_eigenpairs(2).expect("eigenpairs");
    let bottom = spectrum.bottom_eigenpairs(2).expect("eigenpairs");
    assert!(
        top.outcome.is_converged() && bottom.outcome.is_converged(),
        "{top:?} {bottom:?}"
    );
    found.push(near("eigenvalues, top", back(top.values)));
    found.push(near("eigenvalues, bottom", back(bottom.values)));
    let point = spectrum
        .critical_point(1e-3 * unit)
        .expect("a verdict at a small tolerance");
    let rough = spectrum
        .critical_point(1e3 * unit)
        .expect("a verdict at a large tolerance");
    let verdicts = [&point, &rough].map(|point| point.kind as i32);
    let counts = [point.negative, point.positive].map(|count| count.at_least as f64);
    found.push(exact("verdicts", verdicts.map(f64::from).to_vec()));
    found.push(exact("counts", counts.to_vec()));

    for (name, method) in [
        ("trace, Hutchinson", TraceMethod::Hutchinson),
        ("trace, XTrace", TraceMethod::XTrace),
    ] {
        let config = TraceConfig::new().with_method(method);
        let trace = config.with_max_matvecs(12).with_seed(seed).run(&hessian);
        found.push(near(name, back(vec![trace.expect("a trace").value])));
    }

    // Positive definite by a margin at every seed; the same matrix at every scale.
    let damped = Shifted::new(&hessian, 40.0 * unit).expect("a shift");
    let cg = SolveConfig::conjugate_gradients()
        .run(&damped, &gradient)
        .expect("a solution");
    assert!(cg.outcome.is_converged());
    found.push(near("CG", cg.x.to_host().expect("numbers")));
    let minres = SolveConfig::minres().with_max_matvecs(12);
    let solution = minres.run(&hessian, &gradient).expect("a solution");
    found.push(near("MINRES", solution.x.to_host().expect("numbers")));
    // Right-hand sides of another scale than the matrix.
    let ones = [0.7, -0.3].into_iter().cycle().take(gradient.space().len());
    let ones = ParamVector::from_host(gradient.space(), &ones.collect::<Vec<_>>());
    let cg = SolveConfig::conjugate_gradients().run(&damped, &ones.expect("a vector"));
    let cg = cg.expect("a solution").x.to_host().expect("numbers");
    found.push(near(
        "CG, fixed side",
        cg.iter().map(|x| x * unit).collect(),
    ));

    let ball = TrustRegionConfig::new(0.5).with_seed(seed);
    for (name, point) in [
        ("trust region, largest", ball.maximize(&hessian, &gradient)),
        ("trust region, smallest", ball.minimize(&hessian, &gradient)),
    ] {
        let point = point.expect("a point");
        assert!(point.outcome.is_converged());
        found.push(near(name, back(vec![point.value])));
    }
    found.extend(sharpness(&risk, &net, &hessian, unit));
    found
}

/// Measures of sharpness that are proportional to the loss.
fn sharpness(risk: &Risk<'_, Net>, net: &Net, hessian: &Hessian<'_>, unit: f64) -> Vec<Answer> {
    let rise = WorstCaseSharpnessConfig::new(0.3).with_num_steps(4);
    let rise = rise.run(risk, net).expect("a rise");
    let mut worst: Vec<f64> = rise.rises.iter().map(|rise| rise / unit).collect();
    worst.extend([rise.displacement_norm, rise.alignment.expect("an angle")]);
    let average = AverageSharpnessConfig::new(0.1).with_num_samples(4);
    let average = average.run(risk, net).expect("a rise");
    let error = average.standard_error.expect("an error");
    let layers = Spectrum::of(hessian).with_num_probes(4).trace_by_layer();
    let trace = layers.expect("traces").total.value / unit;
    let report = SharpnessReportConfig::new()
        .with_scales(vec![Scale::Absolute])
        .with_num_samples(1)
        .with_num_steps(1)
        .with_trace_matvecs(4);
    let report = report.run(risk, net).expect("a report");
    let frobenius = report.row(SharpnessMeasure::FrobeniusNorm, Some(Scale::Absolute));
    let frobenius = frobenius.expect("a row");
    let frobenius = [frobenius.value, frobenius.standard_error];
    let frobenius = frobenius.map(|value| value.expect("a number") / unit);
    vec![
        exact("worst-case rise", worst),
        near("average rise", vec![average.rise / unit, error / unit]),
        near("trace by layer", vec![trace]),
        near("Frobenius norm", frobenius.to_vec()),
    ]
}

/// The weights after three steps of optimizers that a scale of the loss does not change, with a rate that makes
/// up for it, and what the reports say.
pub(crate) fn steps(
    kind: Kind,
    seed: u64,
    exponent: i32,
    variants: &[(&'static str, SamConfig)],
) -> Vec<Answer> {
    let answer = |(name, config): &(&'static str, SamConfig)| {
        exact(name, three_steps(config, kind, seed, exponent))
    };
    variants.iter().map(answer).collect()
}

/// As [`steps`], where a search of the batch's quadratic model says where to look.
fn ascent(kind: Kind, seed: u64, exponent: i32) -> Vec<f64> {
    three_steps(
        &SamConfig::sa_gd_trust_region().with_seed(1),
        kind,
        seed,
        exponent,
    )
}

fn three_steps(config: &SamConfig, kind: Kind, seed: u64, exponent: i32) -> Vec<f64> {
    let unit = 2.0_f64.powi(exponent);
    let (data, loss) = (batch(seed), loss(kind, exponent));
    let mut net = Net::new(seed);
    let mut sam = config.init(SgdConfig::new().init()).expect("an optimizer");
    let mut values = Vec::new();
    for _ in 0..3 {
        let report = sam
            .step_on(0.01 / unit, &mut net, data.clone(), &loss)
            .expect("a step");
        assert_eq!(
            report.skipped, None,
            "{kind:?} {seed} at 2^{exponent}: {config}"
        );
        values.extend(back(&report, unit));
        values.extend(net.numbers());
    }
    values
}

fn newton(kind: Kind, seed: u64, exponent: i32) -> Vec<Answer> {
    let unit = 2.0_f64.powi(exponent);
    let (data, loss) = (batch(seed), loss(kind, exponent));
    let answer = |escape: f64| {
        let mut net = Net::new(seed);
        let config = SaddleFreeNewtonConfig::new().with_escape(escape);
        let config = config.with_max_step(Some(1.0)).with_damping(0.01 * unit);
        let mut newton = config.init().expect("an optimizer");
        let report = newton.step_on(1.0, &mut net, data.clone(), &loss);
        let report = report.expect("a step");
        assert_eq!(report.skipped, None, "saddle-free Newton at 2^{exponent}");
        let mut values = net.numbers();
        values.push(report.lowest_ritz.expect("a Ritz value") / unit);
        near("saddle-free Newton", values)
    };
    vec![answer(0.0), answer(0.1)]
}

fn back(report: &StepReport, unit: f64) -> Vec<f64> {
    let losses = [report.loss, report.perturbed_loss].map(|loss| loss.unwrap_or(0.0) / unit);
    let mut values = losses.to_vec();
    values.push(report.gradient_norm / unit);
    values.push(report.cosine.unwrap_or(0.0));
    values
}

/// Fisher SAM is missing: its metric adds one to squared gradients, so that it has a scale of its own.
pub(crate) fn variants() -> Vec<(&'static str, SamConfig)> {
    let sam = SamConfig::new().with_rho(0.3);
    let first = burn::module::ParamGroup::from_paths(vec!["first"]);
    vec![
        ("SAM", sam.clone()),
        ("SAM, m-sharpness", sam.clone().with_group_size(Some(3))),
        (
            "SAM, groups",
            sam.clone().with_groups(vec![RhoGroup::new(first, 0.5)]),
        ),
        ("SAM, masked", sam.clone().with_mask(Some(0.6))),
        ("ASAM", SamConfig::asam()),
        (
            "ASAM, no floor",
            SamConfig::asam().with_metric(Metric::Adaptive { eta: 0.0 }),
        ),
        ("GSAM", SamConfig::gsam()),
        ("WSAM", SamConfig::wsam()),
        (
            "WSAM, coupled",
            sam.with_descent_gradient(DescentGradient::Weighted {
                gamma: 0.8,
                decoupled: false,
            }),
        ),
        ("LookSAM", SamConfig::look_sam()),
        ("Friendly SAM", SamConfig::friendly_sam()),
        (
            "projected ascent",
            SamConfig::new()
                .with_ascent(Ascent::Projected {
                    steps: 3,
                    restarts: 2,
                    step_size: 1.0,
                })
                .with_seed(1),
        ),
    ]
}
