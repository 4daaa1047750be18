//! Every measure of sharpness that the library has, for the first seed of each row.

use std::error::Error;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::Tensor;
use burnscape::loss::{Likelihood, Risk};
use burnscape::sharpness::{SharpnessReport, SharpnessReportConfig, SharpnessRow};
use burnscape::space::Scale;

use super::data::Digits;
use super::models::Classifier;
use super::summary::Row;
use super::table::{Column, aligned};

pub(crate) fn measure<M: Classifier>(
    model: &M,
    train: &[Digits],
) -> Result<SharpnessReport, Box<dyn Error>> {
    let risk = Risk::split(
        |model: &M, digits: &Digits| model.logits(digits.images.clone()),
        |logits: Tensor<2>, digits: Digits| {
            let cross_entropy = CrossEntropyLossConfig::new().init(&logits.device());
            cross_entropy.forward(logits, digits.labels)
        },
        train,
    );
    let scales = vec![Scale::Absolute, Scale::ElementRelative];
    let mut report = SharpnessReportConfig::new()
        .with_scales(scales)
        .with_num_samples(5)
        .with_num_steps(10)
        .with_lambda_max_matvecs(100)
        .run(&risk, model)?;
    report.add_fisher(&risk.fisher(model, Likelihood::Categorical)?, model)?;
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
    let shown: Vec<&SharpnessRow> = first.rows.iter().filter(|row| row.part.is_none()).collect();
    let column = |title: &str, text: &dyn Fn(&SharpnessRow) -> String| {
        Column::of_cells(title, shown.iter().map(|row| text(row)).collect())
    };
    let scale = |row: &SharpnessRow| row.scale.map_or(String::new(), |scale| scale.to_string());
    let mut columns = vec![
        column("measure", &|row| row.measure.to_string()).left_aligned(),
        column("scale", &scale).left_aligned(),
        column("setting", &|row| row.setting.clone()).left_aligned(),
    ];
    columns.extend(reports.iter().map(|(row, report)| {
        let title = format!("{} {}", row.model, row.optimizer);
        column(&title, &|wanted| cell(report, wanted))
    }));
    format!(
        "Every measure of sharpness, first seed, by `SharpnessReport`\n{}\n",
        aligned(&columns)
    )
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
