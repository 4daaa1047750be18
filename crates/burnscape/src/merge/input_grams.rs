//! Gram matrices of what the weights of a model are multiplied with.

use std::collections::{BTreeMap, HashMap};

use burn::backend::DispatchTensor;
use burn::module::Module;
use burn::tensor::{Device, TensorData};
use burnscape_linearize::{Contraction, Port, PreparedForward};
use nalgebra::DMatrix;

use super::repair::each_batch;
use super::spherical::filter_axes;
use super::{MergeError, RegMean, TensorMap};
use crate::loss::{Batch, DataSet, LossError, MOST_PROGRAMS, Signature, Tensors};
use crate::space::{float_tensors, to_host};
use crate::symmetry::{Traced, flat, moved};

impl RegMean {
    /// The Gram matrices `G = Σ x xᵀ` of the inputs `x` of every linear map of a model, over a data set. They are what
    /// [`RegMean`](super::RegMean) needs.
    ///
    /// The maps are found in the recorded forward pass: every parameter with two axes that is multiplied with something
    /// that depends on the batch, in a sum over its input axis. `x` are the vectors along the axis that is summed over; the
    /// sum is over all other axes, as examples and positions, and over all batches. It is not divided by their number. If a
    /// weight is used several times its matrices add up; a product that is computed twice from the same inputs counts once.
    /// Uses along the output axis, as of an encoder that is transposed to be the decoder, do not count, and neither do
    /// look-ups in embeddings and convolutions.
    ///
    /// The result has a matrix `[in, in]` in f64 for each such weight, trained or frozen, by its first path. It can be
    /// stored, and is needed once for each model.
    ///
    /// `outputs` is the closure of [`Risk::split`](crate::loss::Risk::split), and may also return several tensors. The
    /// model is evaluated as by [`Module::valid`].
    ///
    /// # Cost
    ///
    /// A recording for each set of shapes of a batch, and a forward pass of each batch on the device of the model, where
    /// batches are moved to. Inputs are downloaded; their products take `in²` operations for each vector in f64 on the
    /// host, once for all weights that read the same. Memory for the matrices of all weights, and for the inputs of all
    /// layers on one batch. Batches that are not [made of tensors only](Batch::IS_ONLY_TENSORS) are recorded one by one.
    ///
    /// # Errors
    ///
    /// [`MergeError::Symmetry`] if the closure cannot be recorded; [`MergeError::Statistics`] for an input that is not
    /// finite; [`MergeError::Loss`] for no batches, an empty batch, and data that cannot be read; [`MergeError::Linearize`]
    /// and [`MergeError::Space`] for a device that fails.
    ///
    /// # References
    ///
    /// Jin et al. 2023, *Dataless Knowledge Fusion by Merging Weights of Language Models*, arXiv:2212.09849.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor, TensorData};
    /// use burnscape::merge::RegMean;
    ///
    /// let device = Device::default();
    /// let model = LinearConfig::new(2, 3).init(&device);
    /// let outputs = |m: &Linear, x: &Tensor<2>| m.forward(x.clone());
    /// let data = [[[1.0, 1.0], [1.0, 0.0]], [[0.0, 2.0], [0.0, 0.0]]]
    ///     .map(|inputs| Tensor::<2>::from_floats(inputs, &device));
    /// let grams = RegMean::input_grams(&outputs, &data, &model)?;
    /// let expected = TensorData::from([[2.0_f64, 1.0], [1.0, 5.0]]);
    /// assert_eq!(grams.get("weight"), Some(&expected));
    /// # Ok::<(), burnscape::merge::MergeError>(())
    /// ```
    pub fn input_grams<M, B, T, F, D>(
        outputs: &F,
        data: &D,
        model: &M,
    ) -> Result<TensorMap, MergeError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
        D: DataSet<B> + ?Sized,
    {
        let mut grams = Grams::new(outputs, model)?;
        each_batch::<B, D>(data, |index, batch| grams.add::<B, T>(index, batch))?;
        Ok(grams.into_map())
    }
}

/// The sums of all batches so far.
struct Grams<'g, M, F> {
    outputs: &'g F,
    model: &'g M,
    /// That of the model, where batches are moved to.
    device: Device,
    /// The axis of the outputs of each weight, by path.
    filter_axes: HashMap<String, usize>,
    /// The programs of batches of the same shapes.
    programs: Vec<(Signature, Recorded)>,
    sums: BTreeMap<String, DMatrix<f64>>,
}

/// What the weights read on batches of some shapes.
struct Recorded {
    /// `None` if there is nothing to be read.
    program: Option<PreparedForward>,
    /// The tensors of the model.
    bindings: Vec<DispatchTensor>,
    readings: Vec<Reading>,
}

/// Vectors that weights read.
struct Reading {
    /// The output of the program that they are in.
    output: usize,
    axis: usize,
    /// The number of vectors in the axes before them, their length, and the number behind.
    layout: [usize; 3],
    /// The paths of the weights, once for each use.
    weights: Vec<String>,
}

impl<'g, M: Module, F> Grams<'g, M, F> {
    fn new(outputs: &'g F, model: &'g M) -> Result<Self, MergeError> {
        let tensors = float_tensors(model)?;
        let first = tensors.first();
        Ok(Self {
            outputs,
            model,
            device: first.map_or_else(Device::default, |tensor| tensor.values.device()),
            filter_axes: filter_axes(model)?,
            programs: Vec::new(),
            sums: BTreeMap::new(),
        })
    }

    fn add<B, T>(&mut self, index: usize, batch: B) -> Result<(), MergeError>
    where
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
    {
        if let Ok(Some(0)) = batch.num_examples() {
            return Err(LossError::EmptyBatch { batch: index }.into());
        }
        if !B::IS_ONLY_TENSORS {
            // The closure may do something else for every batch.
            self.programs.clear();
        }
        let batch = moved(batch, &self.device);
        let tensors = Tensors::of(batch.clone());
        let mut known = self.programs.iter();
        let place = match known.position(|(known, _)| *known == tensors.signature) {
            Some(place) => place,
            None => {
                let recorded = self.recorded(batch)?;
                if self.programs.len() == MOST_PROGRAMS {
                    self.programs.remove(0);
                }
                self.programs.push((tensors.signature, recorded));
                self.programs.len() - 1
            }
        };
        let Self { programs, sums, .. } = self;
        let recorded = &mut programs[place].1;
        let read = recorded.run(tensors.values)?;
        for reading in &recorded.readings {
            let gram = reading.gram(read[reading.output].clone(), index)?;
            for path in &reading.weights {
                match sums.get_mut(path) {
                    Some(sum) => *sum += &gram,
                    None => {
                        sums.insert(path.clone(), gram.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// Records the model on a batch.
    fn recorded<B, T>(&self, batch: B) -> Result<Recorded, MergeError>
    where
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
    {
        let traced = Traced::of(self.outputs, self.model, batch)?;
        let mut ports: Vec<Port> = Vec::new();
        let mut readings: Vec<Reading> = Vec::new();
        for contraction in traced.forward.axes().contractions {
            let Some(path) = self.weight(&traced, &contraction) else {
                continue;
            };
            let Contraction { tensor, axis, .. } = contraction;
            let output = ports.iter().position(|known| *known == tensor);
            let output = output.unwrap_or(ports.len());
            let is_known = |known: &&mut Reading| (known.output, known.axis) == (output, axis);
            if let Some(known) = readings.iter_mut().find(is_known) {
                known.weights.push(path);
                continue;
            }
            let shape = tensor.shape();
            readings.push(Reading {
                output,
                axis,
                layout: [
                    shape[..axis].iter().product(),
                    shape[axis],
                    shape[axis + 1..].iter().product(),
                ],
                weights: vec![path],
            });
            if output == ports.len() {
                ports.push(tensor);
            }
        }
        let forward = &traced.forward;
        let program = if ports.is_empty() {
            None
        } else {
            Some(forward.with_outputs(ports)?.prepare(&self.device)?)
        };
        Ok(Recorded {
            program,
            bindings: forward.bindings[..forward.num_model_inputs()].to_vec(),
            readings,
        })
    }

    /// The path of the weight that is summed over along its input axis.
    fn weight(&self, traced: &Traced, contraction: &Contraction) -> Option<String> {
        let place = traced
            .places
            .iter()
            .position(|&place| place == contraction.by)?;
        let tensor = traced.tensors.get(place)?;
        let is_matrix = tensor.shape.len() == 2 && !tensor.shape.contains(&0);
        let path = tensor.paths.first().filter(|_| is_matrix)?;
        let outputs = self.filter_axes.get(path)?;
        (contraction.by_axis + outputs == 1).then(|| path.clone())
    }

    fn into_map(self) -> TensorMap {
        let sums = self.sums.into_iter();
        let tensors = sums.map(|(path, sum)| {
            let size = sum.nrows();
            // Both triangles hold the same numbers, whatever the order of the sums.
            let entry = |place: usize| {
                let (i, j) = (place / size, place % size);
                sum[(i.max(j), i.min(j))]
            };
            let entries: Vec<f64> = (0..size * size).map(entry).collect();
            (path, TensorData::new(entries, [size, size]))
        });
        tensors.collect()
    }
}

impl Recorded {
    /// What is read on a batch, on the device.
    fn run(&mut self, batch: Vec<DispatchTensor>) -> Result<Vec<DispatchTensor>, MergeError> {
        let Some(program) = &mut self.program else {
            return Ok(Vec::new());
        };
        let mut inputs = self.bindings.clone();
        inputs.extend(batch);
        Ok(program.run(&inputs)?)
    }
}

impl Reading {
    /// `Σ x xᵀ`.
    fn gram(&self, tensor: DispatchTensor, batch: usize) -> Result<DMatrix<f64>, MergeError> {
        let values = to_host(flat(tensor))?;
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(MergeError::Statistics {
                tensor: self.weights.join("`, `"),
                message: format!(
                    "an input of the layer is {value} on batch {batch}; look for values in the data that are not \
                     finite, and for a model that has diverged"
                ),
            });
        }
        let [outer, width, inner] = self.layout;
        let vectors = DMatrix::from_fn(width, outer * inner, |i, vector| {
            let (before, behind) = (vector / inner, vector % inner);
            values[(before * width + i) * inner + behind]
        });
        Ok(&vectors * vectors.transpose())
    }
}
