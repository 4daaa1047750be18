//! An ascent with a memory, added to SAM from outside the library: trained, saved, resumed, and compared with
//! the run that was never interrupted.
//!
//! SAM looks for its second gradient along the gradient of one batch. This ascent looks along a running average
//! of the gradients that earlier steps found at their displaced weights.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamConfig;
use burn::tensor::{Device, Tensor, TensorData};
use burnscape::OutOfRange;
use burnscape::optim::{
    Ascent, AscentContext, AscentRule, Need, OptimError, OptimRecord, Perturbation, Sam, SamConfig,
};
use burnscape::space::LeafVector;
use clap::Parser;
use serde::{Deserialize, Serialize};

/// Averages gradients at displaced weights, and ascends along the average.
#[derive(Debug, Clone)]
struct AveragedAscent {
    /// The share of the average that stays in a step.
    decay: f64,
}

/// The memory of the ascent. Serde writes the number, the library the vector.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Average {
    steps: u32,
    #[serde(skip)]
    gradient: Option<LeafVector>,
}

impl AscentRule for AveragedAscent {
    type Memory = Average;

    fn name(&self) -> &'static str {
        "an ascent along averaged gradients"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Memory]
    }

    fn validate(&self) -> Result<(), OutOfRange> {
        match self.decay {
            decay if (0.0..1.0).contains(&decay) => Ok(()),
            value => Err(OutOfRange::new("decay", value, "at least 0, less than 1")),
        }
    }

    fn vectors(average: &mut Average) -> Vec<(&'static str, &mut Option<LeafVector>)> {
        vec![("gradient", &mut average.gradient)]
    }

    fn ascend(
        &self,
        average: &Average,
        context: &mut AscentContext<'_>,
    ) -> Result<Perturbation, OptimError> {
        let Some(sum) = &average.gradient else {
            // Without earlier steps: plain SAM.
            let vector = context.ascent_step();
            return Ok(Perturbation::Displacement { vector, scale: 1.0 });
        };
        // The average starts from zero, as Adam's do; its bias drops out of a direction of a given length.
        let norm = sum.norm()?;
        let scale = if norm > 0.0 { context.rho / norm } else { 0.0 };
        let vector = sum.clone();
        Ok(Perturbation::Displacement { vector, scale })
    }

    fn remember(
        &self,
        average: &mut Average,
        _gradient: &LeafVector,
        perturbed: Option<&LeafVector>,
    ) -> Result<(), OptimError> {
        let Some(found) = perturbed else {
            return Ok(());
        };
        average.gradient = Some(match &average.gradient {
            None => found.clone().scale(1.0 - self.decay),
            Some(sum) => sum.axpby(self.decay, 1.0 - self.decay, found)?,
        });
        average.steps += 1;
        Ok(())
    }
}

#[derive(Parser)]
struct Arguments {
    /// Steps before the run is saved, and again after it is resumed.
    #[arg(long, default_value_t = 200)]
    steps: usize,
    /// Share of the average that stays in a step.
    #[arg(long, default_value_t = 0.9)]
    decay: f64,
}

/// A line with slope 3 and offset −1, a little off.
struct Data {
    x: Tensor<2>,
    y: Tensor<2>,
}

impl Data {
    fn new(device: &Device) -> Self {
        let values: Vec<f32> = (0..64u8).map(|i| f32::from(i) / 32.0 - 1.0).collect();
        let x = Tensor::<2>::from_data(TensorData::new(values, [64, 1]), device);
        let y = x.clone() * 3.0 - 1.0 + (x.clone() * 20.0).sin() * 0.1;
        Self { x, y }
    }

    fn loss(&self, model: &Linear) -> Tensor<1> {
        (model.forward(self.x.clone()) - self.y.clone())
            .square()
            .mean()
    }
}

fn train(
    sam: &mut Sam,
    model: &mut Linear,
    data: &Data,
    steps: usize,
) -> Result<Option<f64>, OptimError> {
    let mut loss = None;
    for _ in 0..steps {
        loss = sam
            .step(0.02, model, |model: &Linear| data.loss(model))?
            .loss;
    }
    Ok(loss)
}

fn weights(model: &Linear) -> [Option<TensorData>; 2] {
    let bias = model.bias.as_ref().map(|bias| bias.val().into_data());
    [Some(model.weight.val().into_data()), bias]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { steps, decay } = Arguments::parse();
    let device = Device::default().autodiff();
    let data = Data::new(&device);
    let config = SamConfig::new().with_ascent(Ascent::custom(AveragedAscent { decay }));
    let fresh = || config.init(AdamConfig::new().init());
    let new_model = || LinearConfig::new(1, 1).init(&device);

    let mut model = new_model();
    let mut sam = fresh()?;
    train(&mut sam, &mut model, &data, steps)?;

    // The state of Adam and of the ascent go into one record. A file would do as well: `OptimRecord::save`.
    let saved = sam.to_record(&model)?.into_bytes()?;
    let saved_model = model.clone().into_record();

    let loss = train(&mut sam, &mut model, &data, steps)?;

    let mut resumed_model = new_model().load_record(saved_model);
    let mut resumed = fresh()?.load_record(OptimRecord::from_bytes(saved)?, &resumed_model)?;
    train(&mut resumed, &mut resumed_model, &data, steps)?;

    println!(
        "loss {:.5} after {} steps",
        loss.unwrap_or(f64::NAN),
        sam.num_steps()
    );
    if weights(&resumed_model) != weights(&model) {
        return Err("the resumed run is not the uninterrupted one".into());
    }
    println!("the resumed run ends at the same weights, bit for bit");
    Ok(())
}
