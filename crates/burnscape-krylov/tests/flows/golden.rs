//! The same as SciPy's `solve_ivp`: step by step to rounding, as exact and as frugal where it chooses its steps.

use burnscape_krylov::{FlowConfig, RungeKutta, VectorSpace};
use serde_json::Value;

use super::{distance, fixed, run, steps};

fn problems() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/krylov/flow.json");
    let text = std::fs::read_to_string(path).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    golden["problems"].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap().iter();
    values.map(|x| x.as_f64().unwrap()).collect()
}

fn method(run: &Value) -> RungeKutta {
    match run["method"].as_str().unwrap() {
        "RK23" => RungeKutta::BogackiShampine,
        "RK45" => RungeKutta::DormandPrince,
        other => panic!("unknown method {other}"),
    }
}

/// The fields of the script.
fn field(name: &str) -> fn(f64, &[f64]) -> Vec<f64> {
    match name {
        "linear_net" => |_, w| {
            let rest = w[0] * w[1] - 1.0;
            vec![-rest * w[1], -rest * w[0]]
        },
        "lotka_volterra" => |_, y| vec![y[0] * (1.0 - y[1]), y[1] * (y[0] - 1.0)],
        "van_der_pol" => |_, y| vec![y[1], (1.0 - y[0] * y[0]) * y[1] - y[0]],
        "pendulum" => |t, y| {
            let drive = 0.5 * (1.5 * t).cos();
            vec![y[1], -y[0].sin() - 0.2 * y[1] + drive]
        },
        other => panic!("unknown field {other}"),
    }
}

#[test]
fn steps_and_dense_output_are_those_of_scipy_to_rounding() {
    let mut count = 0;
    for problem in problems() {
        let name = problem["name"].as_str().unwrap();
        let (start, end) = (
            numbers(&problem["start"]),
            problem["end_time"].as_f64().unwrap(),
        );
        for golden in problem["fixed"].as_array().unwrap() {
            let config = fixed(method(golden), end, golden["step"].as_f64().unwrap());
            let (flow, steps) = steps(&config, &start, field(name)).unwrap();
            assert_eq!((flow.num_accepted, flow.num_rejected), (64, 0), "{name}");
            let error = distance(&flow.value, &numbers(&golden["end"]));
            assert!(error < 1e-13, "{name}: {error:e}");
            let dense = golden["dense"].as_array().unwrap().iter();
            for (time, expected) in numbers(&golden["times"]).into_iter().zip(dense) {
                let step = steps.iter().find(|step| time <= step.end()).unwrap();
                let error = distance(&step.at(time).unwrap(), &numbers(expected));
                assert!(error < 1e-13, "{name} at {time}: {error:e}");
            }
            count += 1;
        }
    }
    assert_eq!(count, 8);
}

#[test]
fn chosen_steps_are_as_exact_and_as_frugal_as_those_of_scipy() {
    let (mut ours, mut theirs) = (0.0, 0.0);
    for problem in problems() {
        let name = problem["name"].as_str().unwrap();
        let start = numbers(&problem["start"]);
        let reference = numbers(&problem["reference"]);
        for golden in problem["adaptive"].as_array().unwrap() {
            let number = |key: &str| golden[key].as_f64().unwrap();
            let config = FlowConfig::new(problem["end_time"].as_f64().unwrap())
                .with_method(method(golden))
                .with_tolerances(number("rtol"), number("atol"));
            let flow = run(&config, &start, field(name)).unwrap();
            assert!(flow.outcome.is_converged());
            let rest = flow.value.axpy(-1.0, &reference).unwrap();
            let error = rest.norm().unwrap() / reference.norm().unwrap();
            let evaluations = flow.num_evaluations as f64;
            println!(
                "{name} {:?} {:e}: error {error:.1e}, SciPy {:.1e}; {evaluations} evaluations, SciPy {}",
                method(golden),
                number("rtol"),
                number("error"),
                number("evaluations"),
            );
            assert!(error < 4.0 * number("error"), "{name}");
            assert!(evaluations < 1.3 * number("evaluations"), "{name}");
            ours += evaluations;
            theirs += number("evaluations");
        }
    }
    assert!(ours < 1.05 * theirs, "{ours} evaluations, SciPy {theirs}");
}
