use std::{fmt, io};

use serde::{Deserialize, Serialize};

use crate::sharpness::statistics::mean;
use crate::writing::{csv, number};
use crate::{Csv, FormatError};

/// How many roundings of `Ψ` count as no growth.
const ROUNDINGS: f64 = 64.0;

/// The result of [`CoercivityConfig::run`](super::CoercivityConfig::run).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Coercivity {
    /// The radii, ascending.
    pub radii: Vec<f64>,
    /// The smallest `Ψ` of all rays at each radius.
    #[serde(with = "number")]
    pub minima: Vec<f64>,
    /// Half the width of the interval of each minimum; the intervals cover `Ψ` of all rays at the radius with the
    /// confidence set. Zero if the Laplacian is exact. None if it was estimated from one product.
    pub half_widths: Vec<Option<f64>>,
    /// The mean `Ψ` over the rays at each radius.
    #[serde(with = "number")]
    pub means: Vec<f64>,
    /// The slopes of the minima in the squared radius, between neighboring radii: one fewer than there are radii. For a
    /// quadratic `½ h |w|²` all are `h² / s`.
    #[serde(with = "number")]
    pub slopes: Vec<f64>,
    /// Whether Villani's condition is refuted, as far as the radii go: at the outermost radius the minimum is not
    /// positive, or not larger than at the radius before, by more than its interval allows. If false, nothing is
    /// proved: there are other rays, and larger radii.
    pub is_refuted: bool,
    /// The rate `s`.
    pub rate: f64,
    /// Rays measured.
    pub num_rays: usize,
    /// Gradients taken, without that of the [checks](crate::loss::Risk::with_checks).
    pub num_gradients: usize,
    /// Hessian-vector products, without the two of the checks.
    pub num_matvecs: usize,
    /// False if the observer stopped the measurement: the numbers are those of the rays measured.
    pub completed: bool,
    /// The seed of the rays.
    pub seed: u64,
}

/// `Ψ` along a ray, each with half the width of its interval.
pub(super) type Ray = Vec<(f64, Option<f64>)>;

/// All rays at one radius.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shell {
    pub(super) minimum: f64,
    pub(super) half_width: Option<f64>,
    /// The lower end of all intervals, which may be that of another ray. None if one of them is not known.
    pub(super) least: Option<f64>,
    pub(super) mean: f64,
}

impl Shell {
    pub(super) fn of(rays: &[Ray], index: usize) -> Self {
        let points: Vec<(f64, Option<f64>)> = rays.iter().map(|ray| ray[index]).collect();
        let values: Vec<f64> = points.iter().map(|(value, _)| *value).collect();
        let lowest = points.iter().min_by(|one, other| one.0.total_cmp(&other.0));
        let (minimum, half_width) = lowest.copied().unwrap_or((f64::NAN, None));
        let lower_ends = points.iter().map(|(value, width)| Some(value - (*width)?));
        let lower_ends: Option<Vec<f64>> = lower_ends.collect();
        let least = lower_ends.map(|ends| ends.into_iter().fold(f64::INFINITY, f64::min));
        Self {
            minimum,
            half_width,
            least,
            mean: mean(&values),
        }
    }

    pub(super) fn slopes(shells: &[Self], radii: &[f64]) -> Vec<f64> {
        let pairs = shells.windows(2).zip(radii.windows(2));
        let slope = |(shells, radii): (&[Self], &[f64])| {
            let squares = (radii[1] - radii[0]) * (radii[1] + radii[0]);
            (shells[1].minimum - shells[0].minimum) / squares
        };
        pairs.map(slope).collect()
    }

    /// Whether the outermost minimum is certainly not positive, or certainly not larger than the one before.
    pub(super) fn refute(shells: &[Self], epsilon: f64) -> bool {
        let [.., before, last] = shells else {
            return false;
        };
        // What is not known refutes nothing.
        let Some(width) = last.half_width else {
            return false;
        };
        let size = last.minimum.abs().max(before.minimum.abs());
        let highest = last.minimum + width;
        let is_no_growth = |least: f64| highest <= least + ROUNDINGS * epsilon * size;
        highest <= 0.0 || before.least.is_some_and(is_no_growth)
    }
}

impl fmt::Display for Coercivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rays = match self.num_rays {
            1 => "1 ray".to_string(),
            count => format!("{count} rays"),
        };
        let ([.., before, last], [.., inner, outer]) = (&self.minima[..], &self.radii[..]) else {
            return write!(f, "Villani's condition was not measured");
        };
        if !self.is_refuted {
            write!(
                f,
                "Villani's condition is not refuted on {rays} up to radius {outer} (the smallest value is \
                 {last:.4e} there, {before:.4e} at radius {inner}); this proves nothing about other rays and \
                 larger radii"
            )
        } else if *last <= 0.0 {
            write!(
                f,
                "Villani's condition is refuted on {rays} up to radius {outer}: the smallest value is {last:.4e} \
                 there, not positive"
            )
        } else {
            write!(
                f,
                "Villani's condition is refuted on {rays} up to radius {outer}: the smallest value is {last:.4e} \
                 there and {before:.4e} at radius {inner}, so that it does not grow"
            )
        }
    }
}

impl Csv for Coercivity {
    /// The columns `radius,minimum,half_width,mean,slope`, one line for each radius. A slope is that from this radius
    /// to the next one. What is not defined is empty.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let rows = self.radii.iter().enumerate().map(|(index, radius)| {
            [
                radius.to_string(),
                text(self.minima.get(index).copied()),
                text(self.half_widths.get(index).copied().flatten()),
                text(self.means.get(index).copied()),
                text(self.slopes.get(index).copied()),
            ]
        });
        let header = ["radius", "minimum", "half_width", "mean", "slope"];
        Ok(csv(header, rows, writer)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shells(points: &[(f64, Option<f64>)]) -> Vec<Shell> {
        let rays = [points.to_vec()];
        (0..points.len()).map(|i| Shell::of(&rays, i)).collect()
    }

    fn is_refuted(points: &[(f64, Option<f64>)]) -> bool {
        Shell::refute(&shells(points), f64::EPSILON)
    }

    #[test]
    fn only_what_is_certain_refutes() {
        let exact = |value: f64| (value, Some(0.0));
        assert!(!is_refuted(&[exact(1.0), exact(2.0)]));
        assert!(is_refuted(&[exact(2.0), exact(1.0)]));
        assert!(is_refuted(&[exact(2.0), exact(2.0)]));
        assert!(is_refuted(&[exact(-2.0), exact(-1.0)]));
        // Inner radii do not decide.
        assert!(!is_refuted(&[exact(9.0), exact(1.0), exact(2.0)]));
        assert!(!is_refuted(&[exact(-2.0), (-1.0, Some(1.5))]));
        assert!(is_refuted(&[exact(-2.0), (-1.0, Some(0.5))]));
        assert!(!is_refuted(&[(2.0, Some(0.7)), (1.0, Some(0.7))]));
        assert!(!is_refuted(&[exact(2.0), (1.0, None)]));
    }

    #[test]
    fn a_shell_has_its_lowest_ray() {
        let rays = [vec![(3.0, Some(0.1))], vec![(1.0, Some(0.2))]];
        let shell = Shell::of(&rays, 0);
        assert_eq!(
            (shell.minimum, shell.half_width, shell.mean),
            (1.0, Some(0.2), 2.0)
        );
        // The interval of another ray may reach lower, or be unknown.
        let wide = [vec![(3.0, Some(2.5))], vec![(1.0, Some(0.2))]];
        assert_eq!(Shell::of(&wide, 0).least, Some(0.5));
        let unknown = [vec![(3.0, None)], vec![(1.0, Some(0.2))]];
        assert_eq!(Shell::of(&unknown, 0).least, None);
        let exact = |value: f64| vec![(value, Some(0.0))];
        let last = Shell::of(&[exact(0.7), exact(4.0)], 0);
        assert!(!Shell::refute(&[Shell::of(&wide, 0), last], f64::EPSILON));
        assert!(Shell::refute(&[shell, last], f64::EPSILON));
        let both = [
            Shell {
                minimum: 2.0,
                ..shell
            },
            Shell {
                minimum: 18.0,
                ..shell
            },
        ];
        assert_eq!(Shell::slopes(&both, &[1.0, 3.0]), [2.0]);
    }
}
