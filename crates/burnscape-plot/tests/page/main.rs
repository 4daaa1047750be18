//! The page as text: what is in it, and what is refused. Its looks are tested in a browser.
#![cfg(test)]

mod errors;
#[path = "../../examples/page/report.rs"]
mod example;
mod files;
mod hostile;
mod parts;
mod whole;
