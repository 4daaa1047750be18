//! Curves in one line of text.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Longest line.
const WIDTH: usize = 60;

/// The values on a logarithmic scale from `low` to `high`, of which both are positive. Values that
/// are not finite and positive show as a space.
pub(crate) fn sparkline(values: &[f64], low: f64, high: f64) -> String {
    let bar = |value: f64| {
        if !(value.is_finite() && value > 0.0) {
            return ' ';
        }
        let height = (value / low).ln() / (high / low).ln().max(f64::MIN_POSITIVE);
        BARS[(height.clamp(0.0, 1.0) * 7.0).round() as usize]
    };
    let width = values.len().min(WIDTH);
    let columns = 0..width;
    let picked = columns.map(|column| values[column * (values.len() - 1) / (width - 1).max(1)]);
    picked.map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_scale_are_the_ends_of_the_bars() {
        assert_eq!(sparkline(&[1.0, 0.1, 0.01], 0.01, 1.0), "█▅▁");
        assert_eq!(sparkline(&[1.0], 1.0, 1.0), "▁");
        assert_eq!(sparkline(&[f64::NAN, 1.0], 0.1, 1.0), " █");
        assert_eq!(sparkline(&[], 0.1, 1.0), "");
        assert_eq!(sparkline(&[1.0; 1000], 0.1, 1.0).chars().count(), WIDTH);
    }
}
