//! Checkpoints in files: read, merged, and compared.

mod checkpoints;
mod damage;
mod distances;
mod folder;
mod golden;
mod refusals;
mod results;
mod same_as_modules;
mod stops;
