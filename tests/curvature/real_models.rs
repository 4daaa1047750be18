//! Networks of working size through every operator: the digits CNN, and a transformer of four layers
//! (d_model 128, 64 words).

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use burnscape::curvature::FisherSampling;
use burnscape::krylov::{HasAdjoint, LinearOperator};
use burnscape::loss::{Likelihood, Risk};
use burnscape::space::ParamVector;
use burnscape_testkit::turn;

use super::fixture::device;
use super::models::{self, Batch, Classifier, DigitsCnn, Mlp, Transformer};

fn batch<const D: usize>(shape: [usize; D], phase: f64) -> Batch<D> {
    let wave = |i: usize| (1.0 + 0.37 * (i as f64 + phase).powf(1.31)).sin();
    let numbers: Vec<f64> = (0..shape.iter().product()).map(wave).collect();
    let input = Tensor::from_data(TensorData::new(numbers, shape), &device());
    let target = Tensor::<1, Int>::arange(0..shape[0] as i64, &device()).remainder_scalar(10);
    (input, target)
}

fn distance(a: &ParamVector, b: &ParamVector) -> f64 {
    let size = a.norm().unwrap();
    assert!(size > 1e-6, "nothing to compare: {size:e}");
    a.clone().axpy(-1.0, b).unwrap().norm().unwrap() / size
}

fn every_operator<M: Classifier<D>, const D: usize>(
    model: &M,
    data: &[Batch<D>],
    step: f64,
    adjoint_tolerance: f64,
) {
    let risk = models::risk::<M, D>(data);
    let hessian = risk.hessian(model).unwrap();
    let space = hessian.space().clone();
    let (u, v) = (
        ParamVector::gaussian(&space, 1).unwrap(),
        ParamVector::gaussian(&space, 2).unwrap(),
    );
    let hv = hessian.matvec(&v).unwrap();
    let (a, b) = (
        u.dot(&hv).unwrap(),
        hessian.matvec(&u).unwrap().dot(&v).unwrap(),
    );
    assert!((a - b).abs() < 1e-12 * u.norm().unwrap() * hv.norm().unwrap());
    // The gradient is Burn's, and the product its derivative.
    let evaluated = risk.loss_and_gradient(model).unwrap();
    assert!(distance(&evaluated.gradient, &hessian.gradient().unwrap()) < 1e-12);
    let unit = v.clone().normalize().unwrap();
    let at = |scale: f64| {
        let moved = unit.perturb(model, scale).unwrap();
        risk.loss_and_gradient(&moved).unwrap().gradient
    };
    let slope = at(step).axpy(-1.0, &at(-step)).unwrap().scale(0.5 / step);
    let exact = hessian.matvec(&unit).unwrap();
    let difference = distance(&exact, &slope);
    println!(
        "{} parameters: differences agree to {difference:.1e}",
        space.len()
    );
    assert!(difference < 1e-6, "{difference:e}");
    // Read again and recomputed.
    let recomputed = risk
        .clone()
        .with_residual_budget(0)
        .with_checks(false)
        .hessian(model)
        .unwrap()
        .matvec(&v)
        .unwrap();
    assert!(distance(&hv, &recomputed) < 1e-13);

    let newton = risk.gauss_newton(model).unwrap().matvec(&v).unwrap();
    let fisher = risk.fisher(model, Likelihood::Categorical).unwrap();
    let fisher = fisher.matvec(&v).unwrap();
    assert!(distance(&newton, &fisher) < 1e-12);
    let sampling = FisherSampling {
        samples: 2,
        seed: 1,
    };
    let sampled = risk.sampled_fisher(model, Likelihood::Categorical, sampling);
    let sampled = sampled.unwrap().matvec(&v).unwrap();
    // Positive semi-definite, and another matrix.
    assert!(sampled.dot(&v).unwrap() > 0.0 && distance(&fisher, &sampled) > 1e-3);
    let losses = |model: &M, (x, y): Batch<D>| {
        let log = log_softmax(model.logits(x), 1);
        -log.gather(1, y.unsqueeze_dim::<2>(1)).squeeze_dim::<1>(1)
    };
    let empirical = Risk::per_example(losses, data).empirical_fisher(model);
    let empirical = empirical.unwrap();
    let empirical = empirical.matvec(&v).unwrap();
    assert!(empirical.dot(&v).unwrap() > 0.0);

    let jacobian = risk.jacobian(model).unwrap();
    let jv = jacobian.matvec(&v).unwrap();
    let back = jacobian.matvec_adjoint(&jv).unwrap();
    let (a, b) = (jv.dot(&jv).unwrap(), back.dot(&v).unwrap());
    assert!((a - b).abs() < adjoint_tolerance * a.abs());
    let kernel = risk.ntk(model).unwrap();
    let product = kernel.matvec(&jv).unwrap();
    let expected = jacobian.matvec(&back).unwrap();
    let size = expected.norm().unwrap();
    assert!(product.axpy(-1.0, &expected).unwrap().norm().unwrap() <= 1e-12 * size);
}

#[test]
fn the_digits_cnn() {
    let _drawing = turn();
    device().seed(5);
    let model = DigitsCnn::new(&device());
    let data = [batch([16, 1, 8, 8], 0.5), batch([5, 1, 8, 8], 77.1)];
    // Within reach of no kink: a step that moves no activation across zero.
    every_operator(&model, &data, 1e-7, 1e-12);
}

#[test]
fn a_transformer_of_four_layers() {
    let _drawing = turn();
    device().seed(6);
    let model = Transformer::new(&device());
    // Attention divides by √32, and Burn's backward pass multiplies by 1/√32 in single precision.
    every_operator(&model, &[batch([2, 64, 128], 0.5)], 1e-4, 1e-7);
}

/// Long enough that several batches are multiplied at the same time.
#[test]
fn batches_of_working_size_add_up_to_the_data_and_always_to_the_same() {
    let model = {
        let _stream = turn();
        Mlp::new(128, false, &device().autodiff())
    };
    let whole = batch([448, 784], 0.3);
    let parts: Vec<Batch<2>> = (0..7)
        .map(|part| {
            let rows = 64 * part..64 * (part + 1);
            let (x, y) = whole.clone();
            (x.slice([rows.clone(), 0..784]), y.slice([rows]))
        })
        .collect();
    let data = [whole];
    let at_once = models::risk(&data).hessian(&model).unwrap();
    let in_parts = models::risk(&parts).hessian(&model).unwrap();
    let v = ParamVector::gaussian(at_once.space(), 5).unwrap();
    let product = in_parts.matvec(&v).unwrap();
    assert!(distance(&at_once.matvec(&v).unwrap(), &product) < 1e-12);
    for _ in 0..5 {
        assert_eq!(
            in_parts.matvec(&v).unwrap().to_host().unwrap(),
            product.to_host().unwrap()
        );
    }
}
