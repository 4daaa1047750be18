//! Random modules: coordinates round-trip bit for bit, and gradients land on their parameters.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use burnscape::loss::Risk;
use burnscape::space::{ParamSpace, ParamVector};
use proptest::prelude::*;

/// Parameters of ranks one to five in vectors, options, arrays and tuples.
#[derive(Module, Debug)]
struct Tree {
    scales: Vec<Param<Tensor<1>>>,
    maps: (Vec<Branch>, Option<Param<Tensor<2>>>),
    kernels: [Param<Tensor<4>>; 2],
    volume: Option<Param<Tensor<5>>>,
}

#[derive(Module, Debug)]
struct Branch {
    stack: Param<Tensor<3>>,
    twigs: Vec<Option<Param<Tensor<1>>>>,
}

type Twigs = Vec<Option<[usize; 1]>>;

/// The shapes of a [`Tree`].
#[derive(Debug, Clone)]
struct Plan {
    scales: Vec<[usize; 1]>,
    branches: Vec<([usize; 3], Twigs)>,
    map: Option<[usize; 2]>,
    kernels: [[usize; 4]; 2],
    volume: Option<[usize; 5]>,
}

fn shape<const D: usize>() -> impl Strategy<Value = [usize; D]> {
    proptest::array::uniform::<_, D>(1..4_usize)
}

fn plan() -> impl Strategy<Value = Plan> {
    let twigs = prop::collection::vec(prop::option::of(shape::<1>()), 0..3);
    (
        prop::collection::vec(shape::<1>(), 0..4),
        prop::collection::vec((shape::<3>(), twigs), 0..3),
        prop::option::of(shape::<2>()),
        [shape::<4>(), shape::<4>()],
        prop::option::of(shape::<5>()),
    )
        .prop_map(|(scales, branches, map, kernels, volume)| Plan {
            scales,
            branches,
            map,
            kernels,
            volume,
        })
}

/// Numbers that are used up from the front, in the order of declaration.
struct Source<'a>(&'a [f32], Device);

impl Source<'_> {
    fn tensor<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        let (own, rest) = self.0.split_at(shape.iter().product());
        self.0 = rest;
        Tensor::from_data(TensorData::new(own.to_vec(), shape), &self.1)
    }

    fn param<const D: usize>(&mut self, shape: [usize; D]) -> Param<Tensor<D>> {
        Param::from_tensor(self.tensor(shape))
    }

    /// Σ cᵢ wᵢ with the next numbers as c.
    fn weighted<const D: usize>(&mut self, param: &Param<Tensor<D>>) -> Tensor<1> {
        let value = param.val();
        let coefficients = self.tensor(value.dims());
        (value * coefficients).sum()
    }
}

impl Plan {
    fn build(&self, values: &[f32], device: &Device) -> Tree {
        let mut source = Source(values, device.clone());
        let scales = self
            .scales
            .iter()
            .map(|&shape| source.param(shape))
            .collect();
        let branches = self.branches.iter().map(|(stack, twigs)| Branch {
            stack: source.param(*stack),
            twigs: twigs
                .iter()
                .map(|twig| twig.map(|shape| source.param(shape)))
                .collect(),
        });
        let branches = branches.collect();
        let map = self.map.map(|shape| source.param(shape));
        Tree {
            scales,
            maps: (branches, map),
            kernels: self.kernels.map(|shape| source.param(shape)),
            volume: self.volume.map(|shape| source.param(shape)),
        }
    }

    fn len(&self) -> usize {
        let product = |shape: &[usize]| shape.iter().product::<usize>();
        let branches = self.branches.iter().map(|(stack, twigs)| {
            product(stack)
                + twigs
                    .iter()
                    .flatten()
                    .map(|twig| product(twig))
                    .sum::<usize>()
        });
        self.scales
            .iter()
            .map(|shape| product(shape))
            .sum::<usize>()
            + branches.sum::<usize>()
            + self.map.iter().map(|shape| product(shape)).sum::<usize>()
            + self
                .kernels
                .iter()
                .map(|shape| product(shape))
                .sum::<usize>()
            + self
                .volume
                .iter()
                .map(|shape| product(shape))
                .sum::<usize>()
    }
}

impl Tree {
    /// `⟨c, w⟩`, written out in the order of declaration, without any visitor.
    fn linear_form(&self, coefficients: &[f32], device: &Device) -> Tensor<1> {
        let mut source = Source(coefficients, device.clone());
        let mut sum = Tensor::zeros([1], device);
        for scale in &self.scales {
            sum = sum + source.weighted(scale);
        }
        for branch in &self.maps.0 {
            sum = sum + source.weighted(&branch.stack);
            for twig in branch.twigs.iter().flatten() {
                sum = sum + source.weighted(twig);
            }
        }
        if let Some(map) = &self.maps.1 {
            sum = sum + source.weighted(map);
        }
        for kernel in &self.kernels {
            sum = sum + source.weighted(kernel);
        }
        if let Some(volume) = &self.volume {
            sum = sum + source.weighted(volume);
        }
        sum
    }
}

/// Different numbers, of different sizes and signs.
fn numbers(seed: u32, count: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state) / f64::from(u32::MAX) - 0.5) as f32
            * 2.0_f32.powi((state >> 28) as i32 - 8)
    };
    (0..count).map(|_| next()).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn host(vector: &ParamVector) -> Vec<u32> {
    let values: Vec<f32> = vector.values().to_data().iter::<f32>().collect();
    bits(&values)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn coordinates_round_trip_bit_for_bit(plan in plan(), seed: u32, on_autodiff: bool) {
        let plain = Device::default();
        let device = if on_autodiff { plain.clone().autodiff() } else { plain };
        let count = plan.len();
        let (values, others) = (numbers(seed, count), numbers(!seed, count));
        let model = plan.build(&values, &device);
        let other = plan.build(&others, &device);
        let space = ParamSpace::of(&model).unwrap();
        prop_assert_eq!(space.len(), count);

        let vector = ParamVector::from_module(&space, &model).unwrap();
        prop_assert_eq!(host(&vector), bits(&values));
        let filled = vector.apply_to(&other).unwrap();
        let filled = ParamVector::from_module(&ParamSpace::of(&filled).unwrap(), &filled).unwrap();
        prop_assert_eq!(host(&filled), bits(&values));
        let through_leaves = ParamVector::from_leaves(&vector.to_leaves()).unwrap();
        prop_assert_eq!(host(&through_leaves), bits(&values));

        let moved = ParamVector::from_module(&space, &other).unwrap().perturb(&model, 1.0).unwrap();
        let moved = ParamVector::from_module(&space, &moved).unwrap();
        let expected: Vec<f32> = values.iter().zip(&others).map(|(x, y)| x + y).collect();
        prop_assert_eq!(host(&moved), bits(&expected));
    }

    #[test]
    fn gradients_land_on_their_parameters(plan in plan(), seed: u32, on_autodiff: bool) {
        let plain = Device::default();
        let device = if on_autodiff { plain.clone().autodiff() } else { plain.clone() };
        let count = plan.len();
        let (values, coefficients) = (numbers(seed, count), numbers(!seed, count));
        let model = plan.build(&values, &device);
        let loss = |model: &Tree, (): ()| model.linear_form(&coefficients, &plain);
        let result = Risk::new(&loss, &[()]).loss_and_gradient(&model).unwrap();
        prop_assert_eq!(result.num_without_gradient, 0);
        prop_assert_eq!(host(&result.gradient), bits(&coefficients));
        // A displaced model has its leaves, too.
        let moved = result.gradient.perturb(&model, 0.5).unwrap();
        let result = Risk::new(&loss, &[()]).loss_and_gradient(&moved).unwrap();
        prop_assert_eq!(host(&result.gradient), bits(&coefficients));
    }
}
