use std::mem;

/// The least cost of a line up to a knot over its height `h` there, `a h² − 2 b h + c`, for one choice of the knots
/// before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parabola {
    pub(super) a: f64,
    pub(super) b: f64,
    pub(super) c: f64,
    /// The parabola that it continues; none for the first point.
    pub(super) origin: Option<Origin>,
}

/// A parabola by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// The knot that it belongs to.
    pub(super) knot: usize,
    /// Its number among those of the knot.
    pub(super) index: usize,
}

/// The least of several parabolas and of a constant, by ranges of the height.
pub(super) struct Envelope {
    /// Side by side, over all heights.
    pieces: Vec<Piece>,
}

/// A range of heights and what is the least there.
struct Piece {
    from: f64,
    to: f64,
    /// The constant has no origin.
    parabola: Parabola,
}

impl Envelope {
    /// No parabolas yet, and later only what is below `limit`.
    pub(super) fn below(limit: f64) -> Self {
        let constant = Parabola {
            a: 0.0,
            b: 0.0,
            c: limit,
            origin: None,
        };
        let everywhere = Piece {
            from: f64::NEG_INFINITY,
            to: f64::INFINITY,
            parabola: constant,
        };
        Self {
            pieces: vec![everywhere],
        }
    }

    /// Adds a parabola that opens upwards, where it is below all others.
    pub(super) fn insert(&mut self, new: Parabola) {
        let is_below = |piece: &Piece| piece.above(&new).iter().any(Option::is_some);
        if !self.pieces.iter().any(is_below) {
            return;
        }
        for piece in mem::take(&mut self.pieces) {
            let mut from = piece.from;
            for (start, end) in piece.above(&new).into_iter().flatten() {
                self.push(from, start, piece.parabola);
                self.push(start, end, new);
                from = end;
            }
            self.push(from, piece.to, piece.parabola);
        }
    }

    /// The parabolas that are the least somewhere, each once.
    pub(super) fn parabolas(&self) -> Vec<Parabola> {
        let mut found: Vec<Parabola> = Vec::new();
        for Piece { parabola, .. } in &self.pieces {
            let is_new = found.iter().all(|other| other.origin != parabola.origin);
            if parabola.origin.is_some() && is_new {
                found.push(*parabola);
            }
        }
        found
    }

    fn push(&mut self, from: f64, to: f64, parabola: Parabola) {
        if from >= to {
            return;
        }
        match self.pieces.last_mut() {
            Some(last) if last.parabola.origin == parabola.origin => last.to = to,
            _ => self.pieces.push(Piece { from, to, parabola }),
        }
    }
}

impl Piece {
    /// The ranges of the piece in which another parabola is lower.
    fn above(&self, other: &Parabola) -> [Option<(f64, f64)>; 2] {
        let a = other.a - self.parabola.a;
        let b = other.b - self.parabola.b;
        let c = other.c - self.parabola.c;
        let within = |from: f64, to: f64| {
            let (from, to) = (from.max(self.from), to.min(self.to));
            (from < to).then_some((from, to))
        };
        let (lowest, highest) = (f64::NEG_INFINITY, f64::INFINITY);
        // Where a h² − 2 b h + c is negative.
        if a == 0.0 {
            let root = c / (2.0 * b);
            return match b {
                b if b > 0.0 => [within(root, highest), None],
                b if b < 0.0 => [within(lowest, root), None],
                _ if c < 0.0 => [within(lowest, highest), None],
                _ => [None, None],
            };
        }
        let discriminant = b * b - a * c;
        if discriminant.is_nan() || discriminant <= 0.0 {
            return match a < 0.0 {
                true => [within(lowest, highest), None],
                false => [None, None],
            };
        }
        // Both roots without cancellation.
        let sum = b + discriminant.sqrt().copysign(b);
        let (one, other) = (sum / a, c / sum);
        let (low, high) = (one.min(other), one.max(other));
        match a < 0.0 {
            true => [within(lowest, low), within(high, highest)],
            false => [within(low, high), None],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::mix;

    fn value(parabola: &Parabola, h: f64) -> f64 {
        (parabola.a * h - 2.0 * parabola.b) * h + parabola.c
    }

    #[test]
    fn the_least_parabola_is_kept_at_every_height() {
        let random = |index| (mix(7, index) >> 11) as f64 * 0.5_f64.powi(53);
        let parabolas: Vec<Parabola> = (0..40)
            .map(|index| {
                let number = |part| random(4 * index as u64 + part);
                let (a, height) = (0.2 + number(0), 6.0 * number(1) - 3.0);
                Parabola {
                    a,
                    b: a * height,
                    c: a * height * height + 2.0 * number(2),
                    origin: Some(Origin { knot: 0, index }),
                }
            })
            .collect();
        let limit = 1.0;
        let mut envelope = Envelope::below(limit);
        for parabola in &parabolas {
            envelope.insert(*parabola);
        }
        let kept = envelope.parabolas();
        assert!(kept.len() > 2 && kept.len() < 20, "{}", kept.len());
        for step in -1000..=1000 {
            let h = f64::from(step) / 200.0;
            let least = |all: &[Parabola]| all.iter().map(|p| value(p, h)).fold(limit, f64::min);
            assert!((least(&kept) - least(&parabolas)).abs() < 1e-12);
        }
        let ends = envelope
            .pieces
            .windows(2)
            .all(|pair| pair[0].to == pair[1].from);
        assert!(ends && envelope.pieces[0].from == f64::NEG_INFINITY);
    }

    #[test]
    fn a_parabola_above_the_limit_is_dropped() {
        let mut envelope = Envelope::below(0.5);
        let origin = Some(Origin { knot: 3, index: 0 });
        let parabola = |c| Parabola {
            a: 1.0,
            b: 0.0,
            c,
            origin,
        };
        envelope.insert(parabola(0.75));
        assert!(envelope.parabolas().is_empty());
        envelope.insert(parabola(0.25));
        assert_eq!(envelope.parabolas().len(), 1);
        let mut closed = Envelope::below(f64::NEG_INFINITY);
        closed.insert(parabola(0.0));
        assert!(closed.parabolas().is_empty());
    }
}
