//! From a checkpoint of the survey's CNN to a page: the loss around it, in two random directions.
//! `cargo run --release -p burnscape --features report --example landscape -- model.bpk`

use std::env;

use burn::{module::Module, tensor::Device};
use burnscape::landscape::{Direction, LandscapeConfig, LossScale};
use burnscape::space::{DirectionNorm, Grid, UnfilteredRule};
use burnscape::{loss::Risk, report::ReportBuilder, topology::MergeTreeConfig};
use survey::{data::Split, models::Classifier, models::Cnn, train::loss};

#[allow(dead_code, reason = "the survey uses more of them")]
mod survey {
    pub(crate) mod data;
    pub(crate) mod models;
    pub(crate) mod settings;
    pub(crate) mod train;
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = env::args().nth(1).unwrap_or("target/merge/a.bpk".into());
    let split = Split::load(&Device::default())?;
    let model = Cnn::new(&Device::default()).try_load_file(&path);
    let model = model.map_err(|error| format!("{path}: {error}; `--example merge` makes one"))?;
    let (loss, train, test) = (loss::<Cnn>, [split.train], [split.test]);
    let (risk, test) = (Risk::new(&loss, &train), Risk::new(&loss, &test));
    let space = risk.space(&model)?;
    let norm = DirectionNorm::Filter(UnfilteredRule::Zero);
    let [x, y] = [1, 2].map(|seed| Direction::random(&space, &model, norm, seed));
    let surface = LandscapeConfig::new([Grid::symmetric(1.0, 31)?, Grid::symmetric(1.0, 31)?])
        .with_metric("test loss", &test)
        .with_threads(2)
        .run(&risk, &model, &[x?, y?])?;
    let wells = surface.merge_tree(LossScale::Log10, &MergeTreeConfig::new())?;
    let page = ReportBuilder::new(path).with_landscape("CNN", &surface, LossScale::Log10)?;
    page.build().write_html("target/landscape.html")?;
    println!("{wells}The page: target/landscape.html");
    Ok(())
}
