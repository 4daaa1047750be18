//! How far two checkpoints are apart.

use std::cmp::Ordering;

use burnscape::merge::{CheckpointDistance, CheckpointFile, StoredTensor, TensorDistance};

use super::arguments::{DistanceArguments, Order};
use super::bytes::Starts;
use super::error::CommandError;
use super::number::significant;
use super::output::{print, print_json, table};
use super::recipe::counted;

/// What the columns are.
const LEGEND: &str = "\
|a - b|: Euclidean distance; |a|, |b|: norms; relative: |a - b| / |a|; cosine: of the angle between a and b; \
largest: the largest difference of two elements";

pub(crate) fn run(arguments: &DistanceArguments) -> Result<(), CommandError> {
    let [a, b] = [&arguments.a, &arguments.b].map(CheckpointFile::open);
    let (a, b) = (a?, b?);
    let mut distance = CheckpointDistance::between(&a, &b)?;
    match arguments.sort {
        Order::Relative => distance
            .tensors
            .sort_by(|one, other| larger_first(relative(one), relative(other))),
        Order::Distance => distance
            .tensors
            .sort_by(|one, other| larger_first(one.distance, other.distance)),
        Order::Name => {}
    }
    let all = distance.tensors.len();
    distance.tensors.truncate(arguments.top.unwrap_or(all));
    if arguments.json {
        return print_json(&distance);
    }
    let mut text = numbers(&distance);
    let hidden = all - distance.tensors.len();
    if hidden > 0 {
        text.push_str(&format!(
            "{} more, not printed\n",
            counted(hidden, "tensor")
        ));
    }
    text.push_str(&others(&a, &b));
    print(&format!("{text}\n{LEGEND}"))
}

/// Without a norm to compare with, any distance is large.
fn relative(tensor: &TensorDistance) -> f64 {
    match tensor.relative {
        Some(relative) => relative,
        None if tensor.distance == 0.0 => 0.0,
        None => f64::INFINITY,
    }
}

fn larger_first(one: f64, other: f64) -> Ordering {
    other.total_cmp(&one)
}

fn numbers(distance: &CheckpointDistance) -> String {
    let header = [
        "tensor", "|a - b|", "|a|", "|b|", "relative", "cosine", "largest",
    ];
    let mut rows = vec![header.map(String::from).to_vec()];
    let tensors = distance.tensors.iter();
    rows.extend(tensors.map(|tensor| row(&tensor.name, tensor)));
    rows.push(row("in total", &distance.total));
    table(&rows, &[0])
}

fn row(name: &str, tensor: &TensorDistance) -> Vec<String> {
    let none = || "none".to_string();
    vec![
        name.to_string(),
        significant(tensor.distance),
        significant(tensor.norm_a),
        significant(tensor.norm_b),
        tensor.relative.map_or_else(none, significant),
        tensor
            .cosine
            .map_or_else(none, |cosine| format!("{cosine:.6}")),
        significant(tensor.largest),
    ]
}

/// The tensors that are not floats, with their types, and whether they are equal.
fn others(a: &CheckpointFile, b: &CheckpointFile) -> String {
    let mut starts = Starts::default();
    let others = a.tensors().iter().filter(|tensor| !tensor.is_float());
    let others = others.map(|tensor| {
        let mut tensors = b.tensors().iter();
        let other = tensors.find(|other: &&StoredTensor| other.name == tensor.name);
        let are_equal = other.and_then(|other| starts.are_equal(tensor, other));
        let equal = match are_equal {
            Some(true) => ", equal",
            Some(false) => ", different",
            None => "",
        };
        format!("not compared: {} ({}{equal})\n", tensor.name, tensor.dtype)
    });
    others.collect()
}
