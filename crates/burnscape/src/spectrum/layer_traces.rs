use std::io;

use burnscape_krylov::{SelfAdjoint, TraceConfig};
use serde::{Deserialize, Serialize};

use super::Spectrum;
use crate::curvature::{CurvatureError, LayerValue};
use crate::range::ensure;
use crate::space::{ParamSpace, ParamVector};
use crate::writing::csv;
use crate::{Csv, FormatError};

/// The trace of the diagonal block of each layer and parameter, all from the same products.
///
/// For a Rademacher vector `v` the mean of `v_b · (A v)_b`, summed over the coordinates of a block, is the trace of the
/// block. The traces of the layers add up to that of the whole operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LayerTraces {
    /// The trace of each module that owns parameters, in the model's order.
    pub layers: Vec<LayerValue>,
    /// The trace of each parameter.
    pub parameters: Vec<LayerValue>,
    /// The trace of the whole.
    pub total: LayerValue,
    /// Probability with which an interval covers.
    pub confidence: f64,
    /// Products used.
    pub num_matvecs: usize,
}

/// `path,len,trace,half_width`, a line for each layer.
impl Csv for LayerTraces {
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let rows = self.layers.iter().map(|layer| {
            let half_width = layer.half_width.map(|half| half.to_string());
            [
                layer.path.clone(),
                layer.len.to_string(),
                layer.value.to_string(),
                half_width.unwrap_or_default(),
            ]
        });
        Ok(csv(["path", "len", "trace", "half_width"], rows, writer)?)
    }
}

impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The traces of the diagonal blocks of all layers and parameters.
    ///
    /// # Cost
    ///
    /// `probes` products; two vectors of parameters.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::OutOfRange`] for no probes, [`CurvatureError::Krylov`] for a confidence out of range or a product
    /// that is not finite.
    pub fn trace_by_layer(&self) -> Result<LayerTraces, CurvatureError> {
        let num_probes = self.settings.num_probes;
        ensure("num_probes", num_probes as f64, 1.0..)?;
        let space = self.operator.domain();
        // The path of each row, and the indices of the parameters that it sums.
        let mut rows = owners(&space);
        let num_layers = rows.len();
        let leaves = space.leaves().iter().enumerate();
        rows.extend(leaves.map(|(index, leaf)| (leaf.path().to_string(), vec![index])));
        rows.push(("all".to_string(), (0..space.leaves().len()).collect()));
        let blocks = |v: &ParamVector, product: &ParamVector| {
            let dots = v.leaf_dots(product)?;
            let sum = |(_, leaves): &(String, Vec<usize>)| leaves.iter().map(|i| dots[*i]).sum();
            Ok(rows.iter().map(sum).collect())
        };
        let found = TraceConfig::new()
            .with_max_matvecs(num_probes)
            .with_confidence(self.settings.confidence)
            .with_seed(self.settings.seed)
            .run_integrands(self.operator, blocks)?;
        let products = found.first().map_or(0, |block| block.num_matvecs);
        let answers = rows
            .iter()
            .zip(&found)
            .map(|((path, leaves), block)| LayerValue {
                path: path.clone(),
                len: leaves.iter().map(|leaf| space.leaves()[*leaf].len()).sum(),
                value: block.value,
                standard_error: None,
                half_width: block.half_width,
            });
        let mut layers: Vec<LayerValue> = answers.collect();
        let total = layers.remove(rows.len() - 1);
        let parameters = layers.split_off(num_layers);
        Ok(LayerTraces {
            layers,
            parameters,
            total,
            confidence: self.settings.confidence,
            num_matvecs: products,
        })
    }
}

/// The modules that own parameters, each with the indices of its parameters.
fn owners(space: &ParamSpace) -> Vec<(String, Vec<usize>)> {
    let mut owners: Vec<(String, Vec<usize>)> = Vec::new();
    for (index, leaf) in space.leaves().iter().enumerate() {
        // A parameter that belongs to the model itself counts as a layer.
        let owner = leaf
            .path()
            .rsplit_once('.')
            .map_or(leaf.path(), |(owner, _)| owner);
        match owners.iter_mut().find(|(known, _)| known == owner) {
            Some((_, leaves)) => leaves.push(index),
            None => owners.push((owner.to_string(), vec![index])),
        }
    }
    owners
}
