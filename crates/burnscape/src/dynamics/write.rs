//! Writing histories.

use std::io;

use serde::Serialize;

use super::{CurvatureReading, DynamicsError};

pub(super) fn json(
    history: &impl Serialize,
    mut writer: impl io::Write,
) -> Result<(), DynamicsError> {
    serde_json::to_writer(&mut writer, history).map_err(io::Error::from)?;
    Ok(writer.write_all(b"\n")?)
}

const HEADER: &str = "step,lr,loss,gradient_norm,sharpness,residual,converged,edge_ratio,gd_edge,\
                      momentum_edge,sam_edge,trace,trace_standard_error,products\n";

/// Numbers in the shortest form that reads back to the same bits.
pub(super) fn csv(
    readings: &[CurvatureReading],
    mut writer: impl io::Write,
) -> Result<(), DynamicsError> {
    let optional = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let mut text = String::from(HEADER);
    for reading in readings {
        let cells = [
            reading.step.to_string(),
            reading.lr.to_string(),
            reading.loss.to_string(),
            reading.gradient_norm.to_string(),
            reading.sharpness.to_string(),
            reading.residual.to_string(),
            reading.converged.to_string(),
            reading.edge_ratio.to_string(),
            optional(reading.gd_edge),
            optional(reading.momentum_edge),
            optional(reading.sam_edge),
            optional(reading.trace),
            optional(reading.trace_standard_error),
            reading.products.to_string(),
        ];
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    Ok(writer.write_all(text.as_bytes())?)
}
