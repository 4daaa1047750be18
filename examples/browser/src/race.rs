use std::error::Error;

use burn::optim::SgdConfig;
use burn::tensor::{Device, Tensor};
use burnscape::optim::{Sam, SamConfig};
use burnscape::space::{ParamSpace, ParamVector};

use crate::mlp::Mlp;
use crate::side::{Batch, Measurement, Side};
use crate::spirals::spirals;

/// The settings of both networks.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Seed of the initial weights.
    pub seed: u64,
    /// The learning rate of both.
    pub rate: f64,
    /// The radius of SAM.
    pub rho: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            rate: 0.3,
            rho: 0.1,
        }
    }
}

/// A network trained by SGD and a copy of it trained by SAM, on the same points.
pub struct Race {
    settings: Settings,
    data: Batch,
    sgd: Side,
    sam: Side,
}

impl Race {
    /// Both networks at the same initial weights.
    ///
    /// # Errors
    ///
    /// A radius that is negative or not finite.
    pub fn new(settings: Settings) -> Result<Self, Box<dyn Error>> {
        let device = Device::default().autodiff();
        let model = initial(&device, settings.seed)?;
        Ok(Self {
            settings,
            data: spirals(&device),
            sgd: Side::new(model.clone(), optimizer(0.0)?),
            sam: Side::new(model, optimizer(settings.rho)?),
        })
    }

    /// Changes learning rate and radius from the next step on. SGD has no state, so nothing else changes.
    ///
    /// # Errors
    ///
    /// A radius that is negative or not finite.
    pub fn set(&mut self, rate: f64, rho: f64) -> Result<(), Box<dyn Error>> {
        if rho != self.settings.rho {
            self.sam.optimizer = optimizer(rho)?;
        }
        (self.settings.rate, self.settings.rho) = (rate, rho);
        Ok(())
    }

    /// One step of both networks. Returns their losses before it: SGD, SAM; `None` where the loss is not finite.
    ///
    /// # Errors
    ///
    /// A learning rate that is negative or not finite.
    pub fn step(&mut self) -> Result<[Option<f64>; 2], Box<dyn Error>> {
        let rate = self.settings.rate;
        Ok([
            self.sgd.step(rate, &self.data)?,
            self.sam.step(rate, &self.data)?,
        ])
    }

    /// Largest eigenvalue, edge and slice of both networks: SGD, SAM.
    pub fn measure(&self) -> [Measurement; 2] {
        let Settings { rate, rho, .. } = self.settings;
        [
            self.sgd.measure(rate, 0.0, &self.data),
            self.sam.measure(rate, rho, &self.data),
        ]
    }

    /// The networks: SGD, SAM.
    pub fn sides(&self) -> [&Side; 2] {
        [&self.sgd, &self.sam]
    }
}

/// SAM of a radius; zero is plain SGD.
fn optimizer(rho: f64) -> Result<Sam, Box<dyn Error>> {
    Ok(SamConfig::new()
        .with_rho(rho)
        .init(SgdConfig::new().init())?)
}

/// A network whose weights are normal with variance one over their number of inputs. They come from the host's
/// generator, and are the same on every platform.
fn initial(device: &Device, seed: u64) -> Result<Mlp, Box<dyn Error>> {
    let model = Mlp::new(device);
    let space = ParamSpace::of(&model)?;
    let noise = ParamVector::gaussian(&space, seed)?;
    let scales = space.leaves().iter().map(|leaf| {
        let scale = match leaf.shape() {
            [inputs, _] => 2.0 / (*inputs as f64).sqrt(),
            _ => 0.0,
        };
        Tensor::<1>::full([leaf.len()], scale, space.device())
    });
    let scales = ParamVector::from_values(&space, Tensor::cat(scales.collect(), 0))?;
    Ok(noise.hadamard(&scales)?.apply_to(&model)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]

    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn both_networks_learn_and_differ() {
        let mut race = Race::new(Settings::default()).unwrap();
        let first = race.step().unwrap().map(Option::unwrap);
        assert_eq!(first[0], first[1], "the same weights");
        for _ in 0..300 {
            race.step().unwrap();
        }
        let last = race.step().unwrap().map(Option::unwrap);
        assert!(
            last[0] < 0.1 * first[0] && last[1] < 0.2 * first[1],
            "{first:?} {last:?}"
        );
        let [sgd, sam] = race.measure();
        assert!(
            sgd.lambda_max.unwrap() > sam.lambda_max.unwrap(),
            "{sgd:?} {sam:?}"
        );
        let middle = sgd.slice[sgd.slice.len() / 2];
        assert!((middle - race.step().unwrap()[0].unwrap()).abs() < 1e-5);
        for side in race.sides() {
            let p = side.decision(9);
            assert!(p.len() == 81 && p.iter().all(|p| (0.0..=1.0).contains(p)));
        }
    }

    /// The numbers that the page has to reproduce. Run the test with `BURNSCAPE_WRITE_REFERENCE=1` to write them.
    #[test]
    fn a_native_run_gives_the_numbers_of_the_reference() {
        let mut race = Race::new(Settings::default()).unwrap();
        let lambda_max = race.measure().map(|side| side.lambda_max.unwrap());
        let losses = [(); 20].map(|()| race.step().unwrap().map(Option::unwrap));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference.json");
        if std::env::var_os("BURNSCAPE_WRITE_REFERENCE").is_some() {
            let found = serde_json::json!({ "lambda_max": lambda_max, "losses": losses });
            fs::write(path, format!("{found:#}\n")).unwrap();
            return;
        }
        let expected: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let close = |found: f64, expected: &serde_json::Value| {
            let expected = expected.as_f64().unwrap();
            assert!(
                (found - expected).abs() < 2e-5 * expected.abs(),
                "{found} {expected}"
            );
        };
        for side in [0, 1] {
            close(lambda_max[side], &expected["lambda_max"][side]);
            for (step, losses) in losses.iter().enumerate() {
                close(losses[side], &expected["losses"][step][side]);
            }
        }
    }

    #[test]
    fn a_race_that_diverges_ends_in_no_panic() {
        let mut race = Race::new(Settings::default()).unwrap();
        race.set(1e30, 1.0).unwrap();
        for _ in 0..5 {
            race.step().unwrap();
        }
        let [sgd, _] = race.measure();
        assert!(sgd.lambda_max.is_none_or(f64::is_finite));
        assert!(race.set(0.1, f64::NAN).is_err());
    }
}
