//! How the values of a result relate to those of the operands.

use burn_ir::TensorIr;

use super::number::Fraction;

/// What is known of an operation.
pub(super) enum Meaning<'o> {
    /// Its result scales with its operands in no way: all exponents are zero.
    Fixed,
    /// Its result does not change when the operands scale.
    Still,
    /// Its result relates to the operands in one or several ways.
    Related(Vec<Relation<'o>>),
}

/// Each value of the result is a sum, over the indices of some axes, of products of operands.
pub(super) struct Relation<'o> {
    pub(super) operands: Vec<&'o TensorIr>,
    /// The axes whose indices are summed over: an operand and its axis.
    pub(super) summed: Vec<(usize, usize)>,
    /// The place of each operand that a place of the result and the summed indices read. Nothing if none is read, and no
    /// place for an operand that is not.
    pub(super) places: Places<'o>,
    /// Where along an axis of the result an operand starts: the operand, the axis, and the first index.
    pub(super) bases: Vec<(usize, usize, usize)>,
    pub(super) how: How,
}

pub(super) type Places<'o> =
    Box<dyn Fn(&[usize], &[usize]) -> Option<Vec<Option<Vec<usize>>>> + 'o>;

/// How operands become a term.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum How {
    /// Each is a term by itself.
    Equal,
    /// They are multiplied, or divided where the coefficient is −1.
    Product(Vec<i64>),
    Power(Fraction),
}

impl<'o> Relation<'o> {
    /// The values of one operand at other places.
    pub(super) fn moved(
        operand: &'o TensorIr,
        place: impl Fn(&[usize]) -> Vec<usize> + 'o,
    ) -> Self {
        Self {
            operands: vec![operand],
            summed: Vec::new(),
            bases: Vec::new(),
            places: Box::new(move |to, _| Some(vec![Some(place(to))])),
            how: How::Equal,
        }
    }

    /// Sums over axes of one operand.
    pub(super) fn summed(
        operand: &'o TensorIr,
        axes: Vec<usize>,
        place: impl Fn(&[usize], &[usize]) -> Vec<usize> + 'o,
    ) -> Self {
        Self {
            operands: vec![operand],
            summed: axes.into_iter().map(|axis| (0, axis)).collect(),
            bases: Vec::new(),
            places: Box::new(move |to, over| Some(vec![Some(place(to, over))])),
            how: How::Equal,
        }
    }

    /// Operands that meet element by element, with broadcasting.
    pub(super) fn elementwise(operands: Vec<&'o TensorIr>, how: How) -> Self {
        let of = operands.clone();
        Self {
            operands,
            summed: Vec::new(),
            bases: Vec::new(),
            places: Box::new(move |to, _| {
                Some(
                    of.iter()
                        .map(|tensor| Some(broadcast(tensor, to)))
                        .collect(),
                )
            }),
            how,
        }
    }
}

/// The place of an operand that broadcasting reads.
pub(super) fn broadcast(tensor: &TensorIr, to: &[usize]) -> Vec<usize> {
    let shape = tensor.shape.as_slice();
    let skip = to.len().saturating_sub(shape.len());
    let places = to[skip..].iter().zip(shape);
    places
        .map(|(&place, &len)| if len == 1 { 0 } else { place })
        .collect()
}

/// The place in row-major order.
pub(super) fn flat(shape: &[usize], place: &[usize]) -> usize {
    let digits = shape.iter().zip(place);
    digits.fold(0, |flat, (len, index)| flat * len + index)
}

pub(super) fn unflat(shape: &[usize], flat: usize) -> Vec<usize> {
    let mut rest = flat;
    let mut place: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&len| {
            let index = rest % len.max(1);
            rest /= len.max(1);
            index
        })
        .collect();
    place.reverse();
    place
}
