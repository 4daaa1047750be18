//! A page with all kinds of panels, from data made up to look like a training run.
//!
//! ```sh
//! cargo run -p burnscape-plot --example page -- page.html
//! cargo run -p burnscape-plot --example page -- DIR    # this page, and pages of hostile data, into a folder that exists
//! ```

#[path = "page/report.rs"]
mod report;
#[path = "page/variants.rs"]
mod variants;

use std::path::Path;

use burnscape_plot::PlotError;

fn main() -> Result<(), PlotError> {
    let path = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "page.html".into());
    let path = Path::new(&path);
    if !path.is_dir() {
        report::report().write_html(path)?;
        println!("{}", path.display());
        return Ok(());
    }
    for (name, report) in variants::all() {
        let file = path.join(format!("{name}.html"));
        report.write_html(&file)?;
        println!("{}", file.display());
    }
    Ok(())
}
