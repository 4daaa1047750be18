use std::collections::BTreeMap;

use serde::de::value::UnitDeserializer;
use serde::de::{DeserializeOwned, Error, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Observation;

/// What a [`Watch`](super::Watch) continues from: its observations, and the state of its monitor.
///
/// Any format of `serde` can store it. A stored record has a version; one of another version is refused when it is
/// read.
///
/// # Cost
///
/// The observations, and the state: for a [`CurvatureMonitor`](crate::dynamics::CurvatureMonitor) up to five vectors of
/// the length of the parameters, ten if it is preconditioned.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchRecord<R, S> {
    /// The observations, oldest first.
    pub observations: Vec<Observation<R>>,
    /// The [state](super::Monitor::State) of the monitor.
    pub state: S,
}

/// The format that this version of the library writes and reads. Versions 1 and 2 were records of curvature monitors.
const VERSION: u32 = 3;

#[derive(Serialize)]
struct Written<'w, R, S> {
    version: u32,
    observations: &'w [Observation<R>],
    state: &'w S,
}

/// A record as it was stored. Fields that are missing are no errors, so that the version is checked first.
#[derive(Deserialize)]
#[serde(bound(deserialize = "R: Deserialize<'de>, S: Deserialize<'de>"))]
struct Stored<R, S> {
    #[serde(default = "first_version")]
    version: u32,
    observations: Option<Vec<Observation<R>>>,
    state: Option<S>,
}

fn first_version() -> u32 {
    1
}

impl<R: Serialize, S: Serialize> Serialize for WatchRecord<R, S> {
    fn serialize<W: Serializer>(&self, serializer: W) -> Result<W::Ok, W::Error> {
        let written = Written {
            version: VERSION,
            observations: &self.observations,
            state: &self.state,
        };
        written.serialize(serializer)
    }
}

impl<'de, R: Deserialize<'de>, S: DeserializeOwned> Deserialize<'de> for WatchRecord<R, S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::<R, S>::deserialize(deserializer)?;
        if stored.version != VERSION {
            return Err(D::Error::custom(format!(
                "the format of the record is version {}, and this version of the library reads version {VERSION}; \
                 resume with the version that wrote it, or start a new monitor",
                stored.version
            )));
        }
        let observations = stored.observations;
        let observations = observations.ok_or_else(|| D::Error::missing_field("observations"))?;
        let state = match stored.state {
            Some(state) => state,
            // A state without content is written as nothing.
            None => {
                let nothing: UnitDeserializer<D::Error> = ().into_deserializer();
                S::deserialize(nothing)?
            }
        };
        Ok(Self {
            observations,
            state,
        })
    }
}

/// What [`Monitors`](super::Monitors) continue from: the [`WatchRecord`] of each, by name. Any format of `serde` can
/// store it, and every one keeps the bits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorsRecord {
    /// In MessagePack.
    pub(super) watches: BTreeMap<String, Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Count {
        count: u32,
    }

    fn record<S>(state: S) -> WatchRecord<Count, S> {
        WatchRecord {
            observations: vec![Observation {
                step: 3,
                lr: 0.5,
                reading: Count { count: 7 },
            }],
            state,
        }
    }

    #[track_caller]
    fn survives<S: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(state: S) {
        let record = record(state);
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(
            serde_json::from_str::<WatchRecord<Count, S>>(&text).unwrap(),
            record
        );
        let bytes = rmp_serde::to_vec_named(&record).unwrap();
        assert_eq!(
            rmp_serde::from_slice::<WatchRecord<Count, S>>(&bytes).unwrap(),
            record
        );
    }

    #[test]
    fn states_of_every_form_are_read_back() {
        survives(());
        survives(None::<u32>);
        survives(Some(4_u32));
        survives(Count { count: 2 });
        survives(vec![vec![0.1, f64::MIN_POSITIVE], Vec::new()]);
    }

    #[test]
    fn other_versions_and_missing_parts_are_refused() {
        let text = |text: &str| {
            let read = serde_json::from_str::<WatchRecord<Count, Count>>(text);
            read.unwrap_err().to_string()
        };
        for (stored, version) in [
            (r#"{"history":[{"step":0}],"vectors":[[1.0]]}"#, 1),
            (r#"{"version":2,"readings":[{"step":0}],"vectors":[]}"#, 2),
            (r#"{"version":4,"observations":[]}"#, 4),
        ] {
            let error = text(stored);
            assert!(error.contains(&format!("is version {version}")), "{error}");
            assert!(error.contains("start a new monitor"), "{error}");
        }
        let error = text(r#"{"version":3,"observations":[]}"#);
        assert!(error.contains("expected struct Count"), "{error}");
        let error = text(r#"{"version":3,"state":{"count":1}}"#);
        assert!(error.contains("missing field `observations`"), "{error}");
    }
}
