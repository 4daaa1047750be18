use crate::Which;

/// Whether nothing wanted can be missing after a Krylov space was exhausted.
///
/// The pairs of an exhausted space have no residual, although the space may lack further copies of a multiple
/// eigenvalue. The newest space, from fresh random vectors, shows the complement. Once its outermost pairs are known, and
/// `copies` more of them would not change the wanted values, nothing is missing.
///
/// `newest` are Ritz values and residuals of that space, ascending. `allowed` is the largest residual, and the largest
/// difference between values of one eigenvalue: less than the distances at this end, which a goal relative to the norm need
/// not be.
pub(crate) fn is_complete(
    values: Vec<f64>,
    newest: Vec<(f64, f64)>,
    (which, k): (Which, usize),
    (copies, allowed): (usize, f64),
) -> bool {
    let ends = which.outermost(
        newest,
        if which == Which::BothEnds {
            2 * copies
        } else {
            copies
        },
    );
    if ends.iter().any(|(_, residual)| *residual > allowed) {
        return false;
    }
    let sorted = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        which.outermost(values.iter().map(|x| (*x, ())).collect(), k)
    };
    let (mut all, mut more) = (values.clone(), values);
    more.extend(ends.iter().map(|(value, _)| value));
    let (wanted, with_more) = (sorted(&mut all), sorted(&mut more));
    let mut pairs = wanted.iter().zip(&with_more);
    pairs.all(|(a, b)| (a.0 - b.0).abs() <= allowed)
}
