use serde::{Deserialize, Serialize};

use super::CurvatureReading;

/// The state of a [`CurvatureMonitor`](super::CurvatureMonitor): its readings, and the eigenvectors that the next
/// measurement starts from. Any format of `serde` can store it.
///
/// # Cost
///
/// Up to five vectors of the length of the parameters.
///
/// # Reproducibility
///
/// The readings of a resumed monitor are the same to the bit if the format keeps the bits. JSON by `serde_json` keeps
/// vectors of f32 (and f64 with its feature `float_roundtrip`); the last binary place of numbers in the history may
/// change.
///
/// A stored record has a version. One of another version is refused when it is read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct CurvatureMonitorRecord {
    /// The readings, oldest first.
    pub history: Vec<CurvatureReading>,
    /// Coordinates of the outermost Ritz vectors of the last measurement, in visit order.
    pub(super) vectors: Vec<Vec<f64>>,
}

/// The format that this version of the library writes and reads. Version 1 had no version, and its readings were under
/// another name.
const VERSION: u32 = 2;

/// A record as formats of `serde` store it. Fields that are missing are no errors, so that the version is checked first.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default = "first_version")]
    version: u32,
    #[serde(default)]
    readings: Vec<CurvatureReading>,
    #[serde(default)]
    vectors: Vec<Vec<f64>>,
}

fn first_version() -> u32 {
    1
}

impl From<CurvatureMonitorRecord> for Stored {
    fn from(record: CurvatureMonitorRecord) -> Self {
        Self {
            version: VERSION,
            readings: record.history,
            vectors: record.vectors,
        }
    }
}

impl TryFrom<Stored> for CurvatureMonitorRecord {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        if stored.version != VERSION {
            return Err(format!(
                "the format of the record is version {}, and this version of the library reads version {VERSION}; \
                 resume with the version that wrote it, or start a new monitor",
                stored.version
            ));
        }
        Ok(Self {
            history: stored.readings,
            vectors: stored.vectors,
        })
    }
}
