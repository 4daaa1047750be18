//! Dense losses, gradients and Hessians in f64 on the host, in closed form.

/// A network of one linear layer, or of two with tanh between, as its numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) inputs: usize,
    /// Tanh units; none for a linear map.
    pub(crate) hidden: Option<usize>,
    pub(crate) outputs: usize,
}

/// What an output costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Criterion {
    /// `(z − y)²`.
    Square,
    /// `log(1 + exp(−y z))` for `y = ±1`.
    Logistic,
}

/// A mean over examples and outputs, and a penalty `ridge/2 |w|²`.
#[derive(Debug, Clone)]
pub(crate) struct Loss {
    pub(crate) shape: Shape,
    pub(crate) criterion: Criterion,
    pub(crate) ridge: f64,
    pub(crate) x: Vec<Vec<f64>>,
    pub(crate) y: Vec<Vec<f64>>,
}

/// Value, gradient and Hessian at a point.
#[derive(Debug, Clone)]
pub(crate) struct Jet {
    pub(crate) value: f64,
    pub(crate) gradient: Vec<f64>,
    /// Row by row.
    pub(crate) hessian: Vec<f64>,
}

/// An output with its derivatives.
struct Output {
    value: f64,
    gradient: Vec<f64>,
    hessian: Vec<f64>,
}

impl Shape {
    /// Number of parameters: weights `[in, out]` row by row and then biases, layer by layer.
    pub(crate) fn len(self) -> usize {
        let layer = |from: usize, to: usize| (from + 1) * to;
        match self.hidden {
            None => layer(self.inputs, self.outputs),
            Some(hidden) => layer(self.inputs, hidden) + layer(hidden, self.outputs),
        }
    }

    fn output(self, w: &[f64], x: &[f64], index: usize) -> Output {
        let n = self.len();
        let (mut gradient, mut hessian) = (vec![0.0; n], vec![0.0; n * n]);
        let Some(hidden) = self.hidden else {
            let mut value = 0.0;
            for (k, x) in x.iter().chain([&1.0]).enumerate() {
                let place = k * self.outputs + index;
                value += w[place] * x;
                gradient[place] = *x;
            }
            return Output {
                value,
                gradient,
                hessian,
            };
        };
        let last = (self.inputs + 1) * hidden;
        let mut value = 0.0;
        for unit in 0..hidden {
            let places: Vec<(usize, f64)> = x
                .iter()
                .chain([&1.0])
                .enumerate()
                .map(|(k, x)| (k * hidden + unit, *x))
                .collect();
            let t = places
                .iter()
                .map(|(place, x)| w[*place] * x)
                .sum::<f64>()
                .tanh();
            let (slope, place) = (1.0 - t * t, last + unit * self.outputs + index);
            let a = w[place];
            value += a * t;
            gradient[place] = t;
            for (i, x) in &places {
                gradient[*i] = a * slope * x;
                hessian[place * n + i] = slope * x;
                hessian[i * n + place] = slope * x;
                for (j, other) in &places {
                    hessian[i * n + j] = -2.0 * a * t * slope * x * other;
                }
            }
        }
        let place = last + hidden * self.outputs + index;
        value += w[place];
        gradient[place] = 1.0;
        Output {
            value,
            gradient,
            hessian,
        }
    }
}

impl Loss {
    pub(crate) fn at(&self, w: &[f64]) -> Jet {
        let n = self.shape.len();
        let share = 1.0 / (self.x.len() * self.shape.outputs) as f64;
        let squares: f64 = w.iter().map(|w| w * w).sum();
        let mut jet = Jet {
            value: 0.5 * self.ridge * squares,
            gradient: w.iter().map(|w| self.ridge * w).collect(),
            hessian: vec![0.0; n * n],
        };
        for i in 0..n {
            jet.hessian[i * n + i] = self.ridge;
        }
        for (x, y) in self.x.iter().zip(&self.y) {
            for (index, y) in y.iter().enumerate() {
                let z = self.shape.output(w, x, index);
                let [value, slope, bend] = self.criterion.at(z.value, *y);
                jet.value += share * value;
                for i in 0..n {
                    jet.gradient[i] += share * slope * z.gradient[i];
                    for j in 0..n {
                        let squared = bend * z.gradient[i] * z.gradient[j];
                        jet.hessian[i * n + j] += share * (squared + slope * z.hessian[i * n + j]);
                    }
                }
            }
        }
        jet
    }

    pub(crate) fn outputs(&self, w: &[f64]) -> Vec<Vec<f64>> {
        let all = |x: &Vec<f64>| {
            let each = 0..self.shape.outputs;
            each.map(|index| self.shape.output(w, x, index).value)
                .collect()
        };
        self.x.iter().map(all).collect()
    }

    /// A local minimum, by damped Newton steps.
    pub(crate) fn minimum(&self, start: &[f64]) -> Vec<f64> {
        let n = start.len();
        let (mut w, mut damping) = (start.to_vec(), 1e-2);
        let mut jet = self.at(&w);
        for _ in 0..2000 {
            let mut matrix = jet.hessian.clone();
            for i in 0..n {
                matrix[i * n + i] += damping;
            }
            let step = cholesky_solve(&matrix, &jet.gradient);
            let moved =
                step.map(|step| w.iter().zip(&step).map(|(w, p)| w - p).collect::<Vec<_>>());
            let better = moved.and_then(|moved| {
                let there = self.at(&moved);
                let falls = there.value < jet.value || norm(&there.gradient) < norm(&jet.gradient);
                (falls && there.value <= jet.value + 1e-14).then_some((moved, there))
            });
            match better {
                Some((moved, there)) => {
                    (w, jet) = (moved, there);
                    damping = if damping < 1e-12 { 0.0 } else { damping * 0.1 };
                }
                None if norm(&jet.gradient) < 1e-13 => break,
                None => damping = (damping * 10.0).max(1e-12),
            }
            if damping > 1e12 {
                break;
            }
        }
        w
    }
}

impl Criterion {
    /// Value, slope and second derivative by the output.
    fn at(self, z: f64, y: f64) -> [f64; 3] {
        match self {
            Self::Square => [(z - y).powi(2), 2.0 * (z - y), 2.0],
            Self::Logistic => {
                let margin = y * z;
                let value = (-margin.abs()).exp().ln_1p() + (-margin).max(0.0);
                let wrong = 1.0 / (1.0 + margin.exp());
                [value, -y * wrong, wrong / (1.0 + (-margin).exp())]
            }
        }
    }
}

pub(crate) fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// `A⁻¹ b`; none unless `A` is positive definite.
fn cholesky_solve(a: &[f64], b: &[f64]) -> Option<Vec<f64>> {
    let n = b.len();
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            let rest = a[i * n + j] - sum;
            if i == j {
                if rest.is_nan() || rest <= 0.0 {
                    return None;
                }
                l[i * n + i] = rest.sqrt();
            } else {
                l[i * n + j] = rest / l[j * n + j];
            }
        }
    }
    let mut x = b.to_vec();
    for i in 0..n {
        let sum: f64 = (0..i).map(|k| l[i * n + k] * x[k]).sum();
        x[i] = (x[i] - sum) / l[i * n + i];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| l[k * n + i] * x[k]).sum();
        x[i] = (x[i] - sum) / l[i * n + i];
    }
    Some(x)
}
