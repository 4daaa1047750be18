//! Refused arguments, matrices and losses.

use std::io;

use burn::tensor::Tensor;
use burnscape::curvature::CurvatureError;
use burnscape::krylov::{KrylovFault, LinearOperator, SelfAdjoint};
use burnscape::loss::Risk;
use burnscape::sharpness::{
    FisherRao, McAllesterBound, McAllesterConfig, PacBayesSigmaConfig, RelativeFlatnessConfig,
    SharpnessError, SharpnessReportConfig, WorstCaseSharpnessConfig,
};
use burnscape::space::{ParamSpace, ParamVector, Scale, SpaceError, UnfilteredRule};
use burnscape::{Csv, FormatError, OutOfRange};

use super::networks::{Deep, Point, device, diagonal, net, net_loss, quadratic, regression};

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, SharpnessError>, wanted: &str) {
    match result {
        Err(SharpnessError::OutOfRange(OutOfRange { name, .. })) => assert_eq!(name, wanted),
        other => panic!("{wanted}: {other:?}"),
    }
}

#[test]
fn values_without_meaning_are_refused_by_name() {
    let (model, data) = (Point::new(&[1.0, 2.0]), diagonal([1.0, 2.0]));
    let risk = Risk::new(&quadratic, &data);
    let hessian = risk.hessian(&model).unwrap();
    let keskar = |config: WorstCaseSharpnessConfig| config.run(&risk, &model);
    let flatness = |config: RelativeFlatnessConfig| config.run(&hessian, &model);
    let sigma = |config: PacBayesSigmaConfig| config.run(&risk, &model);
    let bound = |config: McAllesterConfig| config.run(&risk, &model, &model);
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        refused(keskar(WorstCaseSharpnessConfig::keskar(bad)), "rho");
        refused(
            keskar(WorstCaseSharpnessConfig::keskar(0.1).with_tolerance(bad)),
            "tolerance",
        );
        refused(
            keskar(WorstCaseSharpnessConfig::keskar(0.1).with_step_size(bad)),
            "step_size",
        );
        refused(
            flatness(RelativeFlatnessConfig::new().with_confidence(bad)),
            "confidence",
        );
        refused(sigma(PacBayesSigmaConfig::new(bad)), "threshold");
        refused(
            sigma(PacBayesSigmaConfig::new(0.1).with_start(bad)),
            "start",
        );
        refused(
            sigma(PacBayesSigmaConfig::new(0.1).with_tolerance(bad)),
            "tolerance",
        );
        refused(bound(McAllesterConfig::new(bad)), "sigma");
        refused(bound(McAllesterConfig::new(0.1).with_delta(bad)), "delta");
        refused(McAllesterBound::term(bad, 10, 0.1), "divergence");
        refused(McAllesterBound::term(1.0, 10, bad), "delta");
    }
    for bad in [0.0, 1.0] {
        refused(
            flatness(RelativeFlatnessConfig::new().with_confidence(bad)),
            "confidence",
        );
        refused(McAllesterBound::term(1.0, 10, bad), "delta");
    }
    refused(McAllesterBound::term(1.0, 0, 0.1), "num_examples");
    refused(
        keskar(WorstCaseSharpnessConfig::keskar(0.1).with_num_steps(0)),
        "num_steps",
    );
    refused(
        keskar(WorstCaseSharpnessConfig::keskar(0.1).with_num_starts(0)),
        "num_starts",
    );
    refused(
        flatness(RelativeFlatnessConfig::new().with_max_matvecs(1)),
        "max_matvecs",
    );
    refused(
        sigma(PacBayesSigmaConfig::new(0.1).with_num_samples(0)),
        "num_samples",
    );
    refused(
        sigma(PacBayesSigmaConfig::new(0.1).with_max_steps(0)),
        "max_steps",
    );
    refused(
        bound(McAllesterConfig::new(0.1).with_num_samples(0)),
        "num_samples",
    );
    refused(
        bound(McAllesterConfig::new(0.1).with_num_priors(0)),
        "num_priors",
    );
}

#[test]
fn a_matrix_with_negative_eigenvalues_is_no_fisher_matrix() {
    let (model, data) = (Point::new(&[1.0, 1.0]), diagonal([2.0, -3.0]));
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    // ⟨w, H w⟩ = 2 − 3.
    let error = FisherRao::of(&hessian, &model);
    let Err(SharpnessError::Indefinite { value }) = error else {
        panic!("{error:?}");
    };
    assert!((value + 1.0).abs() < 1e-12);
}

#[test]
fn a_loss_below_minus_one_has_no_keskar_sharpness() {
    let (model, data) = (Point::new(&[1.0]), [Tensor::<1>::ones([1], &device())]);
    let loss = |m: &Point, x: Tensor<1>| (m.w.val() * x).sum() - 2.5;
    let found = WorstCaseSharpnessConfig::keskar(0.1).run(&Risk::new(&loss, &data), &model);
    let error = found.unwrap().keskar();
    assert_eq!(error, Err(SharpnessError::NegativeLoss { loss: -1.5 }));
}

#[test]
fn a_box_that_reaches_where_the_loss_is_not_finite_is_refused() {
    let (model, data) = (Point::new(&[0.5]), [Tensor::<1>::ones([1], &device())]);
    let loss = |m: &Point, x: Tensor<1>| (m.w.val().log() * x).sum().neg();
    let error = WorstCaseSharpnessConfig::keskar(1.0).run(&Risk::new(&loss, &data), &model);
    assert!(matches!(
        error,
        Err(SharpnessError::NonFiniteStep {
            start: 0,
            step: 1,
            ..
        })
    ));
}

#[test]
fn a_scale_that_is_zero_everywhere_is_refused() {
    let (model, data) = (Point::new(&[0.0, 0.0]), diagonal([1.0, 2.0]));
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    for scale in [
        Scale::ElementRelative,
        Scale::FilterRelative(UnfilteredRule::Zero),
    ] {
        let error = hessian.scaled(&model, scale).map(drop);
        assert_eq!(
            error,
            Err(CurvatureError::Space(SpaceError::NothingToPerturb))
        );
    }
}

#[test]
fn a_weight_that_is_not_there_is_refused_by_path() {
    let (model, data) = (net(), regression());
    let hessian = Risk::new(&net_loss, &data).hessian(&model).unwrap();
    for path in ["first", "first.bias"] {
        let config = RelativeFlatnessConfig::new().with_path(Some(path.into()));
        let error = config.run(&hessian, &model);
        let wanted = SharpnessError::NoWeight {
            wanted: format!("at `{path}`"),
            example: "first.weight".into(),
        };
        assert_eq!(error, Err(wanted));
    }
    let (model, data) = (Point::new(&[1.0, 2.0]), diagonal([1.0, 2.0]));
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    let error = RelativeFlatnessConfig::new().run(&hessian, &model);
    assert!(matches!(error, Err(SharpnessError::NoWeight { .. })));
}

/// An operator whose products are not finite.
struct Broken(ParamSpace);

impl LinearOperator for Broken {
    type Domain = ParamVector;
    type Range = ParamVector;
    type Error = CurvatureError;

    fn domain(&self) -> ParamSpace {
        self.0.clone()
    }

    fn range(&self) -> ParamSpace {
        self.0.clone()
    }

    fn matvec(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        Ok(v.clone().scale(f64::NAN))
    }
}

impl SelfAdjoint for Broken {}

#[test]
fn a_product_that_is_not_finite_is_refused_by_every_measure() {
    let model = net();
    let broken = Broken(ParamSpace::of(&model).unwrap());
    let first = SharpnessError::Krylov(KrylovFault::NonFinite { product: 0 });
    let errors = [
        RelativeFlatnessConfig::new()
            .run(&broken, &model)
            .map(|_| ()),
        FisherRao::of(&broken, &model).map(|_| ()),
    ];
    for error in errors {
        assert_eq!(error, Err(first.clone()));
    }
}

#[test]
fn an_operator_of_another_model_is_refused() {
    let data = regression();
    let hessian = Risk::new(&net_loss, &data).hessian(&net()).unwrap();
    let error = hessian
        .scaled(&Deep::new(), Scale::ElementRelative)
        .map(drop);
    assert!(matches!(
        error,
        Err(CurvatureError::Space(SpaceError::DifferentSpaces { .. }))
    ));
    let (point, data) = (Point::new(&[1.0]), diagonal([1.0]));
    let prior = Point::new(&[1.0, 2.0]);
    let risk = Risk::new(&quadratic, &data);
    let error = McAllesterConfig::new(0.1).run(&risk, &point, &prior);
    assert!(matches!(
        error,
        Err(SharpnessError::Space(SpaceError::DifferentSpaces { .. }))
    ));
}

struct Full;

impl io::Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_report_that_cannot_be_written_says_so() {
    let (model, data) = (Point::new(&[1.0, 2.0]), diagonal([1.0, 2.0]));
    let config = SharpnessReportConfig::new()
        .with_scales(vec![Scale::Absolute])
        .with_num_samples(1);
    let report = config.run(&Risk::new(&quadratic, &data), &model).unwrap();
    let error = report.write_csv(Full).unwrap_err();
    assert!(matches!(
        error,
        FormatError::Write {
            kind: io::ErrorKind::StorageFull,
            ..
        }
    ));
    assert!(error.to_string().ends_with("check the destination"));
}
