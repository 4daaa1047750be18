//! What watches a training run: when, what, and where its readings go.

mod cost;
mod due;
mod measure;
mod moment;
mod monitors;
mod observation;
mod reading;
mod record;
mod watch;

pub use cost::Cost;
pub use due::Due;
pub use measure::Monitor;
pub use moment::Moment;
pub use monitors::Monitors;
pub use observation::{Observation, Readings};
pub use reading::{Quantity, Reading};
pub use record::{MonitorsRecord, WatchRecord};
pub use watch::Watch;
