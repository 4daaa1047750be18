//! An ordinary Burn training loop with SGD swapped for SAM. What it replaces is in comments.

use burn::nn::{Linear, LinearConfig};
use burn::optim::SgdConfig;
use burn::tensor::{Device, Distribution, Tensor};
use burnscape::optim::SamConfig;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::default().autodiff();
    let x = Tensor::<2>::random([64, 1], Distribution::Uniform(-1.0, 1.0), &device);
    let y = x.clone() * 3.0 - 1.0;
    let loss = |m: &Linear| (m.forward(x.clone()) - y.clone()).powi_scalar(2).mean();
    let mut model = LinearConfig::new(1, 1).init(&device);
    // let mut optimizer = SgdConfig::new().init();
    let mut optimizer = SamConfig::new().init(SgdConfig::new().init())?;
    for step in 0..=100 {
        // let gradients = GradientsParams::from_grads(loss(&model).backward(), &model);
        // model = optimizer.step(0.1, model, gradients);
        let report = optimizer.step(0.1, &mut model, loss)?;
        if let (0, Some(here), Some(uphill)) = (step % 20, report.loss, report.perturbed_loss) {
            println!("step {step:>3}: loss {here:.4}, a little uphill {uphill:.4}");
        }
    }
    let slope: f32 = model.weight.val().into_scalar();
    println!("The line has slope 3; the model found {slope:.2}.");
    Ok(())
}
