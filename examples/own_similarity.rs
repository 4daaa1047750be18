//! A similarity of your own: units are compared by the ranks of their activations.
//!
//! ```text
//! cargo run --release -p burnscape --example own_similarity
//! ```
//!
//! A network is compared with a copy of itself whose units were permuted and rescaled, which changes nothing in its
//! outputs. Weights mislead then. Ranks do not change with the scale of a unit.

use std::error::Error;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Tensor};
use burnscape::align::{
    AlignError, CoordinateDescentConfig, Similarity, WeightMatchingConfig, reordered,
};
use burnscape::symmetry::{Element, Group, ScalesConfig, Symmetries, SymmetriesConfig};
use clap::Parser;

/// Align two networks by a similarity of your own.
#[derive(Parser)]
struct Arguments {
    /// Units of each of the two hidden layers.
    #[arg(long, default_value_t = 64)]
    units: usize,
    /// Examples whose activations are compared.
    #[arg(long, default_value_t = 512)]
    examples: usize,
    /// Seed of the weights and of the data.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Two hidden layers with rectifiers.
#[derive(Module, Debug)]
struct Mlp {
    hidden: Vec<Linear>,
    last: Linear,
}

const INPUTS: usize = 8;

impl Mlp {
    fn new(units: usize, device: &Device) -> Self {
        let layer = |from, to| LinearConfig::new(from, to).init(device);
        Self {
            hidden: vec![layer(INPUTS, units), layer(units, units)],
            last: layer(units, 4),
        }
    }

    /// The activations of each hidden layer.
    fn activations(&self, x: &Tensor<2>) -> Vec<Tensor<2>> {
        let mut x = x.clone();
        let mut found = Vec::with_capacity(self.hidden.len());
        for layer in &self.hidden {
            x = relu(layer.forward(x));
            found.push(x.clone());
        }
        found
    }

    fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        let hidden = self.hidden.iter();
        let x = hidden.fold(x.clone(), |x, layer| relu(layer.forward(x)));
        self.last.forward(x)
    }
}

/// Spearman's rank correlation of the activations of units.
struct RankCorrelation {
    symmetries: Symmetries,
    /// For each group a row for each unit of the first model, with a column for each unit of the second one.
    matrices: Vec<Vec<f64>>,
}

impl RankCorrelation {
    fn new(
        symmetries: &Symmetries,
        a: &Mlp,
        b: &Mlp,
        x: &Tensor<2>,
    ) -> Result<Self, Box<dyn Error>> {
        let of_a: Vec<_> = a.activations(x).into_iter().map(ranks).collect();
        let of_b: Vec<_> = b.activations(x).into_iter().map(ranks).collect();
        let matrices = symmetries.groups().iter().map(|group| {
            let layer = layer_of(group).ok_or("a group that is no hidden layer")?;
            Ok::<_, Box<dyn Error>>(products(&of_a[layer], &of_b[layer]))
        });
        Ok(Self {
            symmetries: symmetries.clone(),
            matrices: matrices.collect::<Result<_, _>>()?,
        })
    }
}

/// The objective, the sum of the correlations of all pairs, is the default of the trait: groups do not depend on each
/// other here.
impl Similarity for RankCorrelation {
    fn symmetries(&self) -> &Symmetries {
        &self.symmetries
    }

    fn matrix(&self, group: usize, element: &Element) -> Result<Vec<f64>, AlignError> {
        reordered(&self.matrices[group], group, element)
    }

    fn upper_bound(&self) -> Option<f64> {
        let groups = self.symmetries.groups().iter();
        Some(groups.map(|group| group.size() as f64).sum())
    }
}

/// The hidden layer whose units a group permutes.
fn layer_of(group: &Group) -> Option<usize> {
    group.members().iter().find_map(|member| {
        let place = member.path.strip_prefix("hidden.")?;
        place.strip_suffix(".bias")?.parse().ok()
    })
}

/// For each unit the ranks of its activations, with mean 0 and length 1; zeros for a unit that is constant.
fn ranks(activations: Tensor<2>) -> Vec<Vec<f64>> {
    let [examples, units] = activations.dims();
    let data = activations.into_data();
    let values: Vec<f64> = data.iter::<f64>().collect();
    let unit = |unit: usize| {
        let column = values.iter().skip(unit).step_by(units).copied();
        let mut ranks = ranked(&column.collect::<Vec<f64>>());
        let mean = (examples as f64 - 1.0) / 2.0;
        ranks.iter_mut().for_each(|rank| *rank -= mean);
        let norm = ranks.iter().map(|rank| rank * rank).sum::<f64>().sqrt();
        if norm > 0.0 {
            ranks.iter_mut().for_each(|rank| *rank /= norm);
        }
        ranks
    };
    (0..units).map(unit).collect()
}

/// The rank of each value, from 0. Equal values share the mean of theirs.
fn ranked(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for equal in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let mean = below as f64 + (equal.len() as f64 - 1.0) / 2.0;
        for &index in equal {
            ranks[index] = mean;
        }
        below += equal.len();
    }
    ranks
}

fn products(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    a.iter()
        .flat_map(|a| b.iter().map(move |b| dot(a, b)))
        .collect()
}

/// The units that two elements take from the same places.
fn agreeing(symmetries: &Symmetries, one: &Element, other: &Element) -> usize {
    let groups = 0..symmetries.groups().len();
    let tables =
        groups.filter_map(|group| Some((one.permutation(group)?, other.permutation(group)?)));
    tables
        .map(|(one, other)| {
            one.iter()
                .zip(other)
                .filter(|(one, other)| one == other)
                .count()
        })
        .sum()
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments {
        units,
        examples,
        seed,
    } = Arguments::parse();
    let device = Device::default();
    device.seed(seed);
    let a = Mlp::new(units, &device);
    let x = Tensor::<2>::random([examples, INPUTS], Distribution::Normal(0.0, 1.0), &device);
    let outputs = |model: &Mlp, x: &Tensor<2>| model.outputs(x);
    let symmetries = SymmetriesConfig::new().run(&outputs, &a, x.clone())?;

    // Permuted, and each unit rescaled: incoming weights times a factor, outgoing ones divided by it.
    let planted = symmetries.random(seed);
    let scales = ScalesConfig::new().run(&outputs, &a, x.clone())?;
    let mut factors = scales.random(seed);
    for factor in factors.iter_mut().flatten() {
        *factor = factor.powi(4);
    }
    let b = scales.apply(&planted.apply(&a)?, &factors)?;
    let change = (a.outputs(&x) - b.outputs(&x)).abs().max();
    println!(
        "two layers of {units} units, permuted and rescaled; outputs differ by {:.1e}",
        change.into_scalar::<f32>()
    );

    let by_weights = WeightMatchingConfig::new().run(&symmetries, &a, &b)?;
    let similarity = RankCorrelation::new(&symmetries, &a, &b, &x)?;
    let by_ranks = CoordinateDescentConfig::new().run(&similarity, &b)?;
    for (name, element) in [
        ("weights", &by_weights.element),
        ("ranks", &by_ranks.element),
    ] {
        let count = agreeing(&symmetries, element, &planted.inverse());
        println!(
            "by {name:8} {count:4} of {} units in their places",
            2 * units
        );
    }
    println!("the sum of rank correlations is {:.4}", by_ranks.objective);

    // What is left are the factors: both have the same canonical form.
    let [a, b] = [&a, &by_ranks.model].map(|model| scales.canonicalize(model));
    let (a, b) = (a?, b?);
    let weight = |model: &Mlp| model.hidden[1].weight.val();
    let difference = (weight(&a) - weight(&b)).abs().max();
    println!(
        "after rescaling, weights of the second layer differ by {:.1e}",
        difference.into_scalar::<f32>()
    );
    Ok(())
}
