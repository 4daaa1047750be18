use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tuning::DualAveraging;
use super::{PosteriorConfig, PosteriorError};

/// The format that this version of the library writes and reads.
const VERSION: u32 = 1;

/// How often rounding two evaluations of one loss may differ by, on devices whose order of sums varies.
const ROUNDINGS: f64 = 1000.0;

/// What [`PosteriorConfig::resume`] continues from: the state of every chain, their draws, and the settings.
///
/// Any format of `serde` can store it, and every one keeps the bits. A stored record has a version; one of another
/// version is refused when it is read. A [`Posterior`](super::Posterior) that was stored and read back has an empty
/// record: store the record itself.
///
/// # Cost
///
/// A vector of the length of the parameters for each chain, two for samplers with a momentum or a preconditioner, and
/// the draws.
///
/// # Example
///
/// ```
/// # use burnscape::krylov::VectorSpace;
/// # use burnscape::posterior::{PosteriorConfig, PosteriorError, PosteriorRecord, Potential};
/// # #[derive(Clone)]
/// # struct Bowl;
/// # impl Potential for Bowl {
/// #     type Vector = Vec<f64>;
/// #     fn start(&self) -> Result<Vec<f64>, PosteriorError> {
/// #         Ok(vec![0.0; 3])
/// #     }
/// #     fn loss_and_gradient(
/// #         &self,
/// #         at: &Vec<f64>,
/// #         _: Option<usize>,
/// #     ) -> Result<(f64, Vec<f64>), PosteriorError> {
/// #         Ok((2.0 * at.dot(at)?, at.clone().scale(4.0)))
/// #     }
/// #     fn sharpness(&self) -> Result<f64, PosteriorError> {
/// #         Ok(4.0)
/// #     }
/// # }
/// use burnscape::prelude::*;
///
/// let config = PosteriorConfig::new(1000).with_burn_in(50);
/// let short = config.clone().with_num_draws(30).run_on(&Bowl)?;
/// let text = short.record().to_json()?;
///
/// let config = config.with_num_draws(80);
/// let longer = config.resume_on(&Bowl, PosteriorRecord::from_json(&text)?)?;
/// assert_eq!(longer.rises, config.run_on(&Bowl)?.rises);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PosteriorRecord(Option<Box<Content>>);

/// A record that is not empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) config: PosteriorConfig,
    pub(super) base: Base,
    pub(super) chains: Vec<ChainRecord>,
}

/// What is known about the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Base {
    pub(super) loss: f64,
    /// `|∇L|`.
    pub(super) gradient_norm: f64,
    pub(super) sharpness: Option<f64>,
    /// The weight of each batch and its loss; empty if iterations take all data.
    pub(super) batch_weights: Vec<f64>,
    pub(super) batch_losses: Vec<f64>,
}

/// The state of a chain, and its draws.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ChainRecord {
    pub(super) iterations: usize,
    pub(super) position: Vec<f64>,
    pub(super) motion: MotionRecord,
    pub(super) rises: Vec<f64>,
    pub(super) passes: f64,
}

/// What a sampler remembers besides the position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum MotionRecord {
    Mala {
        tuning: Option<DualAveraging>,
        num_accepted: usize,
        num_not_finite: usize,
    },
    Langevin,
    RmspropLangevin {
        mean_square: Vec<f64>,
    },
    NoseHoover {
        momentum: Vec<f64>,
        thermostat: f64,
    },
}

impl PosteriorRecord {
    pub(super) fn of(content: Content) -> Self {
        Self(Some(Box::new(content)))
    }

    /// What it contains, if a run with these settings on vectors of this dimension can continue from it.
    pub(super) fn checked(
        self,
        config: &PosteriorConfig,
        dimension: usize,
    ) -> Result<Content, PosteriorError> {
        let Some(content) = self.0 else {
            let message = "it is empty, as that of a posterior that was read from a file is; store what \
                           `Posterior::record` returns, or start anew";
            return Err(refused(message));
        };
        if let Some(difference) = content.config.difference(config) {
            return Err(refused(format!(
                "it is that of other settings: {difference}; resume with the settings of the record, of which only \
                 draws and threads may change"
            )));
        }
        if content.chains.len() != config.num_chains() {
            return Err(refused("chains are missing in it; start anew"));
        }
        for chain in &content.chains {
            chain.check(config, dimension)?;
        }
        let base = &content.base;
        if base.batch_losses.len() != base.batch_weights.len() {
            return Err(refused("it contradicts itself; start anew"));
        }
        Ok(*content)
    }
}

impl ChainRecord {
    fn check(&self, config: &PosteriorConfig, dimension: usize) -> Result<(), PosteriorError> {
        let vector = match &self.motion {
            MotionRecord::RmspropLangevin { mean_square } => mean_square,
            MotionRecord::NoseHoover { momentum, .. } => momentum,
            MotionRecord::Mala { .. } | MotionRecord::Langevin => &self.position,
        };
        for found in [self.position.len(), vector.len()] {
            if found != dimension {
                return Err(refused(format!(
                    "it has {found} parameters and the model {dimension}; resume with the model of the record"
                )));
            }
        }
        let draws = self.rises.len();
        if draws != self.iterations.saturating_sub(config.burn_in()) {
            return Err(refused("it contradicts itself; start anew"));
        }
        if draws > config.num_draws() {
            return Err(refused(format!(
                "its chains have {draws} draws, more than `num_draws`, {}; ask for {draws} or more",
                config.num_draws()
            )));
        }
        Ok(())
    }
}

impl Base {
    /// Refuses a loss at the start that is not that of the record.
    pub(super) fn check(&self, loss: f64, epsilon: f64) -> Result<(), PosteriorError> {
        let allowed = ROUNDINGS * epsilon * self.loss.abs();
        if (loss - self.loss).abs() <= allowed {
            return Ok(());
        }
        Err(refused(format!(
            "its loss at the start is {}, and that of this model and these data {loss}; resume with the model and the \
             data of the record",
            self.loss
        )))
    }

    /// Refuses batches that are not those of the record.
    pub(super) fn check_batches(&self, weights: &[f64]) -> Result<(), PosteriorError> {
        if weights == self.batch_weights {
            return Ok(());
        }
        Err(refused(
            "its data are in other batches; resume with the batches of the record",
        ))
    }
}

fn refused(message: impl Into<String>) -> PosteriorError {
    PosteriorError::Record {
        message: message.into(),
    }
}

/// Numbers are in MessagePack, which keeps their bits in any format.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    /// Empty for an empty record. A field that is missing is no error, so that the version is checked first.
    #[serde(default)]
    content: Vec<u8>,
}

impl Serialize for PosteriorRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let content = match &self.0 {
            Some(content) => {
                let failed = <S::Error as serde::ser::Error>::custom;
                rmp_serde::to_vec(content).map_err(failed)?
            }
            None => Vec::new(),
        };
        let stored = Stored {
            version: VERSION,
            content,
        };
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PosteriorRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored { version, content } = Stored::deserialize(deserializer)?;
        if version != VERSION {
            return Err(D::Error::custom(format!(
                "the format of the record is version {version}, and this version of the library reads version \
                 {VERSION}; resume with the version that wrote it, or start anew"
            )));
        }
        if content.is_empty() {
            return Ok(Self::default());
        }
        let content = rmp_serde::from_slice(&content).map_err(D::Error::custom)?;
        Ok(Self::of(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> PosteriorRecord {
        let config = PosteriorConfig::new(1000)
            .with_num_chains(1)
            .with_burn_in(0)
            .with_num_draws(8);
        PosteriorRecord::of(Content {
            config,
            base: Base {
                loss: 0.1,
                gradient_norm: 0.3,
                sharpness: Some(1.0 / 3.0),
                batch_weights: Vec::new(),
                batch_losses: Vec::new(),
            },
            chains: vec![ChainRecord {
                iterations: 2,
                position: vec![0.1, 1e-300, -1.0 / 3.0],
                motion: MotionRecord::Mala {
                    tuning: Some(DualAveraging::new(0.9, 0.7)),
                    num_accepted: 1,
                    num_not_finite: 0,
                },
                rises: vec![f64::from_bits(0x3fb9_9999_9999_9999), 2e-7],
                passes: 2.0,
            }],
        })
    }

    #[test]
    fn a_record_keeps_its_bits_in_any_format() {
        for record in [record(), PosteriorRecord::default()] {
            let text = serde_json::to_string(&record).unwrap();
            let read: PosteriorRecord = serde_json::from_str(&text).unwrap();
            assert_eq!(read, record);
            let bytes = rmp_serde::to_vec(&record).unwrap();
            let read: PosteriorRecord = rmp_serde::from_slice(&bytes).unwrap();
            assert_eq!(read, record);
        }
        let error = serde_json::from_str::<PosteriorRecord>(r#"{"version":9}"#).unwrap_err();
        assert!(error.to_string().contains("version 9"), "{error}");
    }

    #[test]
    fn a_record_of_another_run_is_refused() {
        let content = record().0.unwrap();
        let config = content.config.clone();
        let refusal = |config: &PosteriorConfig, dimension| {
            let found = record().checked(config, dimension);
            found.map_or_else(|error| error.to_string(), |_| String::new())
        };
        assert_eq!(refusal(&config, 3), "");
        assert!(refusal(&config, 2).contains("3 parameters and the model 2"));
        assert!(refusal(&config.clone().with_seed(4), 3).contains("`seed` is 0, not 4"));
        let fewer = config.clone().with_num_draws(1);
        assert!(refusal(&fewer, 3).contains("ask for 2 or more"));
        assert_eq!(content.base.check(0.1, f64::EPSILON), Ok(()));
        assert!(content.base.check(0.2, f64::EPSILON).is_err());
        let empty = PosteriorRecord::default().checked(&config, 3);
        assert!(empty.unwrap_err().to_string().contains("it is empty"));
    }
}
