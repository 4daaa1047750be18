//! How the way to a server grows with the number of parameters.

use std::hint::black_box;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Int, Tensor};
use burnscape::loss::Risk;
use burnscape::space::ParamVector;

use crate::models::{Batch, Classifier};
use crate::server::{Server, device};
use crate::spread::multiply;
use crate::timing::Times;
use crate::{Failure, Outcome};

pub(crate) const HEAD: &str = "\
MLP 784-w-w-10, 4 × 32: product              here     both, ÷ here  vector, ns each";

/// Examples of a batch.
const EXAMPLES: usize = 32;

/// 784-w-w-10.
#[derive(Module, Debug)]
struct Wide {
    layers: [Linear; 3],
}

impl Wide {
    fn new(width: usize, device: &Device) -> Self {
        let layer = |from, to| LinearConfig::new(from, to).init(device);
        Self {
            layers: [layer(784, width), layer(width, width), layer(width, 10)],
        }
    }
}

impl Classifier<2> for Wide {
    fn logits(&self, input: Tensor<2>) -> Tensor<2> {
        let [first, second, last] = &self.layers;
        last.forward(relu(second.forward(relu(first.forward(input)))))
    }
}

/// A product here, one with half of the batches on the server, and a vector that goes there and back.
pub(crate) fn report(width: usize, server: &Server, rounds: usize) -> Outcome {
    let here = Device::flex();
    let remote = device(server.address, 0)?;
    let model = Wide::new(width, &here);
    let data: Vec<Batch<2>> = (0..4).map(|_| batch(&here)).collect();
    let loss = |model: &Wide, batch: Batch<2>| model.loss(&batch);
    let risk = Risk::new(&loss, &data).with_checks(false);
    let alone = risk.hessian(&model)?;
    let both = risk.clone().with_devices([here.clone(), remote.clone()]);
    let both = both.hessian(&model)?;
    let v = ParamVector::gaussian(alone.space(), 1)?;
    let way = || -> Result<(), Failure> {
        let there = Tensor::<1>::from_data(v.values().clone().try_into_data()?, &remote);
        black_box(there.try_into_data()?);
        Ok(())
    };
    let times = Times::in_turns(
        rounds,
        [
            &mut || multiply(&alone, &v),
            &mut || multiply(&both, &v),
            &mut || way(),
        ],
    )?;
    let numbers = model.num_params();
    println!(
        "{:<38}{:>11.3}{:>8.3}{:>9.3}{:>9.3}{:>8.2}",
        format!("w = {width}, {numbers} parameters"),
        times.ms(0),
        times.ms(1),
        times.ratio(1, 0),
        times.ms(2),
        1e6 * times.ms(2) / numbers as f64,
    );
    Ok(())
}

fn batch(device: &Device) -> Batch<2> {
    let input = Tensor::random([EXAMPLES, 784], Distribution::Normal(0.0, 1.0), device);
    let target = Tensor::<1, Int>::arange(0..EXAMPLES as i64, device);
    (input, target.remainder_scalar(10))
}
