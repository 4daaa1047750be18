//! The page: panels in one HTML file that works without a network.
//!
//! Rust writes the text, the tables and the data, `assets/page` draws what moves. Nothing here knows how an SVG is made, and
//! nothing in the scripts knows what a panel says.

mod assets;
mod bars;
mod check;
mod data;
mod html;
mod numbers;
mod panel;
mod report;
mod style;
mod themed_svg;
mod value_text;

pub use panel::{Content, Panel};
pub use report::Report;
