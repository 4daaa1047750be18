use std::io;

use burnscape_krylov::{DiagonalConfig, SelfAdjoint};

use super::{Spectrum, SpectrumError};
use crate::curvature::CurvatureError;
use crate::space::ParamVector;
use crate::writing;

/// The diagonal of an operator: the curvature along each coordinate.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Diagonal {
    /// The estimate of each entry.
    pub values: ParamVector,
    /// The variance of each estimate, from the spread of the samples; none from a single one. Its root is
    /// the standard error; an interval takes Student's t for as many samples besides.
    pub variances: Option<ParamVector>,
    /// Products used.
    pub products: usize,
}

impl Diagonal {
    /// Writes `path,index,value,variance`, a line for each coordinate, `index` that within the parameter.
    /// The variance of a single product is empty.
    ///
    /// # Cost
    ///
    /// Both vectors are copied to the host.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Write`], [`SpectrumError::Space`].
    pub fn write_csv(&self, writer: impl io::Write) -> Result<(), SpectrumError> {
        let values = self.values.to_host()?;
        let variances = match &self.variances {
            Some(variances) => variances.to_host()?,
            None => Vec::new(),
        };
        let rows = self.values.space().leaves().iter().flat_map(|leaf| {
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
        Ok(writing::csv(header, rows, writer)?)
    }
}

impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The diagonal from `probes` products, as the mean of `v ⊙ A v` over Rademacher vectors or by
    /// [another method](Self::with_diagonal_method). The variance of an entry is then the sum of the
    /// squares of its row off the diagonal, over the number of probes: exact where the operator is
    /// diagonal.
    ///
    /// # Cost
    ///
    /// `probes` products; five vectors of parameters.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Krylov`] for no probes, or a product that is not finite.
    pub fn diagonal(&self) -> Result<Diagonal, SpectrumError> {
        let found = DiagonalConfig::new()
            .with_method(self.settings.diagonal_method)
            .with_max_products(self.settings.probes)
            .with_seed(self.settings.seed)
            .run(self.operator)?;
        Ok(Diagonal {
            values: found.diagonal,
            variances: found.error.is_finite().then_some(found.variance),
            products: found.products,
        })
    }
}
