use serde::{Deserialize, Serialize};

use crate::OutOfRange;
use crate::range::ensure;

/// Which checkpoints a [`TrajectoryLog`](super::TrajectoryLog) keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub enum Thinning {
    /// Every checkpoint.
    #[default]
    All,
    /// This many at most, 2 or more. Each time there would be more, every second one is deleted, and the distance
    /// between those that are kept doubles: of 0, 1, 2, … those at multiples of a power of two. The first and the newest
    /// always stay.
    AtMost(usize),
    /// Those that moved: a checkpoint `θ` is written if `|θ − θ'| ≥ share · |θ'|`, with `θ'` the last one that was
    /// written. The first always is; the newest may not be.
    Moved(f64),
}

impl Thinning {
    pub(super) fn check(self) -> Result<(), OutOfRange> {
        match self {
            Self::All => Ok(()),
            Self::AtMost(most) => ensure("most", most as f64, 2.0..),
            Self::Moved(share) => ensure("share", share, 0.0..),
        }
    }

    /// Whether a checkpoint is written that is this far from the last one, relative to the length of that one. None if
    /// there is no other.
    pub(super) fn writes(self, distance: Option<f64>) -> bool {
        match (self, distance) {
            // A distance that is NaN is none that is short.
            (Self::Moved(share), Some(distance)) => distance.is_nan() || distance >= share,
            _ => true,
        }
    }

    /// Whether the checkpoint of a measurement is kept when another measurement is the newest, both counted from 0.
    ///
    /// A function of both numbers alone, so that a log that lost nothing else continues as if it had never stopped.
    pub(super) fn keeps(self, measurement: usize, newest: usize) -> bool {
        match self {
            Self::AtMost(most) => {
                measurement == newest || measurement.is_multiple_of(spacing(newest, most))
            }
            Self::All | Self::Moved(_) => true,
        }
    }
}

/// The least power of two whose multiples up to the newest number, and that number, are `most` or fewer.
fn spacing(newest: usize, most: usize) -> usize {
    let mut spacing = 1;
    while newest.div_ceil(spacing) + 1 > most.max(2) {
        spacing *= 2;
    }
    spacing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(thinning: Thinning, newest: usize) -> Vec<usize> {
        let all = 0..=newest;
        all.filter(|&measurement| thinning.keeps(measurement, newest))
            .collect()
    }

    #[test]
    fn the_distance_doubles_when_there_would_be_one_too_many() {
        let four = |newest| kept(Thinning::AtMost(4), newest);
        assert_eq!(four(3), [0, 1, 2, 3]);
        assert_eq!(four(4), [0, 2, 4]);
        assert_eq!(four(5), [0, 2, 4, 5]);
        assert_eq!(four(6), [0, 2, 4, 6]);
        assert_eq!(four(7), [0, 4, 7]);
        assert_eq!(four(12), [0, 4, 8, 12]);
        assert_eq!(four(13), [0, 8, 13]);
        let two = |newest| kept(Thinning::AtMost(2), newest);
        assert_eq!([two(0), two(1), two(2)], [vec![0], vec![0, 1], vec![0, 2]]);
        assert_eq!(two(100), [0, 100]);
        let three = |newest| kept(Thinning::AtMost(3), newest);
        assert_eq!(three(2), [0, 1, 2]);
        assert_eq!(three(3), [0, 2, 3]);
        assert_eq!(three(5), [0, 4, 5]);
        assert_eq!(three(9), [0, 8, 9]);
    }

    /// What is kept later is a part of what was kept before, and of what came since.
    #[test]
    fn nothing_that_is_deleted_is_needed_again() {
        for most in 2..12 {
            let thinning = Thinning::AtMost(most);
            for newest in 1..300 {
                let now = kept(thinning, newest);
                assert!(now.len() <= most, "{most} {newest}");
                assert!(now[0] == 0 && now[now.len() - 1] == newest);
                let before = kept(thinning, newest - 1);
                let mut older = now.iter().filter(|&&index| index != newest);
                assert!(older.all(|index| before.contains(index)));
            }
        }
    }

    #[test]
    fn what_has_not_moved_is_not_written() {
        let moved = Thinning::Moved(0.5);
        assert!(moved.writes(None) && moved.writes(Some(0.5)) && moved.writes(Some(f64::NAN)));
        assert!(!moved.writes(Some(0.4999)));
        assert!(Thinning::AtMost(2).writes(Some(0.0)));
        assert_eq!(kept(moved, 3), [0, 1, 2, 3]);
        assert_eq!(kept(Thinning::All, 3), [0, 1, 2, 3]);
    }

    #[test]
    fn settings_have_ranges() {
        for bad in [
            Thinning::AtMost(0),
            Thinning::AtMost(1),
            Thinning::Moved(-0.1),
            Thinning::Moved(f64::NAN),
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
        for good in [Thinning::All, Thinning::AtMost(2), Thinning::Moved(0.0)] {
            assert!(good.check().is_ok(), "{good:?}");
        }
    }
}
