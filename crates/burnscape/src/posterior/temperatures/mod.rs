//! The learning coefficient from several temperatures, without the loss of the minimum.

mod config;
mod ladder;
mod law;
mod least_squares;
mod regression;
mod rung;
mod shown;
#[cfg(test)]
mod tests;

pub use config::TemperatureLadderConfig;
pub use ladder::TemperatureLadder;
pub use law::TemperatureLaw;
pub use rung::TemperatureRung;
