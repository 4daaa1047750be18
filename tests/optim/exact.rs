//! The optimizers on losses with known results. The labels A1 to A9 are those of the list of exact results in the
//! specification of the methods.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::relu;
use burn::tensor::{DType, Distribution, Tensor, TensorData};
use burnscape::optim::{
    Ascent, AscentDirection, ClosureStep, DescentGradient, Metric, PerturbedGdConfig, Sam,
    SamConfig, SkipReason, StepReport,
};
use burnscape::space::{LeafVector, ParamSpace};
use burnscape_testkit::objectives::{Point, quadratic, saddle, valley};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::fixture::{assert_near, build, device, point, sgd};

fn gradients_of(point: &Point, loss: impl Fn(&Point) -> Tensor<1>) -> GradientsParams {
    GradientsParams::from_grads(loss(point).backward(), point)
}

#[test]
fn a1_sam_on_a_parabola_ends_in_its_two_cycle() {
    let (eta, lambda, rho) = (0.3, 2.0, 0.1);
    let mut model = point(&[1.0]);
    let mut sam = build(SamConfig::new().with_rho(rho));
    let mut step = |model: &mut Point| {
        sam.step(eta, model, |m: &Point| quadratic(m, &[lambda]))
            .expect("a step");
        model.coordinates()[0]
    };
    for _ in 0..200 {
        step(&mut model);
    }
    let expected = eta * lambda * rho / (2.0 - eta * lambda);
    assert_near(expected, 0.0428571429, 1e-10);
    let (first, second) = (step(&mut model), step(&mut model));
    assert_near(first.abs(), expected, 1e-12);
    assert_near(first + second, 0.0, 1e-12);
}

#[test]
fn a2_one_ascent_step_is_along_the_gradient() {
    let model = point(&[1.0, 1.0]);
    let loss = |m: &Point| quadratic(m, &[4.0, 1.0]);
    let sam = build(SamConfig::new().with_rho(0.5));
    let gradients = gradients_of(&model, loss);
    let ascended = sam.ascend(0.1, model, &gradients).expect("an ascent");
    let moved = ascended.module().coordinates();
    assert_near(moved[0] - 1.0, 0.48507125, 5e-9);
    assert_near(moved[1] - 1.0, 0.12126781, 5e-9);
    let value: f64 = loss(ascended.module()).into_scalar();
    assert_near(value, 5.0394940, 5e-8);
}

#[test]
fn a2_projected_ascent_descends_the_robust_loss_itself() {
    let mut model = point(&[1.0, 1.0]);
    let ascent = Ascent::Projected {
        steps: 60,
        restarts: 3,
        step_size: 10.0,
    };
    let config = SamConfig::new().with_rho(0.5).with_ascent(ascent);
    let mut sam = build(config.with_seed(1));
    let lr = 1e-3;
    let report = sam
        .step(lr, &mut model, |m: &Point| quadratic(m, &[4.0, 1.0]))
        .expect("a step");
    assert_near(report.perturbed_loss.expect("a loss"), 5.0451834, 5e-8);
    let moved = model.coordinates();
    let gradient = [(1.0 - moved[0]) / lr, (1.0 - moved[1]) / lr];
    assert_near(gradient[0], 5.9674586, 5e-7);
    assert_near(gradient[1], 1.0898286, 5e-7);
    // ∇F(w + v) = (4 (1 + v₀), 1 + v₁), so the maximizer can be read off.
    assert_near(gradient[0] / 4.0 - 1.0, 0.49186465, 5e-7);
    assert_near(gradient[1] - 1.0, 0.08982855, 5e-7);
    assert_eq!(report.num_gradients, 1 + 3 * 60);
}

#[test]
fn a3_the_robust_loss_of_a_lopsided_valley_is_least_on_its_flat_side() {
    let rho = 0.3;
    let mut model = point(&[0.5]);
    // In one dimension the sphere has two points; eight draws miss one of them with chance 2⁻⁷ a
    // step, and a miss costs one small step in the wrong direction.
    let ascent = Ascent::Projected {
        steps: 1,
        restarts: 9,
        step_size: 1.0,
    };
    let config = SamConfig::new().with_rho(rho).with_ascent(ascent);
    let mut sam = build(config.with_seed(3));
    let mut value = 0.0;
    for step in 0..4000 {
        let lr = 0.1 / (1.0 + step as f64);
        let report = sam.step(lr, &mut model, valley).expect("a step");
        value = report.perturbed_loss.expect("a loss");
    }
    // A subgradient method with steps 0.1/t is within a few of the last steps of the minimum.
    assert_near(model.coordinates()[0], rho / 3.0, 2e-4);
    assert_near(value, (4.0 * rho / 3.0_f64).powi(2), 4e-4);
}

#[test]
fn a4_the_sam_edge_is_the_closed_form() {
    assert_near(Sam::edge(0.05, 0.05, 0.1).expect("an edge"), 4.0, 1e-14);
    let (norm, rho, lr) = (0.7_f64, 0.02, 0.3);
    let formula = norm / (2.0 * rho) * ((1.0 + 8.0 * rho / (lr * norm)).sqrt() - 1.0);
    assert_near(Sam::edge(norm, rho, lr).expect("an edge"), formula, 1e-12);
    assert_near(Sam::edge(1.0, 1e-12, 0.1).expect("an edge"), 20.0, 1e-6);
    assert_eq!(Sam::edge(1.0, 0.05, 0.0), None);
    // Far below one it is √(2 |g| / (rho lr)), also where lr |g| underflows.
    let edge = Sam::edge(1e-300, 0.05, 1e-20).expect("an edge");
    let expected = (2.0_f64 / (0.05 * 1e-20)).sqrt() * 1e-150;
    assert_near(edge / expected, 1.0, 1e-12);
}

/// Two layers of ReLU without biases.
#[derive(Module, Debug)]
struct ReluPair {
    first: Param<Tensor<2>>,
    second: Param<Tensor<2>>,
}

impl ReluPair {
    fn seeded(a: f64) -> (Self, Tensor<2>, Tensor<2>) {
        let device = device();
        // Drawn on the host: all tests of the process share the device's generator.
        let mut rng = StdRng::seed_from_u64(11);
        let mut random = |shape: [usize; 2]| {
            let data =
                TensorData::random::<f64, _, _>(shape, Distribution::Normal(0.0, 1.0), &mut rng);
            Tensor::<2>::from_data(data, (&device, DType::F64))
        };
        let (first, second) = (random([5, 7]), random([7, 3]));
        let (x, y) = (random([16, 5]), random([16, 3]));
        let leaf = |value: Tensor<2>| Param::from_tensor(value.detach());
        (
            Self {
                first: leaf(first * a),
                second: leaf(second / a),
            },
            x,
            y,
        )
    }

    fn loss(&self, x: &Tensor<2>, y: &Tensor<2>) -> Tensor<1> {
        let hidden = relu(x.clone().matmul(self.first.val()));
        (hidden.matmul(self.second.val()) - y.clone())
            .square()
            .mean()
    }
}

fn loss_after_ascent(config: SamConfig, a: f64) -> f64 {
    let (model, x, y) = ReluPair::seeded(a);
    let gradients = GradientsParams::from_grads(model.loss(&x, &y).backward(), &model);
    let ascended = build(config)
        .ascend(0.1, model, &gradients)
        .expect("an ascent");
    ascended.module().loss(&x, &y).into_scalar()
}

#[test]
fn a5_the_adaptive_ascent_does_not_see_a_rescaling_of_relu_pairs() {
    let asam = || SamConfig::asam().with_metric(Metric::Adaptive { eta: 0.0 });
    let sam = || SamConfig::new().with_rho(0.5);
    let (plain, scaled) = (
        loss_after_ascent(asam(), 1.0),
        loss_after_ascent(asam(), 8.0),
    );
    assert_near(scaled / plain, 1.0, 1e-6);
    let (plain, scaled) = (loss_after_ascent(sam(), 1.0), loss_after_ascent(sam(), 8.0));
    assert!(
        (scaled / plain - 1.0).abs() > 1e-2,
        "SAM's ascent must see it: {plain}, {scaled}"
    );
}

/// The gradient for the base optimizer after one ascent, with both gradients.
fn handed_on(config: SamConfig) -> (LeafVector, LeafVector, LeafVector) {
    let (model, x, y) = ReluPair::seeded(1.0);
    let space = ParamSpace::of(&model).expect("a space");
    let grads = |m: &ReluPair| GradientsParams::from_grads(m.loss(&x, &y).backward(), m);
    let leaves = |g: &GradientsParams| {
        LeafVector::from_gradients(&space, g).expect("gradients of the space")
    };
    let weights = LeafVector::from_module(&space, &model).expect("weights");
    let mut sam = build(config);
    let plain = grads(&model);
    let ascended = sam.ascend(1.0, model, &plain).expect("an ascent");
    let perturbed = grads(ascended.module());
    let (g, g_p) = (leaves(&plain), leaves(&perturbed));
    let (moved, _) = sam.descend(ascended, perturbed).expect("a descent");
    let after = LeafVector::from_module(&space, &moved).expect("weights");
    (
        g,
        g_p,
        weights.axpby(1.0, -1.0, &after).expect("same space"),
    )
}

fn distance(x: &LeafVector, y: &LeafVector) -> f64 {
    let difference = x.axpby(1.0, -1.0, y).expect("same space");
    difference.norm().expect("a norm") / x.norm().expect("a norm")
}

#[test]
fn a6_gsam_subtracts_the_part_orthogonal_to_the_perturbed_gradient() {
    let alpha = 0.4;
    let (g, g_p, step) = handed_on(SamConfig::gsam());
    let g_perp = g_p
        .axpby(1.0 / alpha, -1.0 / alpha, &step)
        .expect("same space");
    let product = g_perp.dot(&g_p).expect("a product");
    let norms = g_perp.norm().expect("a norm") * g_p.norm().expect("a norm");
    assert!(
        product.abs() < 1e-10 * norms,
        "not orthogonal: {product} against {norms}"
    );
    let parallel = g.axpby(1.0, -1.0, &g_perp).expect("same space");
    let cosine = parallel.dot(&g_p).expect("a product")
        / (parallel.norm().expect("a norm") * g_p.norm().expect("a norm"));
    assert_near(cosine.abs(), 1.0, 1e-10);
}

#[test]
fn a6_gsam_without_alpha_is_sam_bit_for_bit() {
    let (_, _, sam) = handed_on(SamConfig::new());
    let zero = SamConfig::new().with_descent_gradient(DescentGradient::SurrogateGap { alpha: 0.0 });
    let (_, _, gsam) = handed_on(zero);
    assert_eq!(distance(&sam, &gsam), 0.0);
}

#[test]
fn a6_wsam_goes_from_the_base_to_sam() {
    let wsam = |gamma, decoupled| {
        handed_on(
            SamConfig::new().with_descent_gradient(DescentGradient::Weighted { gamma, decoupled }),
        )
    };
    for decoupled in [false, true] {
        let (g, _, step) = wsam(0.0, decoupled);
        assert!(distance(&g, &step) < 1e-14);
        let (_, g_p, step) = wsam(0.5, decoupled);
        assert!(distance(&g_p, &step) < 1e-14);
        // gamma 0.9: 9 g_p − 8 g, by plain descent the same in both forms.
        let (g, g_p, step) = wsam(0.9, decoupled);
        let expected = g_p.axpby(9.0, -8.0, &g).expect("same space");
        assert!(distance(&expected, &step) < 1e-12);
    }
}

#[test]
fn a7_looksam_with_every_step_is_sam() {
    let look = DescentGradient::Look {
        every: 1,
        alpha: 0.7,
    };
    let mut reports: Vec<Vec<StepReport>> = Vec::new();
    let mut ends = Vec::new();
    for config in [
        SamConfig::new(),
        SamConfig::new().with_descent_gradient(look),
    ] {
        let (mut model, x, y) = ReluPair::seeded(1.0);
        let mut sam = build(config);
        let mut step = || sam.step(0.05, &mut model, |m: &ReluPair| m.loss(&x, &y));
        reports.push((0..6).map(|_| step().expect("a step")).collect());
        ends.push(model.first.val().into_data());
    }
    assert_eq!(reports[0], reports[1]);
    assert_eq!(ends[0], ends[1]);
}

#[test]
fn a7_looksam_takes_one_more_gradient_than_steps_in_each_period() {
    let (mut model, x, y) = ReluPair::seeded(1.0);
    let mut sam = build(SamConfig::look_sam());
    let mut step = || sam.step(0.01, &mut model, |m: &ReluPair| m.loss(&x, &y));
    let gradients: Vec<usize> = (0..10)
        .map(|_| step().expect("a step").num_gradients)
        .collect();
    assert_eq!(gradients, [2, 1, 1, 1, 1, 2, 1, 1, 1, 1]);
}

#[test]
fn a7_looksam_reuses_the_kept_direction_at_the_length_of_the_gradient() {
    let (alpha, lr, rho) = (0.7, 0.01, 0.05);
    let (mut model, x, y) = ReluPair::seeded(1.0);
    let space = ParamSpace::of(&model).expect("a space");
    let grads = |m: &ReluPair| {
        let grads = GradientsParams::from_grads(m.loss(&x, &y).backward(), m);
        LeafVector::from_gradients(&space, &grads).expect("gradients")
    };
    let look = DescentGradient::Look { every: 2, alpha };
    let mut sam = build(SamConfig::new().with_rho(rho).with_descent_gradient(look));
    let mut step = |model: &mut ReluPair| {
        sam.step(lr, model, |m: &ReluPair| m.loss(&x, &y))
            .expect("a step")
    };
    // The first step by hand.
    let g = grads(&model);
    let displaced = g
        .perturb(&model, rho / g.norm().expect("a norm"))
        .expect("a model");
    let g_s = grads(&displaced);
    let along = g_s.dot(&g).expect("a product") / g.dot(&g).expect("a product");
    let kept = g_s.axpby(1.0, -along, &g).expect("same space");
    step(&mut model);
    // The second.
    let before = LeafVector::from_module(&space, &model).expect("weights");
    let g = grads(&model);
    let factor = alpha * g.norm().expect("a norm") / kept.norm().expect("a norm");
    let expected = g.axpby(1.0, factor, &kept).expect("same space");
    step(&mut model);
    let after = LeafVector::from_module(&space, &model).expect("weights");
    let moved = before
        .axpby(1.0 / lr, -1.0 / lr, &after)
        .expect("same space");
    assert!(
        distance(&expected, &moved) < 1e-9,
        "{}",
        distance(&expected, &moved)
    );
}

#[test]
fn a7_friendly_sam_learns_a_constant_gradient_and_then_has_nothing_to_ascend_along() {
    // A linear loss has the same gradient everywhere; the average must be that gradient, not half
    // of it, so that the ascent direction vanishes.
    let config = SamConfig::new()
        .with_rho(0.1)
        .with_ascent_direction(AscentDirection::Friendly {
            sigma: 1.0,
            momentum: 0.9,
        });
    let mut model = point(&[1.0, -2.0]);
    let mut sam = build(config);
    let slope = |m: &Point| m.w.val().sum() * 3.0;
    for _ in 0..30 {
        sam.step(0.01, &mut model, slope).expect("a step");
    }
    let before = model.coordinates();
    let gradients = gradients_of(&model, slope);
    let ascended = sam.ascend(0.01, model, &gradients).expect("an ascent");
    for (moved, before) in ascended.module().coordinates().iter().zip(before) {
        assert_near(*moved, before, 1e-2);
    }
}

#[test]
fn a7_friendly_sam_averages_plain_gradients() {
    // g₁ = a, g₂ = b: the second ascent uses m = a, along b − a; the third m = 0.9 a + 0.1 b.
    let config = SamConfig::new()
        .with_rho(1.0)
        .with_ascent_direction(AscentDirection::Friendly {
            sigma: 1.0,
            momentum: 0.9,
        });
    let mut sam = build(config);
    let mut model = point(&[0.0, 0.0]);
    let slopes = [[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]];
    let loss = |slope: [f64; 2]| {
        move |m: &Point| {
            let w = m.w.val();
            let slope = Tensor::<1>::from_data(slope, (&w.device(), DType::F64));
            (w * slope).sum()
        }
    };
    let mut displacement = [0.0; 2];
    for (index, slope) in slopes.into_iter().enumerate() {
        let before = model.coordinates();
        let gradients = gradients_of(&model, loss(slope));
        let ascended = sam.ascend(0.1, model, &gradients).expect("an ascent");
        let moved = ascended.module().coordinates();
        displacement = [moved[0] - before[0], moved[1] - before[1]];
        if index == 1 {
            let norm = 5.0_f64.sqrt();
            assert_near(displacement[0], -1.0 / norm, 1e-12);
            assert_near(displacement[1], 2.0 / norm, 1e-12);
        }
        let gradients = gradients_of(ascended.module(), loss(slope));
        model = sam.descend(ascended, gradients).expect("a descent").0;
    }
    let expected: [f64; 2] = [1.0 - 0.9, 1.0 - 0.2];
    let norm = (expected[0] * expected[0] + expected[1] * expected[1]).sqrt();
    // The guard of the norm, 1e-12, is in the denominator.
    assert_near(displacement[0], expected[0] / norm, 1e-11);
    assert_near(displacement[1], expected[1] / norm, 1e-11);
}

#[test]
fn a8_m_sharpness_with_one_group_is_sam() {
    let objective = |m: &ReluPair, (x, y): (Tensor<2>, Tensor<2>)| m.loss(&x, &y);
    let mut ends = Vec::new();
    for size in [None, Some(16), Some(100)] {
        let (mut model, x, y) = ReluPair::seeded(1.0);
        let mut sam = build(SamConfig::new().with_group_size(size));
        for _ in 0..4 {
            sam.step_on(0.05, &mut model, (x.clone(), y.clone()), &objective)
                .expect("a step");
        }
        ends.push(model.second.val().into_data());
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0], ends[2]);
}

#[test]
fn a8_m_sharpness_is_the_mean_over_groups_that_ascend_on_their_own() {
    let (rho, lr) = (0.3, 1.0);
    let objective = |m: &ReluPair, (x, y): (Tensor<2>, Tensor<2>)| m.loss(&x, &y);
    let (mut model, x, y) = ReluPair::seeded(1.0);
    let space = ParamSpace::of(&model).expect("a space");
    let grads = |m: &ReluPair, x: Tensor<2>, y: Tensor<2>| {
        let grads = GradientsParams::from_grads(m.loss(&x, &y).backward(), m);
        LeafVector::from_gradients(&space, &grads).expect("gradients")
    };
    // Groups of 6, 6 and 4 examples.
    let mut expected = LeafVector::zeros(&space);
    for range in [0..6, 6..12, 12..16] {
        let weight = range.len() as f64 / 16.0;
        let (x, y) = (x.clone().slice(range.clone()), y.clone().slice(range));
        let g = grads(&model, x.clone(), y.clone());
        let displaced = g
            .perturb(&model, rho / g.norm().expect("a norm"))
            .expect("a model");
        expected = expected
            .axpby(1.0, weight, &grads(&displaced, x, y))
            .expect("same space");
    }
    let before = LeafVector::from_module(&space, &model).expect("weights");
    let mut sam = build(SamConfig::new().with_rho(rho).with_group_size(Some(6)));
    let report = sam
        .step_on(lr, &mut model, (x, y), &objective)
        .expect("a step");
    assert_eq!(report.num_gradients, 6);
    let after = LeafVector::from_module(&space, &model).expect("weights");
    let moved = before.axpby(1.0, -1.0, &after).expect("same space");
    assert!(distance(&expected, &moved) < 1e-10);
}

#[test]
fn a9_gradient_descent_ends_at_the_saddle_and_perturbed_descent_at_a_minimum() {
    let (lr, steps) = (0.1, 1000);
    let mut model = point(&[1.0, 0.0]);
    let mut plain = sgd();
    for _ in 0..steps {
        plain.closure_step(lr, &mut model, saddle).expect("a step");
    }
    assert!(
        model.coordinates().iter().all(|x| x.abs() < 1e-12),
        "{:?}",
        model.coordinates()
    );

    for seed in 0..5 {
        let mut model = point(&[1.0, 0.0]);
        let config = PerturbedGdConfig::new(0.05, 1e-4, 1e-3)
            .with_patience(150)
            .with_seed(seed);
        let mut descent = config.init(sgd()).expect("a valid configuration");
        // H = diag(1, −1 + 3y²).
        let certificate = |m: &Point| {
            let y = m.coordinates()[1];
            Ok(f64::min(1.0, 3.0 * y * y - 1.0))
        };
        let mut last = None;
        for _ in 0..steps {
            let report = descent.step_with_certificate(lr, &mut model, saddle, certificate);
            last = report.expect("a step").skipped;
        }
        assert_eq!(last, Some(SkipReason::Certified));
        let end = model.coordinates();
        assert_near(end[0], 0.0, 1e-3);
        assert_near(end[1].abs(), 1.0, 1e-3);
        let certified = descent.certified().expect("a certificate");
        assert_near(certified.loss, -0.25, 1e-6);
        assert_near(certified.lambda_min.expect("an eigenvalue"), 1.0, 1e-3);
    }
}

#[test]
fn fisher_sam_ascends_along_the_gradient_divided_by_the_fisher_matrix() {
    let (eta, rho) = (2.0, 0.3);
    let config = SamConfig::fisher_sam()
        .with_rho(rho)
        .with_metric(Metric::Fisher { eta });
    let model = point(&[1.0, -2.0]);
    let loss = |m: &Point| quadratic(m, &[3.0, 0.5]);
    let g: [f64; 2] = [3.0, -1.0];
    let inverse = g.map(|g| 1.0 / (1.0 + eta * g * g));
    let norm = (g[0] * g[0] * inverse[0] + g[1] * g[1] * inverse[1]).sqrt();
    let gradients = gradients_of(&model, loss);
    let ascended = build(config)
        .ascend(0.1, model, &gradients)
        .expect("an ascent");
    let moved = ascended.module().coordinates();
    assert_near(moved[0] - 1.0, rho * inverse[0] * g[0] / norm, 1e-12);
    assert_near(moved[1] + 2.0, rho * inverse[1] * g[1] / norm, 1e-12);
}

#[test]
fn late_phase_sam_is_the_base_outside_its_window() {
    let (mut model, x, y) = ReluPair::seeded(1.0);
    let mut sam = build(SamConfig::new().with_active_steps(Some(3..5)));
    let mut step = || sam.step(0.05, &mut model, |m: &ReluPair| m.loss(&x, &y));
    let reports: Vec<StepReport> = (0..7).map(|_| step().expect("a step")).collect();
    let gradients: Vec<usize> = reports.iter().map(|report| report.num_gradients).collect();
    assert_eq!(gradients, [1, 1, 1, 2, 2, 1, 1]);
    assert_eq!(reports[0].sam_edge, Some(2.0 / 0.05));
}
