use std::fmt::Write;

use burn::module::Module;
use serde::{Deserialize, Serialize};

use crate::landscape::{Direction, LandscapeError};
use crate::loss::{Digest, LossError, NormalizationPolicy, Risk};
use crate::space::{ParamLeaf, SpaceError, float_tensors, to_host};
use crate::writing::number;

/// The losses of two machines may differ by this many units of rounding.
const ROUNDING: f64 = 1e3;

/// Everything that decides the values of a landscape.
pub(in crate::landscape) struct Fingerprinted<'f, M> {
    pub(in crate::landscape) model: &'f M,
    pub(in crate::landscape) directions: &'f [Direction],
    /// The coordinates along each direction.
    pub(in crate::landscape) axes: &'f [Vec<f64>],
    pub(in crate::landscape) policy: NormalizationPolicy,
    /// The names of the columns and their risks: `loss` first, then the metrics.
    pub(in crate::landscape) risks: &'f [(&'f str, &'f dyn Fingerprinting<M>)],
    /// The values of the risks at the model.
    pub(in crate::landscape) base: &'f [f64],
    /// The machine epsilon of the element type.
    pub(in crate::landscape) epsilon: f64,
}

/// A risk of any kind.
pub(in crate::landscape) trait Fingerprinting<M> {
    /// The names of the settings of its evaluation, and their values.
    fn settings(&self, model: &M) -> Result<Vec<(&'static str, String)>, LossError>;

    /// A hash of each batch.
    fn digests(&self) -> Result<Vec<u64>, LossError>;
}

impl<M: Module, K> Fingerprinting<M> for Risk<'_, M, K> {
    fn settings(&self, model: &M) -> Result<Vec<(&'static str, String)>, LossError> {
        // Identifiers of parameters are random. Their paths are the same in another process.
        let group = if self.has_group() {
            let space = self.space(model)?;
            let paths: Vec<&str> = space.leaves().iter().map(ParamLeaf::path).collect();
            format!("{paths:?}")
        } else {
            "all".to_string()
        };
        Ok(vec![
            ("mode", format!("{:?}", self.mode())),
            ("reduction", format!("{:?}", self.reduction())),
            ("draws", format!("{:?}", self.draws())),
            ("group", group),
        ])
    }

    fn digests(&self) -> Result<Vec<u64>, LossError> {
        Ok(self.read_data()?.digests)
    }
}

/// What two runs must have in common to share the values of points: settings as words, and hashes of all numbers.
///
/// Of functions only values are known: at the model, and at one point of the file. Two functions that agree at both, up
/// to rounding, are taken for the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::landscape) struct Fingerprint {
    columns: Vec<String>,
    shape: Vec<usize>,
    settings: Vec<(String, String)>,
    digests: Vec<(String, String)>,
    #[serde(with = "number")]
    base: Vec<f64>,
    /// How far base values may differ, relative to them. That of the present run counts.
    #[serde(skip)]
    tolerance: f64,
}

impl Fingerprint {
    /// # Cost
    ///
    /// Downloads the model and the directions, and reads the data of each risk once. Nothing is evaluated.
    pub(in crate::landscape) fn of<M: Module>(
        run: &Fingerprinted<'_, M>,
    ) -> Result<Self, LandscapeError> {
        let mut settings = vec![("the policy".to_string(), format!("{:?}", run.policy))];
        let mut digests = of_model(run.model)?;
        for (index, direction) in run.directions.iter().enumerate() {
            digests.push((format!("direction {index}"), of_direction(direction)?));
        }
        for (index, axis) in run.axes.iter().enumerate() {
            let mut digest = Digest::new();
            add(&mut digest, axis);
            digests.push((format!("the coordinates of axis {index}"), hex(&digest)));
        }
        for &(name, risk) in run.risks {
            for (setting, value) in risk.settings(run.model)? {
                settings.push((format!("the {setting} of `{name}`"), value));
            }
            let mut digest = Digest::new();
            for batch in risk.digests()? {
                digest.bytes(batch.to_le_bytes());
            }
            digests.push((of_data(name), hex(&digest)));
        }
        let names = run.risks.iter().map(|(name, _)| (*name).to_string());
        Ok(Self {
            columns: names.collect(),
            shape: run.axes.iter().map(Vec::len).collect(),
            settings,
            digests,
            base: run.base.to_vec(),
            tolerance: ROUNDING * run.epsilon,
        })
    }

    /// The digest of the data of the loss.
    pub(in crate::landscape) fn data(&self) -> Option<String> {
        let loss = of_data("loss");
        let mut digests = self.digests.iter();
        let data = digests.find(|(name, _)| *name == loss);
        data.map(|(_, digest)| digest.clone())
    }

    /// The number of values of a point.
    pub(super) fn num_columns(&self) -> usize {
        self.columns.len()
    }

    /// The number of points of the grid.
    pub(super) fn num_points(&self) -> usize {
        let lengths = self.shape.iter();
        lengths.fold(1, |points, &length| points.saturating_mul(length))
    }

    /// What makes `found` the fingerprint of another run, in words.
    pub(super) fn difference(&self, found: &Self) -> Option<String> {
        let mut differ = Vec::new();
        if found.columns != self.columns {
            let (found, own) = (found.columns.join("`, `"), self.columns.join("`, `"));
            differ.push(format!("the columns (`{found}`, now `{own}`)"));
        }
        if found.shape != self.shape {
            let (found, own) = (&found.shape, &self.shape);
            differ.push(format!("the shape of the grid ({found:?}, now {own:?})"));
        }
        // With other columns or axes, the parts have other names.
        if differ.is_empty() {
            for (index, setting) in self.settings.iter().enumerate() {
                let (name, own) = setting;
                match found.settings.get(index) {
                    Some(found) if found == setting => (),
                    Some((_, found)) => differ.push(format!("{name} (`{found}`, now `{own}`)")),
                    None => differ.push(name.clone()),
                }
            }
            for (index, part) in self.digests.iter().enumerate() {
                if found.digests.get(index) != Some(part) {
                    differ.push(part.0.clone());
                }
            }
        }
        // Other weights and other data have other losses.
        if differ.is_empty() {
            differ = self.other_functions("the model", &found.base, &self.base);
        }
        in_words(&differ)
    }

    /// What makes values at a point those of other functions, in words.
    pub(super) fn difference_at(&self, at: &[f64], found: &[f64], own: &[f64]) -> Option<String> {
        in_words(&self.other_functions(&format!("point {at:?}"), found, own))
    }

    /// The columns whose values at a place differ by more than rounding.
    fn other_functions(&self, place: &str, found: &[f64], own: &[f64]) -> Vec<String> {
        let mut others = Vec::new();
        for (index, (name, own)) in self.columns.iter().zip(own).enumerate() {
            let found = found.get(index).copied().unwrap_or(f64::NAN);
            if !self.is_near(*own, found) {
                others.push(format!(
                    "the value of `{name}` at {place} ({found}, now {own}), which is another \
                     function"
                ));
            }
        }
        others
    }

    fn is_near(&self, a: f64, b: f64) -> bool {
        if a.is_finite() && b.is_finite() {
            (a - b).abs() <= self.tolerance * a.abs().max(b.abs())
        } else {
            a == b || (a.is_nan() && b.is_nan())
        }
    }
}

/// All differences, if there are any.
fn in_words(differ: &[String]) -> Option<String> {
    (!differ.is_empty()).then(|| format!("it differs in {}", differ.join(", ")))
}

/// What the digest of the data of a column is called.
fn of_data(column: &str) -> String {
    format!("the data of `{column}`")
}

/// Digests of the parameters of a model, trainable and frozen, and of its running statistics.
fn of_model<M: Module>(model: &M) -> Result<Vec<(String, String)>, SpaceError> {
    let (mut weights, mut statistics) = (Digest::new(), Digest::new());
    for tensor in float_tensors(model)? {
        let digest = if tensor.is_running_statistic {
            &mut statistics
        } else {
            &mut weights
        };
        let (paths, shape, dtype) = (&tensor.paths, &tensor.shape, tensor.values.dtype());
        let _ = write!(digest, "{paths:?} {shape:?} {dtype:?}");
        add(digest, &to_host(tensor.values)?);
    }
    Ok(vec![
        ("the weights".to_string(), hex(&weights)),
        ("the running statistics".to_string(), hex(&statistics)),
    ])
}

/// A digest of a direction, with its change of running statistics.
fn of_direction(direction: &Direction) -> Result<String, SpaceError> {
    let mut digest = Digest::new();
    let vector = direction.vector();
    for leaf in vector.space().leaves() {
        let _ = write!(digest, "{:?} {:?}", leaf.path(), leaf.shape());
        add(&mut digest, &to_host(vector.leaf(leaf))?);
    }
    if let Some(statistics) = direction.statistics() {
        for path in statistics.paths() {
            let _ = write!(digest, "{path:?}");
            if let Some(values) = statistics.get(path) {
                add(&mut digest, &to_host(values.clone())?);
            }
        }
    }
    Ok(hex(&digest))
}

/// Adds every bit of the numbers.
fn add(digest: &mut Digest, numbers: &[f64]) {
    for number in numbers {
        digest.bytes(number.to_bits().to_le_bytes());
    }
}

fn hex(digest: &Digest) -> String {
    format!("{:016x}", digest.value())
}

#[cfg(test)]
pub(super) mod tests {
    use burn::module::{Param, ParamGroup};
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::{Device, Tensor};

    use super::*;
    use crate::loss::Mode;

    /// The fingerprint of a run over a grid of three by two points with two columns.
    pub(in super::super) fn example() -> Fingerprint {
        let part = |name: &str, value: &str| (name.to_string(), value.to_string());
        Fingerprint {
            columns: vec!["loss".to_string(), "error".to_string()],
            shape: vec![3, 2],
            settings: vec![part("the policy", "Leave")],
            digests: vec![part("the weights", "01"), part("direction 0", "02")],
            base: vec![0.5, f64::NAN],
            tolerance: 1e-10,
        }
    }

    #[test]
    fn a_fingerprint_survives_the_file() {
        let text = serde_json::to_string(&example()).unwrap();
        let read: Fingerprint = serde_json::from_str(&text).unwrap();
        assert_eq!(example().difference(&read), None);
        assert_eq!(example().num_points(), 6);
    }

    #[test]
    fn everything_that_differs_is_named() {
        let differs = |change: &dyn Fn(&mut Fingerprint)| {
            let mut found = example();
            change(&mut found);
            example().difference(&found).unwrap()
        };
        assert_eq!(
            differs(&|found| {
                found.digests[0].1 = "03".to_string();
                found.digests.pop();
                found.settings[0].1 = "Interpolate".to_string();
                found.base[0] = 7.0;
            }),
            "it differs in the policy (`Interpolate`, now `Leave`), the weights, direction 0"
        );
        assert_eq!(
            differs(&|found| {
                found.columns.pop();
                found.shape = vec![3, 3];
            }),
            "it differs in the columns (`loss`, now `loss`, `error`), the shape of the grid \
             ([3, 3], now [3, 2])"
        );
        assert_eq!(
            differs(&|found| found.base[0] = 0.25),
            "it differs in the value of `loss` at the model (0.25, now 0.5), which is another \
             function"
        );
        for base in [0.0, f64::INFINITY] {
            let what = differs(&|found| found.base[1] = base);
            assert!(what.contains("value of `error`"), "{what}");
        }
    }

    #[test]
    fn values_at_a_point_tell_functions_apart() {
        let differs = |found: [f64; 2], own: [f64; 2]| {
            let what = example().difference_at(&[0.5, -1.0], &found, &own);
            what.map(|what| what.split(" (").next().unwrap_or_default().to_string())
        };
        assert_eq!(differs([2.0, -1.0], [2.0 + 1e-11, -1.0]), None);
        for same in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(differs([same, 1.0], [same, 1.0]), None);
        }
        let loss = Some("it differs in the value of `loss` at point [0.5, -1.0]".to_string());
        assert_eq!(differs([2.0, -1.0], [2.0 + 1e-8, -1.0]), loss);
        for (found, own) in [
            (f64::NAN, f64::INFINITY),
            (f64::INFINITY, f64::NEG_INFINITY),
            (f64::NAN, 1.0),
            (1.0, f64::NAN),
        ] {
            assert_eq!(differs([found, 1.0], [own, 1.0]), loss);
        }
        let error = Some("it differs in the value of `error` at point [0.5, -1.0]".to_string());
        assert_eq!(differs([2.0, 0.0], [2.0, 1.0]), error);
    }

    #[test]
    fn the_rounding_of_another_machine_is_not_another_function() {
        let mut found = example();
        found.base[0] *= 1.0 + 1e-12;
        assert_eq!(example().difference(&found), None);
        found.base[0] *= 1.0 + 1e-9;
        assert!(example().difference(&found).is_some());
    }

    #[test]
    fn every_setting_of_a_risk_counts() {
        let device = Device::default();
        let model = LinearConfig::new(2, 1).init(&device);
        let loss = |model: &Linear, x: Tensor<2>| model.forward(x).mean();
        let data = [Tensor::<2>::ones([3, 2], &device)];
        let risk: Risk<'_, Linear> = Risk::new(&loss, &data);
        let settings = |risk: &Risk<'_, Linear>| risk.settings(&model).unwrap();
        let own = settings(&risk);
        assert_eq!(own.len(), 4);
        for (index, other) in [
            (0, risk.clone().with_mode(Mode::Train)),
            (2, risk.clone().with_draws_seed(1)),
            (3, risk.clone().with_group(ParamGroup::from_path("weight"))),
        ] {
            let mut other = settings(&other);
            assert_ne!(other[index].1, own[index].1);
            other[index].1.clone_from(&own[index].1);
            assert_eq!(other, own);
        }
    }

    #[test]
    fn digests_follow_every_tensor_of_a_model() {
        let device = Device::default();
        let ones = || {
            let mut model = LinearConfig::new(2, 1).init(&device);
            model.weight = Param::from_tensor(Tensor::ones([2, 1], &device));
            model.bias = Some(Param::from_tensor(Tensor::ones([1], &device)));
            model
        };
        let own = of_model(&ones()).unwrap();
        assert_eq!(own, of_model(&ones()).unwrap());
        let mut other = ones();
        other.bias = Some(Param::from_tensor(Tensor::zeros([1], &device)));
        let other = of_model(&other).unwrap();
        assert_ne!(own[0], other[0]);
        // There are none.
        assert_eq!(own[1], other[1]);
    }
}
