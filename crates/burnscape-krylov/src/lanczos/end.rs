/// Which part of the spectrum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The algebraically largest eigenvalues.
    Top,
    /// The algebraically smallest.
    Bottom,
    /// The largest absolute values, of either sign.
    Magnitude,
    /// Both ends from one run: the largest, the smallest, the second largest, and so on. Of an odd
    /// number, one more from the top.
    Both,
}

impl End {
    /// The `k` outermost of ascending pairs, the outermost first.
    pub(crate) fn outermost<T>(self, pairs: Vec<(f64, T)>, k: usize) -> Vec<(f64, T)> {
        let mut pairs = pairs;
        match self {
            Self::Top => pairs.reverse(),
            Self::Bottom => {}
            Self::Magnitude => pairs.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs())),
            Self::Both => {
                let mut inward = std::collections::VecDeque::from(pairs);
                pairs = Vec::with_capacity(inward.len());
                while let Some(pair) = inward.pop_back() {
                    pairs.push(pair);
                    pairs.extend(inward.pop_front());
                }
            }
        }
        pairs.truncate(k);
        pairs
    }
}
