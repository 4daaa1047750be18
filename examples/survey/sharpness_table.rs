//! Every measure of sharpness that the library has, for the first seed of each row.

use std::error::Error;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::Tensor;
use burnscape::loss::{Likelihood, Split};
use burnscape::sharpness::{
    PerturbationScale, SharpnessReport, SharpnessReportConfig, SharpnessRow,
};

use super::data::Digits;
use super::models::Classifier;
use super::summary::Row;

pub(crate) fn measure<M: Classifier>(
    model: &M,
    train: &[Digits],
) -> Result<SharpnessReport, Box<dyn Error>> {
    let split = Split::new(
        |model: &M, digits: &Digits| model.logits(digits.images.clone()),
        |logits: Tensor<2>, digits: Digits| {
            let cross_entropy = CrossEntropyLossConfig::new().init(&logits.device());
            cross_entropy.forward(logits, digits.labels)
        },
    );
    let scales = vec![
        PerturbationScale::Absolute,
        PerturbationScale::ElementRelative,
    ];
    let report = SharpnessReportConfig::new()
        .with_scales(scales)
        .with_num_samples(5)
        .with_num_steps(10)
        .measure_split(model, &split, train, Likelihood::Categorical)?;
    Ok(report)
}

/// Measures down, networks across. Those of single weights are in the file only.
pub(crate) fn section(rows: &[Row]) -> String {
    let reports: Vec<(&Row, &SharpnessReport)> = rows
        .iter()
        .filter_map(|row| Some((row, row.sharpness_report.as_ref()?)))
        .collect();
    let Some((_, first)) = reports.first() else {
        return String::new();
    };
    let mut lines = vec![
        ["measure", "scale", "setting"]
            .into_iter()
            .map(str::to_owned)
            .chain(
                reports
                    .iter()
                    .map(|(row, _)| format!("{} {}", row.model, row.optimizer)),
            )
            .collect::<Vec<_>>(),
    ];
    for row in first.rows.iter().filter(|row| row.part.is_none()) {
        let scale = row.scale.map_or(String::new(), |scale| scale.to_string());
        let mut line = vec![row.measure.to_string(), scale, row.setting.clone()];
        line.extend(reports.iter().map(|(_, report)| cell(report, row)));
        lines.push(line);
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = "Every measure of sharpness, first seed, by `SharpnessReport`\n".to_string();
    for (index, line) in lines.iter().enumerate() {
        let cells =
            line.iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, width))| match column < 3 {
                    true => format!("{cell:<width$}"),
                    false => format!("{cell:>width$}"),
                });
        let cells: Vec<String> = cells.collect();
        text += &format!("  {}\n", cells.join("  ").trim_end());
        if index == 0 {
            let total: usize = widths.iter().map(|width| width + 2).sum();
            text += &format!("  {}\n", "─".repeat(total - 2));
        }
    }
    text + "\n"
}

/// The number of the same measure in another report.
fn cell(report: &SharpnessReport, wanted: &SharpnessRow) -> String {
    let same = report.rows.iter().find(|row| {
        (row.measure, row.scale, &row.part) == (wanted.measure, wanted.scale, &wanted.part)
    });
    match same.and_then(|row| row.value) {
        Some(value) if value != 0.0 && value.abs() < 1e-3 => format!("{value:.2e}"),
        Some(value) => format!("{value:.4}"),
        None => "none".to_string(),
    }
}
