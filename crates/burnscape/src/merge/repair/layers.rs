//! The layers of a recorded model, and the parameters that belong to none.

use std::collections::BTreeMap;

use burnscape_linearize::{Axes, AxisBlock, AxisBlocks, Port, Producer};

use crate::space::FloatTensor;

/// Why parameters are left as they are.
const NO_GROUP: &str = "no group permutes the channels of its layer";
const NORMALIZED: &str = "the normalization behind its layer is repaired instead";
const NO_LAYER: &str = "it is not recognized to scale or shift the channels of a layer";

/// What one set of weights makes, once or several times.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    /// The float tensors that scale its output, with the axis of its channels.
    pub(super) scale: Vec<(usize, usize)>,
    /// The float tensor that is added.
    pub(super) shift: Option<usize>,
    pub(super) num_channels: usize,
}

impl Layer {
    /// The layer of a producer, if a group permutes its channels, and parameters of the model scale them all.
    fn of(producer: &Producer, parameters: &Parameters<'_>) -> Option<Self> {
        let num_channels = *producer.tensor.shape().get(producer.axis)?;
        let channels = producer.axes.get(producer.axis)?;
        if num_channels == 0 || !has_group(channels) {
            return None;
        }
        let mut scale = Vec::with_capacity(producer.scale.len());
        for &(input, axis) in &producer.scale {
            let (index, tensor) = parameters.of(input)?;
            if tensor.shape.get(axis) != Some(&num_channels) {
                return None;
            }
            scale.push((index, axis));
        }
        let shift = producer.shift.and_then(|input| parameters.of(input));
        let shift = shift.filter(|(_, tensor)| tensor.values.dims() == [num_channels]);
        let shift = shift.map(|(index, _)| index);
        (!scale.is_empty() || shift.is_some()).then_some(Self {
            scale,
            shift,
            num_channels,
        })
    }

    fn has(&self, tensor: usize) -> bool {
        let is_scale = self.scale.iter().any(|&(scale, _)| scale == tensor);
        is_scale || self.shift == Some(tensor)
    }
}

/// What a layer makes.
pub(super) struct LayerTensor {
    pub(super) layer: usize,
    /// The axes before the channels, the channels, and the axes behind them.
    pub(super) layout: [usize; 3],
    pub(super) port: Port,
}

/// The layers of a program.
#[derive(Default)]
pub(super) struct Layers {
    /// In the order of the program.
    pub(super) all: Vec<Layer>,
    pub(super) tensors: Vec<LayerTensor>,
    /// The parameters of no layer, each with the reason.
    pub(super) left: BTreeMap<String, String>,
}

impl Layers {
    /// The layers of a program with the float tensors of its model, of which each is the input at its place.
    pub(super) fn of(axes: &Axes, tensors: &[FloatTensor], places: &[usize]) -> Self {
        let parameters = Parameters { tensors, places };
        let mut layers = Self::default();
        let mut reasons = parameters.permuted(&axes.inputs);
        let mut replaced: Vec<usize> = Vec::new();
        for producer in &axes.producers {
            let others = producer.shift.iter().chain(&producer.replaced).copied();
            let Some(layer) = Layer::of(producer, &parameters) else {
                for (tensor, _) in others.filter_map(|input| parameters.of(input)) {
                    reasons.entry(tensor).and_modify(|why| *why = NO_GROUP);
                }
                let scales = producer.scale.iter().map(|&(input, _)| input);
                for (tensor, _) in scales.filter_map(|input| parameters.of(input)) {
                    reasons.insert(tensor, NO_GROUP);
                }
                continue;
            };
            replaced.extend(&producer.replaced);
            layers.add(layer, producer);
        }
        for (tensor, _) in replaced
            .into_iter()
            .filter_map(|input| parameters.of(input))
        {
            reasons.entry(tensor).and_modify(|why| *why = NORMALIZED);
        }
        reasons.retain(|tensor, _| !layers.all.iter().any(|layer| layer.has(*tensor)));
        let left = reasons.into_iter().filter_map(|(tensor, why)| {
            let path = tensors[tensor].paths.first()?;
            Some((path.clone(), why.to_string()))
        });
        layers.left = left.collect();
        layers
    }

    fn add(&mut self, layer: Layer, producer: &Producer) {
        let shape = producer.tensor.shape();
        let outer = shape[..producer.axis].iter().product();
        let inner = shape[producer.axis + 1..].iter().product();
        let layout = [outer, layer.num_channels, inner];
        let known = self.all.iter().position(|known| *known == layer);
        let layer = known.unwrap_or_else(|| {
            self.all.push(layer);
            self.all.len() - 1
        });
        self.tensors.push(LayerTensor {
            layer,
            layout,
            port: producer.tensor.clone(),
        });
    }
}

/// The float tensors of a model, without running statistics.
struct Parameters<'t> {
    tensors: &'t [FloatTensor],
    /// The input of each float tensor.
    places: &'t [usize],
}

impl<'t> Parameters<'t> {
    /// The parameter that is an input.
    fn of(&self, input: usize) -> Option<(usize, &'t FloatTensor)> {
        let index = self.places.iter().position(|&place| place == input)?;
        let tensor = self.tensors.get(index)?;
        (!tensor.is_running_statistic).then_some((index, tensor))
    }

    /// The parameters that a group permutes.
    fn permuted(&self, inputs: &[Vec<AxisBlocks>]) -> BTreeMap<usize, &'static str> {
        let inputs = inputs.iter().enumerate();
        let permuted = inputs.filter(|(_, axes)| axes.iter().any(|axis| has_group(axis)));
        let permuted = permuted.filter_map(|(input, _)| self.of(input));
        permuted.map(|(tensor, _)| (tensor, NO_LAYER)).collect()
    }
}

fn has_group(axis: &[AxisBlock]) -> bool {
    let mut factors = axis.iter().flat_map(|block| &block.factors);
    factors.any(|factor| factor.group.is_ok())
}
