//! Results of `burnscape_krylov` as tables.

use std::io;

use burnscape_krylov::{DensityCurve, DiagonalEstimate, Eigenpairs, SpectralDensity};

use crate::space::ParamVector;
use crate::writing::csv;
use crate::{Csv, FormatError};

/// `value,residual`, a line for each pair.
impl<V> Csv for Eigenpairs<V> {
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let rows = self.values.iter().zip(&self.residuals);
        let rows = rows.map(|(value, residual)| [value.to_string(), residual.to_string()]);
        Ok(csv(["value", "residual"], rows, writer)?)
    }
}

/// `node,weight`, a line for each node of the measure.
impl Csv for SpectralDensity {
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let measure = self.measure();
        let rows = measure.nodes.iter().zip(&measure.weights);
        let rows = rows.map(|(node, weight)| [node.to_string(), weight.to_string()]);
        Ok(csv(["node", "weight"], rows, writer)?)
    }
}

/// `x,density,standard_error`, a line for each place; `x` is the eigenvalue there.
impl Csv for DensityCurve {
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let error = |index: usize| {
            let error = self.standard_error.as_ref().map(|errors| errors[index]);
            error.map_or(String::new(), |error| error.to_string())
        };
        let rows = self.grid.iter().zip(&self.density).enumerate();
        let rows = rows.map(|(index, (place, density))| {
            let x = self.axis.value(*place);
            [x.to_string(), density.to_string(), error(index)]
        });
        Ok(csv(["x", "density", "standard_error"], rows, writer)?)
    }
}

/// `path,index,value,variance`, a line for each coordinate; `index` counts within the parameter. The variance of a
/// single product is empty.
impl Csv for DiagonalEstimate<ParamVector> {
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let failed = |error| FormatError::from(io::Error::other(error));
        let values = self.diagonal.to_host().map_err(failed)?;
        let variances = if self.error.is_finite() {
            self.variance.to_host().map_err(failed)?
        } else {
            Vec::new()
        };
        let rows = self.diagonal.space().leaves().iter().flat_map(|leaf| {
            let (values, variances) = (&values, &variances);
            (0..leaf.len()).map(move |index| {
                let place = leaf.offset() + index;
                let number = |of: &[f64]| of.get(place).map(f64::to_string).unwrap_or_default();
                [
                    leaf.path().to_string(),
                    index.to_string(),
                    number(values),
                    number(variances),
                ]
            })
        });
        let header = ["path", "index", "value", "variance"];
        Ok(csv(header, rows, writer)?)
    }
}
