use burn::tensor::DeviceSettings;

use super::flat_io::{FlatIo, Part, Vector};
use super::linear_map::LinearMap;
use crate::LinearizeError;
use crate::derive::jvp_unnormalized;
use crate::trace::{GradientTrace, chosen};

impl LinearMap {
    /// The derivative of the Hessian of a traced loss along a vector `u`: the matrix `d/dt H(w + t u)` at `t = 0`, exactly,
    /// by forward over forward over reverse differentiation.
    ///
    /// It is symmetric, and its product with `u` is the gradient of `uᵀ H(w) u` for a fixed `u`: that of an eigenvalue,
    /// if `u` is its eigenvector of norm one.
    ///
    /// `wrt` are indices into [`GradientTrace::parameters`]. Tangent, result and `u` are flat vectors of these
    /// parameters, in the given order. `u` is the last input of a point, after those of the trace. The values of the map
    /// are the loss and the flat gradient.
    ///
    /// # Errors
    ///
    /// As [`hessian`](Self::hessian).
    pub fn hessian_derivative(
        trace: &GradientTrace,
        wrt: &[usize],
        settings: DeviceSettings,
    ) -> Result<Self, LinearizeError> {
        let parameters = chosen(&trace.parameters, wrt)?;
        let inputs: Vec<usize> = parameters.iter().map(|p| p.input).collect();
        let first = trace.program.jvp(&inputs, settings)?;
        let second = jvp_unnormalized(&first.program, &inputs, settings)?;
        let outputs = &second.program.outputs;
        let part = |index: Option<usize>, input: usize| Part {
            tensor: index.map(|index| outputs[index].clone()),
            len: trace.program.inputs[input].num_elements(),
        };
        let gradient = parameters.iter().map(|p| part(p.gradient, p.input));
        let product = parameters.iter().map(|p| {
            let once = p.gradient.and_then(|index| first.tangent_outputs[index]);
            let twice = once.and_then(|index| second.tangent_outputs[index]);
            part(twice, p.input)
        });
        let along = first.tangents();
        let dtype = along
            .first()
            .map_or(outputs[0].tensor.dtype, |port| port.tensor.dtype);
        let io = FlatIo {
            tangents: along,
            outputs: vec![
                Vector::of(&outputs[0]),
                Vector::new("gradient", gradient.collect(), dtype),
                Vector::new("product", product.collect(), dtype),
            ],
            dtype,
        };
        // Each time, the flat vector becomes the last input.
        let flat = io.wrap(&second.program, settings)?;
        let io = FlatIo {
            tangents: second.tangents(),
            outputs: flat.outputs.iter().map(Vector::of).collect(),
            dtype,
        };
        Self::new(io.wrap(&flat, settings)?, 1, 2, settings)
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::DispatchTensor;
    use burn::module::{Module, Param};
    use burn::tensor::{Device, Tensor, TensorData};

    use super::*;
    use crate::rule::tests::plain;
    use crate::run::{Checkpointing, Linearized};

    #[derive(Module, Debug)]
    struct Parts {
        first: Param<Tensor<1>>,
        second: Param<Tensor<1>>,
    }

    const A: [f64; 4] = [1.0, -2.0, 3.0, 0.5];
    const W: [f64; 4] = [2.0, 0.0, -1.0, 4.0];

    fn vector(x: &[f64], device: &Device) -> Tensor<1> {
        Tensor::from_data(TensorData::new(x.to_vec(), [x.len()]), device)
    }

    fn numbers(x: &Tensor<1>) -> Vec<f64> {
        x.clone().into_data().iter::<f64>().collect()
    }

    /// The map of a loss of `w` and `a`, and its inputs without `u`.
    fn map(loss: fn(Tensor<1>, Tensor<1>) -> Tensor<1>) -> (Linearized, Vec<DispatchTensor>) {
        let (device, settings) = (plain().autodiff(), plain().settings());
        let model = Parts {
            first: Param::from_tensor(vector(&W[..3], &device)),
            second: Param::from_tensor(vector(&W[3..], &device)),
        };
        let trace = GradientTrace::new(
            model,
            settings,
            |inputs| inputs.float(vector(&A, &device)),
            |model: &Parts, a| {
                let w = Tensor::cat(vec![model.first.val(), model.second.val()], 0);
                loss(w, a)
            },
        );
        let trace = trace.expect("a trace");
        let map = LinearMap::hessian_derivative(&trace, &[0, 1], settings).expect("a map");
        assert_eq!(map.num_inputs(), trace.bindings.len() + 1);
        let linearized = Linearized::new(&map, &plain()).expect("a device");
        (linearized, trace.bindings)
    }

    fn dot(x: &[f64], y: &[f64]) -> f64 {
        x.iter().zip(y).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn of_a_quartic_it_is_exact_with_residuals_and_without() {
        let (mut map, mut inputs) =
            map(|w, a| (w.clone() * a).sum().powi_scalar(4) + w.powf_scalar(4.0).sum());
        let (u, v) = ([1.0, 2.0, -1.0, 0.0], [3.0, -1.0, 0.0, 2.0]);
        inputs.push(vector(&u, &plain()).into_dispatch());
        let inner = dot(&A, &W);
        // The third derivative of x⁴ is 24x.
        let outer = 24.0 * inner * dot(&A, &u) * dot(&A, &v);
        let own = |i: usize| 24.0 * W[i] * u[i] * v[i];
        let expected: Vec<f64> = (0..4).map(|i| outer * A[i] + own(i)).collect();
        for checkpointing in [Checkpointing::Store, Checkpointing::Recompute] {
            let point = map.point(&inputs, checkpointing).expect("a point");
            let quartics: f64 = W.iter().map(|w| w.powi(4)).sum();
            assert_eq!(numbers(&point.values()[0]), [inner.powi(4) + quartics]);
            let gradient = |i: usize| 4.0 * (inner.powi(3) * A[i] + W[i].powi(3));
            let gradient: Vec<f64> = (0..4).map(gradient).collect();
            assert_eq!(numbers(&point.values()[1]), gradient);
            let product = map.apply(&point, &[vector(&v, &plain())]);
            assert_eq!(numbers(&product.expect("a product")[0]), expected);
        }
        // The matrix along v times u is the same.
        inputs.pop();
        inputs.push(vector(&v, &plain()).into_dispatch());
        let point = map.point(&inputs, Checkpointing::Store).expect("a point");
        let product = map.apply(&point, &[vector(&u, &plain())]);
        assert_eq!(numbers(&product.expect("a product")[0]), expected);
    }

    #[test]
    fn of_a_quadratic_it_is_zero() {
        let (mut map, mut inputs) = map(|w, a| (w.square() * a).sum());
        inputs.push(vector(&A, &plain()).into_dispatch());
        let point = map.point(&inputs, Checkpointing::Store).expect("a point");
        let product = map.apply(&point, &[vector(&W, &plain())]);
        assert_eq!(numbers(&product.expect("a product")[0]), [0.0; 4]);
    }
}
