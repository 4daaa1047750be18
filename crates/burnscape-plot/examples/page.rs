//! A page with all kinds of panels, from data made up to look like a training run.
//!
//! ```sh
//! cargo run -p burnscape-plot --example page -- page.html
//! ```

#[path = "page/report.rs"]
mod report;

use burnscape_plot::PlotError;

fn main() -> Result<(), PlotError> {
    let path = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "page.html".into());
    report::report().write_html(&path)?;
    println!("{path}");
    Ok(())
}
