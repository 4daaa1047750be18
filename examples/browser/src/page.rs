//! The race, as JavaScript sees it.

use serde::Serialize;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

use crate::{Measurement, Race, Settings};

/// A race of two networks.
#[wasm_bindgen]
pub struct Page(Race);

/// What a frame shows.
#[derive(Serialize)]
struct Frame {
    /// The losses of the steps: SGD and SAM in turn.
    losses: Vec<[Option<f64>; 2]>,
    measurements: Option<[Measurement; 2]>,
}

fn error(error: Box<dyn std::error::Error>) -> JsError {
    JsError::new(&error.to_string())
}

#[wasm_bindgen]
impl Page {
    /// A race at its start.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: u32, rate: f64, rho: f64) -> Result<Page, JsError> {
        let seed = u64::from(seed);
        Race::new(Settings { seed, rate, rho })
            .map(Self)
            .map_err(error)
    }

    /// The points and their classes: `x, y, class` of each in turn.
    pub fn points() -> Vec<f32> {
        let points = crate::spirals::points();
        points
            .flat_map(|([x, y], class)| [x, y, class as f32])
            .collect()
    }

    /// Changes learning rate and radius.
    pub fn set(&mut self, rate: f64, rho: f64) -> Result<(), JsError> {
        self.0.set(rate, rho).map_err(error)
    }

    /// Takes `steps` steps and then measures, if asked. Returns JSON: `losses`, and `measurements` or null.
    pub fn advance(&mut self, steps: usize, measure: bool) -> Result<String, JsError> {
        let losses = (0..steps).map(|_| self.0.step()).collect::<Result<_, _>>();
        let frame = Frame {
            losses: losses.map_err(error)?,
            measurements: measure.then(|| self.0.measure()),
        };
        Ok(serde_json::to_string(&frame)?)
    }

    /// The probability of class one on a grid, of the network trained by SGD (0) or SAM (1).
    pub fn decision(&self, side: usize, resolution: usize) -> Vec<f32> {
        let sides = self.0.sides();
        sides
            .get(side)
            .map(|side| side.decision(resolution))
            .unwrap_or_default()
    }
}
