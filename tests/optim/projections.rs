//! Projected gradients: which part is multiplied, what stays as it is, what is saved, and what is refused.

use burn::module::{Module, Param, ParamGroup};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Tensor, TensorData};
use burnscape::optim::{
    ClosureStep, OptimError, OptimRecord, ProjectedOptimizer, SamConfig, SkipReason,
};
use burnscape::space::{ParamSpace, ParamVector, SpaceError};
use burnscape_testkit::objectives::{Point, quadratic};

use super::fixture::{assert_near, device, point, sgd};

/// `w₁ + 2 w₂ + 3 w₃ + 4 w₄`.
fn linear(model: &Point) -> Tensor<1> {
    let w = model.w.val();
    let slope = TensorData::new(vec![1.0, 2.0, 3.0, 4.0], [4]);
    let slope = Tensor::from_data(slope, (&w.device(), w.dtype()));
    (w * slope).sum()
}

fn vector(model: &Point, coordinates: &[f64]) -> ParamVector {
    let space = ParamSpace::of(model).unwrap();
    ParamVector::from_host(&space, coordinates).unwrap()
}

/// The first two axes, by directions that are neither orthogonal nor of norm one.
fn first_two(model: &Point) -> Vec<ParamVector> {
    let given: [&[f64]; 2] = [&[3.0, 0.0, 0.0, 0.0], &[5.0, -2e-6, 0.0, 0.0]];
    given.map(|own| vector(model, own)).to_vec()
}

type Kind = fn(
    ModuleOptimizer,
    &[ParamVector],
    f64,
) -> Result<ProjectedOptimizer<ModuleOptimizer>, OptimError>;

const KINDS: [Kind; 2] = [
    ProjectedOptimizer::scaled_inside,
    ProjectedOptimizer::scaled_outside,
];

#[test]
fn one_part_of_the_gradient_is_multiplied_by_the_factor() {
    for (is_outside, kind) in [false, true].into_iter().zip(KINDS) {
        for factor in [0.0, 0.5, 1.0, -2.0] {
            let mut model = point(&[0.0; 4]);
            let mut optimizer = kind(sgd(), &first_two(&model), factor).unwrap();
            let report = optimizer.closure_step(1.0, &mut model, linear).unwrap();
            let expected: Vec<f64> = [1.0, 2.0, 3.0, 4.0]
                .into_iter()
                .enumerate()
                .map(|(index, slope)| {
                    let is_scaled = is_outside == (index >= 2);
                    if is_scaled { factor * slope } else { slope }
                })
                .collect();
            for (found, expected) in model.coordinates().iter().zip(&expected) {
                assert_near(*found, -expected, 1e-14);
            }
            let norm = expected.iter().map(|g| g * g).sum::<f64>().sqrt();
            assert_near(report.gradient_norm, norm, 1e-14);
            assert_eq!((report.loss, report.num_gradients), (Some(0.0), 1));
        }
    }
}

#[test]
fn the_parts_are_those_of_an_oblique_plane() {
    // (1, 1, 1, 1) and (1, −1, 2, −2): Pg of g = (1, 2, 3, 4) is 10/4 of the first, and −3/10 of the second.
    let mut model = point(&[0.0; 4]);
    let given: [&[f64]; 2] = [&[1.0; 4], &[1.0, -1.0, 2.0, -2.0]];
    let given = given.map(|own| vector(&model, own));
    let mut optimizer = ProjectedOptimizer::scaled_outside(sgd(), &given, 0.0).unwrap();
    optimizer.closure_step(1.0, &mut model, linear).unwrap();
    let expected = [2.2, 2.8, 1.9, 3.1];
    for (found, expected) in model.coordinates().iter().zip(expected) {
        assert_near(*found, -expected, 1e-14);
    }
}

#[test]
fn orthogonal_directions_stay_to_the_bit_and_others_lose_what_they_share() {
    // In single precision, orthogonal up to rounding.
    let model = Point::new(&[0.0; 3], &device(), DType::F32);
    let (sine, cosine) = 0.7_f64.sin_cos();
    let given = [
        vec![cosine, sine, 0.0],
        vec![-3.0 * sine, 3.0 * cosine, 0.0],
    ];
    let given = given.map(|own| vector(&model, &own));
    let optimizer = ProjectedOptimizer::scaled_outside(sgd(), &given, 0.5).unwrap();
    let bits = |vectors: &[ParamVector]| -> Vec<Vec<f64>> {
        let vectors = vectors.iter();
        vectors.map(|own| own.to_host().unwrap()).collect()
    };
    assert_eq!(bits(optimizer.directions()), bits(&given));

    let given = [vec![2.0, 0.0, 0.0], vec![1.0, 1.0, 0.0]];
    let given = given.map(|own| vector(&model, &own));
    let optimizer = ProjectedOptimizer::scaled_inside(sgd(), &given, 0.5).unwrap();
    let expected = [vec![2.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]];
    assert_eq!(bits(optimizer.directions()), expected);
}

#[test]
fn sam_ascends_along_the_projected_gradient_and_is_itself_projected() {
    let mut model = point(&[1.0, 1.0]);
    let axis = [vector(&model, &[1.0, 0.0])];
    let sam = SamConfig::new().with_rho(0.5).init(sgd()).unwrap();
    let mut sam = ProjectedOptimizer::scaled_outside(sam, &axis, 0.0).unwrap();
    let mut seen = Vec::new();
    let report = sam.closure_step(0.1, &mut model, |model: &Point| {
        seen.push(model.coordinates());
        quadratic(model, &[4.0, 1.0])
    });
    assert_eq!(report.unwrap().num_gradients, 2);
    assert_eq!(seen[0], [1.0, 1.0]);
    assert_near(seen[1][0], 1.5, 1e-12);
    assert_eq!(seen[1][1], 1.0);
    let found = model.coordinates();
    assert_near(found[0], 1.0 - 0.1 * 4.0 * 1.5, 1e-12);
    assert_eq!(found[1], 1.0);
}

/// Two parameters, of which the loss reads the first.
#[derive(Module, Debug)]
struct Pair {
    read: Param<Tensor<1>>,
    unread: Param<Tensor<1>>,
}

#[test]
fn a_parameter_without_a_gradient_moves_along_the_span() {
    let zeros = || Param::from_tensor(Tensor::<1>::zeros([2], (&device(), DType::F64)));
    let mut model = Pair {
        read: zeros(),
        unread: zeros(),
    };
    let space = ParamSpace::of(&model).unwrap();
    let across = ParamVector::from_host(&space, &[1.0, 0.0, 1.0, 0.0]).unwrap();
    let mut optimizer = ProjectedOptimizer::scaled_outside(sgd(), &[across], 0.0).unwrap();
    let loss = |model: &Pair| model.read.val().sum();
    let report = optimizer.closure_step(1.0, &mut model, loss).unwrap();
    assert_eq!(report.without_gradient, 1);
    let moved = ParamVector::from_module(&space, &model).unwrap();
    assert_eq!(moved.to_host().unwrap(), [-0.5, 0.0, -0.5, 0.0]);
    // Directions of one parameter are no directions of the model.
    let group = ParamGroup::from_predicate("unread");
    let part = ParamSpace::of_group(&model, &group).unwrap();
    let part = ParamVector::from_host(&part, &[1.0, 0.0]).unwrap();
    let mut optimizer = ProjectedOptimizer::scaled_outside(sgd(), &[part], 0.0).unwrap();
    let error = optimizer.closure_step(1.0, &mut model, loss).unwrap_err();
    let is_foreign = matches!(error, OptimError::Space(SpaceError::DifferentSpaces { .. }));
    assert!(is_foreign, "{error}");
}

#[test]
fn directions_that_span_nothing_or_too_little_are_refused() {
    let model = point(&[0.0; 3]);
    let kind = KINDS[1];
    let refused = |directions: &[&[f64]], factor: f64| {
        let directions = directions.iter().map(|own| vector(&model, own));
        let directions: Vec<ParamVector> = directions.collect();
        kind(sgd(), &directions, factor).unwrap_err()
    };
    let error = refused(&[], 0.5);
    assert_eq!(error, OptimError::NoDirections);
    assert!(error.to_string().contains("pass at least one"), "{error}");
    let error = refused(
        &[&[1.0, 0.0, 0.0], &[0.0, 2.0, 0.0], &[3.0, -4.0, 0.0]],
        0.5,
    );
    let OptimError::DependentDirection { index, share } = error else {
        panic!("{error}")
    };
    assert!(index == 2 && share < 1e-14);
    for (broken, text) in [(0.0, "norm 0"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let error = refused(&[&[1.0, 0.0, 0.0], &[0.0, broken, 0.0]], 0.5);
        let has_none = matches!(error, OptimError::Space(SpaceError::NoDirection { .. }));
        assert!(has_none && error.to_string().contains(text), "{error}");
    }
    for factor in [f64::NAN, f64::INFINITY] {
        let error = refused(&[&[1.0, 0.0, 0.0]], factor);
        assert!(matches!(error, OptimError::OutOfRange(_)), "{error}");
    }
    // Directions of two spaces, and of another model.
    let foreign = |error: OptimError| {
        let is_foreign = matches!(error, OptimError::Space(SpaceError::DifferentSpaces { .. }));
        assert!(is_foreign, "{error}");
    };
    let mut other = point(&[0.0; 4]);
    let own = vector(&model, &[1.0, 0.0, 0.0]);
    let both = [own.clone(), vector(&other, &[0.0, 1.0, 0.0, 0.0])];
    foreign(kind(sgd(), &both, 0.5).unwrap_err());
    let mut optimizer = kind(sgd(), &[own], 0.5).unwrap();
    foreign(optimizer.closure_step(0.1, &mut other, linear).unwrap_err());
    foreign(optimizer.save_state(&other).unwrap_err());
    assert_eq!(other.coordinates(), [0.0; 4]);
}

fn momentum() -> ModuleOptimizer {
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    SgdConfig::new().with_momentum(Some(momentum)).init()
}

#[test]
fn a_run_resumes_to_the_bit_with_the_projection_of_its_record() {
    // Burn reads records in the default type of the device.
    let single = |at: &[f64]| Point::new(at, &device(), DType::F32);
    let bowl = |model: &Point| quadratic(model, &[4.0, 1.0, 3.0]);
    let mut model = single(&[1.0, -1.0, 0.5]);
    let plane = [vec![1.0, 1.0, 0.0], vec![0.0, 1.0, 1.0]];
    let plane = plane.map(|own| vector(&model, &own));
    let mut optimizer = ProjectedOptimizer::scaled_outside(momentum(), &plane, 0.25).unwrap();
    for _ in 0..3 {
        optimizer.closure_step(0.1, &mut model, bowl).unwrap();
    }
    let record = optimizer.save_state(&model).unwrap().into_bytes().unwrap();
    // A model with other identifiers, as one that was read from a file.
    let mut other = single(&model.coordinates());
    let axis = [vector(&other, &[0.0, 0.0, 1.0])];
    let again = ProjectedOptimizer::scaled_inside(momentum(), &axis, 0.0).unwrap();
    let record = OptimRecord::from_bytes(record).unwrap();
    let mut again = again.load_state(record, &other).unwrap();
    assert_eq!(again.directions().len(), 2);
    for _ in 0..3 {
        let one = optimizer.closure_step(0.1, &mut model, bowl).unwrap();
        let two = again.closure_step(0.1, &mut other, bowl).unwrap();
        assert_eq!(one, two);
    }
    assert_eq!(model.coordinates(), other.coordinates());
    // A record of another optimizer is none of this one.
    let plain = momentum().save_state(&model).unwrap();
    let error = again.load_state(plain, &other).unwrap_err();
    assert!(matches!(error, OptimError::Record { .. }), "{error}");
}

#[test]
fn failed_and_skipped_steps_leave_the_model() {
    let mut model = point(&[1.0, 2.0, 3.0, 4.0]);
    let mut optimizer = KINDS[0](momentum(), &first_two(&model), 0.5).unwrap();
    let panics = |_: &Point| -> Tensor<1> { panic!("on purpose") };
    let error = optimizer.closure_step(0.1, &mut model, panics).unwrap_err();
    assert!(error.to_string().contains("on purpose"), "{error}");
    let infinite = |model: &Point| linear(model) / 0.0;
    let report = optimizer.closure_step(0.1, &mut model, infinite).unwrap();
    assert_eq!(report.skipped, Some(SkipReason::NonFinite));
    assert_eq!(model.coordinates(), [1.0, 2.0, 3.0, 4.0]);
    // What it wraps has no memory of these steps, and goes on without the projection.
    let mut base = optimizer.into_base();
    base.closure_step(1.0, &mut model, linear).unwrap();
    assert_eq!(model.coordinates(), [0.0; 4]);
}

#[test]
fn the_base_of_sam_goes_on_with_its_momentum() {
    let bowl = |model: &Point| quadratic(model, &[4.0, 1.0]);
    let mut model = point(&[1.0, -1.0]);
    let mut plain = model.clone();
    let mut sam = SamConfig::new().with_rho(0.0).init(momentum()).unwrap();
    let mut base = momentum();
    for _ in 0..3 {
        sam.step(0.1, &mut model, bowl).unwrap();
        base.closure_step(0.1, &mut plain, bowl).unwrap();
    }
    let mut wrapped = sam.base().clone();
    for _ in 0..3 {
        wrapped.closure_step(0.1, &mut model, bowl).unwrap();
        base.closure_step(0.1, &mut plain, bowl).unwrap();
    }
    for (found, expected) in model.coordinates().iter().zip(plain.coordinates()) {
        assert_near(*found, expected, 1e-14);
    }
}
