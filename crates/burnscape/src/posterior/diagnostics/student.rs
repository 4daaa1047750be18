use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Degrees of freedom beyond which Student's law is taken from the normal one: the iteration that inverts the former
/// loses digits there, all but five at a million.
const MANY: f64 = 1e3;

/// The point that a number of Student's law, of more than zero degrees of freedom, exceeds in absolute value with
/// probability `1 − confidence`, for a confidence in (0, 1).
pub(super) fn student(freedom: f64, confidence: f64) -> Option<f64> {
    let below = 0.5 + 0.5 * confidence;
    if freedom <= MANY {
        let law = StudentsT::new(0.0, 1.0, freedom).ok()?;
        return Some(law.inverse_cdf(below));
    }
    // Cornish and Fisher's expansion (Abramowitz and Stegun 26.7.5): six digits or more.
    let z = Normal::standard().inverse_cdf(below);
    let s = z * z;
    let first = z * (s + 1.0) / 4.0;
    let second = z * ((5.0 * s + 16.0) * s + 3.0) / 96.0;
    Some(z + (first + second / freedom) / freedom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_tables() {
        let known = [
            (1.0, 0.95, 12.706204736174694),
            (2.5, 0.99, 7.163728138948783),
            (10.0, 0.95, 2.228138851986274),
            (1000.0, 0.95, 1.9623390808264078),
            (1000.5, 0.95, 1.962337892459348),
            (1e6, 0.95, 1.959966356814107),
        ];
        for (freedom, confidence, exact) in known {
            let found = student(freedom, confidence).unwrap();
            assert!(
                (found / exact - 1.0).abs() < 1e-8,
                "{freedom}: {found} and not {exact}"
            );
        }
    }

    #[test]
    fn the_expansion_continues_the_law() {
        for confidence in [0.1, 0.5, 0.9, 0.95, 0.999] {
            let ends = [MANY, MANY * (1.0 + 1e-12)].map(|x| student(x, confidence).unwrap());
            assert!((ends[1] / ends[0] - 1.0).abs() < 1e-7, "{confidence}");
        }
    }
}
