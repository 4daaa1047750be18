//! Polynomials, written out so that loops over their terms need not be unrolled.

/// A polynomial with its coefficients in rising order. Four terms at a time are summed separately, because a sum that
/// waits for the one before it keeps a processor idle (Estrin's scheme).
macro_rules! polynomial {
    ($x:expr; $($coefficient:expr),+) => {{
        let x = $x;
        let square = x * x;
        let fourth = square * square;
        fours!(x, square, fourth; $($coefficient),+)
    }};
}

macro_rules! fours {
    ($x:ident, $square:ident, $fourth:ident; $a:expr) => { $a };
    ($x:ident, $square:ident, $fourth:ident; $a:expr, $b:expr) => { ($x * $b + $a) };
    ($x:ident, $square:ident, $fourth:ident; $a:expr, $b:expr, $c:expr) => {
        ($square * $c + ($x * $b + $a))
    };
    ($x:ident, $square:ident, $fourth:ident; $a:expr, $b:expr, $c:expr, $d:expr) => {
        ($square * ($x * $d + $c) + ($x * $b + $a))
    };
    ($x:ident, $square:ident, $fourth:ident; $a:expr, $b:expr, $c:expr, $d:expr, $($rest:expr),+) => {
        (fours!($x, $square, $fourth; $($rest),+) * $fourth
            + ($square * ($x * $d + $c) + ($x * $b + $a)))
    };
}

pub(super) use {fours, polynomial};
