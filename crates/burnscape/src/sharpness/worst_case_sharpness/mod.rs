//! The largest rise in a ball or a box, by projected gradient ascent, and a bound from above.

mod ascent;
mod bound;
mod config;
mod corners;
mod region;
mod report;

pub use bound::WorstCaseBound;
pub use config::WorstCaseSharpnessConfig;
pub use region::Region;
pub use report::WorstCaseSharpness;
