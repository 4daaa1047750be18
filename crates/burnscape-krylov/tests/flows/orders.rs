//! Orders of convergence, and flows that are known in closed form.

use burnscape_krylov::FlowConfig;

use super::{METHODS, distance, fixed, run, steps};

/// The solution of `dy/dt = −2 t y²` through `y(0) = 1`.
fn bell(t: f64) -> f64 {
    1.0 / (1.0 + t * t)
}

fn bend(t: f64, y: &[f64]) -> Vec<f64> {
    vec![-2.0 * t * y[0] * y[0]]
}

#[test]
fn errors_fall_with_the_order_of_the_method() {
    for method in METHODS {
        let error = |num_steps: u32| {
            let config = fixed(method, 2.0, 2.0 / f64::from(num_steps));
            let flow = run(&config, &[1.0], bend).unwrap();
            assert_eq!(flow.num_accepted, num_steps as usize);
            (flow.value[0] - bell(2.0)).abs()
        };
        let order = (error(64) / error(128)).log2();
        assert!((order - method.order() as f64).abs() < 0.25, "{order}");
    }
}

#[test]
fn the_dense_output_of_a_step_has_errors_of_order_four_and_five() {
    for (method, expected) in METHODS.into_iter().zip([4.0, 5.0]) {
        let error = |h: f64| {
            let config = fixed(method, h, h);
            let shifted = |t: f64, y: &[f64]| bend(t + 0.3, y);
            let (_, steps) = steps(&config, &[bell(0.3)], shifted).unwrap();
            let at = |share: f64| steps[0].at(share * h).unwrap()[0] - bell(0.3 + share * h);
            let errors = [0.25, 0.5, 0.75].map(|share| at(share).abs());
            errors.into_iter().fold(0.0_f64, f64::max)
        };
        let order = (error(0.05) / error(0.025)).log2();
        assert!((order - expected).abs() < 0.2, "{method:?}: {order}");
    }
}

#[test]
fn the_dense_output_is_smooth_from_step_to_step() {
    for method in METHODS {
        let config = FlowConfig::new(2.0).with_method(method);
        let (flow, steps) = steps(&config, &[1.0], bend).unwrap();
        for step in &steps {
            let (start, end) = (step.start(), step.end());
            assert_eq!(step.at(start).unwrap(), *step.start_value());
            assert_eq!(step.at(end).unwrap(), *step.end_value());
            assert_eq!(*step.start_slope(), bend(step.start(), step.start_value()));
            assert_eq!(*step.end_slope(), bend(end, step.end_value()));
            // Next to the end it approaches the value with the slope.
            let h = 1e-5 * (end - start);
            let near = step.at(end - h).unwrap()[0];
            let slope = (step.end_value()[0] - near) / h;
            assert!((slope - step.end_slope()[0]).abs() < 1e-4, "{slope}");
        }
        for pair in steps.windows(2) {
            assert_eq!(pair[0].end_value(), pair[1].start_value());
        }
        assert_eq!(flow.value, *steps[steps.len() - 1].end_value());
    }
}

#[test]
fn a_linear_gradient_flow_is_the_exponential_of_its_hessian() {
    // The loss ½(x + 2y − 5)²: the Hessian has the eigenvalue 5 along (1, 2), and 0.
    let field = |_: f64, w: &[f64]| {
        let rest = w[0] + 2.0 * w[1] - 5.0;
        vec![-rest, -2.0 * rest]
    };
    let config = FlowConfig::new(5.0).with_tolerances(1e-9, 1e-12);
    for (start, limit) in [([3.0, -1.0], [3.8, 0.6]), ([0.0, 0.0], [1.0, 2.0])] {
        let flow = run(&config, &start, field).unwrap();
        let decay = (-25.0_f64).exp();
        let exact = [0, 1].map(|i: usize| limit[i] + decay * (start[i] - limit[i]));
        let error = distance(&flow.value, &exact);
        assert!(error < 1e-10, "{error:e}");
    }
}

#[test]
fn a_diagonal_net_moves_its_weights_in_a_fixed_proportion_of_logarithms() {
    // The loss ½(a·u² − 1)² with a = (1, 2): ln(w₂/w₂₀) / ln(w₁/w₁₀) = 2 for the weights w = u².
    let field = |_: f64, u: &[f64]| {
        let rest = u[0] * u[0] + 2.0 * u[1] * u[1] - 1.0;
        vec![-2.0 * u[0] * rest, -4.0 * u[1] * rest]
    };
    let config = FlowConfig::new(20.0).with_tolerances(1e-12, 1e-14);
    for (start, limit) in [([1.0, 1.0], Some([0.5, 0.25])), ([0.5, 0.25], None)] {
        let flow = run(&config, &start, field).unwrap();
        let logarithm = |i: usize| (flow.value[i] / start[i]).ln();
        let ratio = logarithm(1) / logarithm(0);
        assert!((ratio - 2.0).abs() < 1e-10, "{ratio}");
        if let Some(limit) = limit {
            let weights = [0, 1].map(|i: usize| flow.value[i] * flow.value[i]);
            assert!(distance(&weights, &limit) < 1e-10, "{weights:?}");
        }
    }
}
