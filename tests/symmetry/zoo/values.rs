//! Numbers that depend on nothing but a seed, and the parameters of a module as numbers.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burnscape::space::unshared_copy;
use burnscape_testkit::programs::Draws;

/// The methods with which a visitor or mapper follows its field `place`.
macro_rules! follow_path {
    () => {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.place.push(name.to_string());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.place.pop();
        }
    };
}

/// Normal numbers.
pub(crate) fn numbers<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let mut draws = Draws::new(seed);
    let count: usize = shape.iter().product();
    let numbers: Vec<f64> = (0..count).map(|_| draws.normal()).collect();
    Tensor::from_data(TensorData::new(numbers, shape), device)
}

/// Words from 0 to `below`, exclusive.
pub(crate) fn tokens(
    shape: [usize; 2],
    below: usize,
    seed: u64,
    device: &Device,
) -> Tensor<2, Int> {
    let mut draws = Draws::new(seed);
    let count: usize = shape.iter().product();
    let words: Vec<i64> = (0..count).map(|_| draws.below(below) as i64).collect();
    Tensor::from_data(TensorData::new(words, shape), device)
}

/// A copy with random numbers in all float parameters, running statistics included, for a model that is not on
/// autodiff: no gain is 1 and no bias is 0, which would hide errors.
pub(crate) fn scattered<M: Module>(model: &M, seed: u64) -> M {
    unshared_copy(model).map(&mut Scatter {
        place: Vec::new(),
        draws: Draws::new(seed),
        known: HashMap::new(),
    })
}

struct Scatter {
    place: Vec<String>,
    draws: Draws,
    /// A parameter that occurs twice has the same numbers twice.
    known: HashMap<ParamId, Vec<f64>>,
}

impl ModuleMapper for Scatter {
    follow_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.place.last().map(String::as_str);
        let is_positive = matches!(name, Some("gamma" | "running_var"));
        let id = param.id;
        let (draws, known) = (&mut self.draws, &mut self.known);
        param.map(|tensor| {
            let shape = tensor.dims();
            let count: usize = shape.iter().product();
            let draw = |_| match D {
                _ if is_positive => 0.5 + draws.uniform(),
                1 => 0.3 * draws.normal(),
                _ => 0.4 * draws.normal(),
            };
            let numbers = known
                .entry(id)
                .or_insert_with(|| (0..count).map(draw).collect());
            Tensor::from_data(TensorData::new(numbers.clone(), shape), &tensor.device())
        })
    }
}

/// A float parameter, or a running statistic.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) path: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// All of them, in the order of visits.
pub(crate) fn parameters<M: Module>(model: &M) -> Vec<Parameter> {
    let mut read = Read::default();
    model.visit(&mut read);
    read.found
}

#[derive(Default)]
struct Read {
    place: Vec<String>,
    found: Vec<Parameter>,
}

impl ModuleVisitor for Read {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let data = tensor.into_data();
        self.found.push(Parameter {
            path: self.place.join("."),
            shape,
            values: data.iter::<f64>().collect(),
        });
    }
}

/// Whether all parameters are the same, bit for bit.
pub(crate) fn same(a: &[Parameter], b: &[Parameter]) -> bool {
    let words = |values: &[f64]| -> Vec<u64> { values.iter().map(|x| x.to_bits()).collect() };
    let equal = |(a, b): (&Parameter, &Parameter)| {
        a.path == b.path && a.shape == b.shape && words(&a.values) == words(&b.values)
    };
    a.len() == b.len() && a.iter().zip(b).all(equal)
}

/// A copy with these values in the parameters of these paths, for a model that is not on autodiff.
pub(crate) fn rewritten<M: Module>(model: &M, values: &HashMap<String, Vec<f64>>) -> M {
    unshared_copy(model).map(&mut Write {
        place: Vec::new(),
        values,
    })
}

struct Write<'a> {
    place: Vec<String>,
    values: &'a HashMap<String, Vec<f64>>,
}

impl ModuleMapper for Write<'_> {
    follow_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(values) = self.values.get(&self.place.join(".")) else {
            return param;
        };
        param.map(|tensor| {
            let data = TensorData::new(values.clone(), tensor.dims());
            Tensor::from_data(data, &tensor.device())
        })
    }
}

/// A copy with parameters of another element type.
pub(crate) fn cast<M: Module>(model: &M, dtype: DType) -> M {
    unshared_copy(model).map(&mut Cast(dtype))
}

struct Cast(DType);

impl ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let dtype = self.0;
        param.map(|tensor| tensor.cast(dtype))
    }
}

/// The product of two reflections, along vectors without a mean if they keep the vector of ones.
pub(crate) fn rotation(size: usize, phases: [f64; 2], keeps_ones: bool) -> Vec<f64> {
    let mut matrix = vec![0.0; size * size];
    matrix.iter_mut().step_by(size + 1).for_each(|x| *x = 1.0);
    for phase in phases {
        let mut v: Vec<f64> = (0..size).map(|i| (phase + 1.3 * i as f64).sin()).collect();
        if keeps_ones {
            let mean = v.iter().sum::<f64>() / size as f64;
            v.iter_mut().for_each(|x| *x -= mean);
        }
        let square: f64 = v.iter().map(|x| x * x).sum();
        for row in matrix.chunks_mut(size) {
            let dot: f64 = row.iter().zip(&v).map(|(a, b)| a * b).sum();
            row.iter_mut()
                .zip(&v)
                .for_each(|(x, v)| *x -= 2.0 * dot / square * v);
        }
    }
    matrix
}
