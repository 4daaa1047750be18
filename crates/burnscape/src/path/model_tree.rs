use burnscape_topology::{MergeTree, ModelGraph};

use super::{CurveProfile, PathError};

/// How much a loss at an end of a profile may differ from the loss of the model there, relative to the larger one.
/// Statistics and sums in another order differ less; another model differs more.
const TOLERANCE: f64 = 1e-3;

/// The merge tree of models that are joined by measured paths: which of them lie in one basin, and below which loss.
///
/// `losses` are those of the models, and a path is the numbers of the two models that it starts and ends at, with its
/// profile. Its value is the largest training loss at the places measured, not its barrier above a straight line. Two
/// models meet at the lowest such value of all ways between them over measured paths.
///
/// A pair without a path is not joined, and a better path would be lower: deaths are upper bounds, which another path can
/// only lower. They are so up to what lies between the places of a profile. A path may be higher there than at all of
/// its places, and its value is then too low: from the two ends alone, no path has a barrier. Further places between them
/// can only raise the value, and show by how much. Say which pairs were fitted, and how many places each profile has.
///
/// # Units
///
/// Those of the loss.
///
/// # Cost
///
/// No loss is evaluated. `O(m log m)` for `m` models and paths.
///
/// # Errors
///
/// [`PathError::StoppedProfile`], [`PathError::OtherEnds`] for a profile whose losses at the ends are not those of the
/// models, to a thousandth; [`PathError::Topology`] for a path that ends at a model that is not there or where it
/// began, without models, and for a loss that is NaN.
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::path::{CurveProfileConfig, PolygonalChain, model_merge_tree};
/// use burnscape::topology::Death;
///
/// // Two models of one weight, in wells at −1 and 1 with a pass of height 1 between them.
/// let device = Device::default();
/// let [a, b] = [-1.0, 1.0].map(|value| {
///     let config = LinearConfig::new(1, 1).with_bias(false);
///     config.with_initializer(Initializer::Constant { value }).init(&device)
/// });
/// let loss = |m: &Linear, x: Tensor<2>| (m.forward(x).square() - 1.0).square().mean();
/// let data = [Tensor::<2>::ones([1, 1], &device)];
/// let risk = Risk::new(&loss, &data);
/// let losses = [risk.loss(&a)?.value, risk.loss(&b)?.value];
/// let profile = CurveProfileConfig::new().run(&risk, &PolygonalChain::line(&a, &b)?)?;
/// let tree = model_merge_tree(&losses, &[(0, 1, &profile)])?;
/// assert_eq!(tree.branches()[1].death, Death::At(1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn model_merge_tree(
    losses: &[f64],
    paths: &[(usize, usize, &CurveProfile)],
) -> Result<MergeTree, PathError> {
    let mut graph = ModelGraph::new(losses.to_vec())?;
    for &(first, second, profile) in paths {
        // Controls may have been stopped after the path was complete.
        if profile.barriers().is_none() {
            let t = profile.times.last().copied().unwrap_or(0.0);
            return Err(PathError::StoppedProfile { first, second, t });
        }
        // This checks the numbers of the models, too.
        let _path = graph.connect(first, second, profile.train.max)?;
        let values = &profile.train.values;
        let found = [values.first(), values.last()].map(|end| end.copied().unwrap_or(f64::NAN));
        let expected = [losses[first], losses[second]];
        if (0..2).any(|end| !are_near(expected[end], found[end])) {
            return Err(PathError::OtherEnds {
                first,
                second,
                expected,
                found,
            });
        }
    }
    Ok(MergeTree::of_graph(&graph))
}

/// Whether two losses are one, up to the tolerance.
fn are_near(one: f64, other: f64) -> bool {
    one == other || (one - other).abs() <= TOLERANCE * one.abs().max(other.abs())
}
