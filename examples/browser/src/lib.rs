//! Two spirals, learned by SGD and by SAM side by side.
//!
//! [`Race`] trains and measures; it runs anywhere. `page.rs` shows it to JavaScript, and `page/` draws it.

mod mlp;
#[cfg(target_family = "wasm")]
mod page;
mod race;
mod side;
mod spirals;

pub use race::{Race, Settings};
pub use side::{Measurement, Side};
