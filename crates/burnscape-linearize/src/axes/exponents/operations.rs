//! Which operations scale with their operands.
//!
//! An operation that is not listed fixes its operands, which is right for any.

use burn_ir::{
    ActivationOperationIr as Activation, BaseOperationIr as Base, BoolOperationIr as Bool,
    FloatOperationIr as Float, IntOperationIr as Int, MatmulOpIr, NumericOperationIr as Numeric,
    OperationIr, PadModeIr, ScalarIr, TensorIr,
};

use super::Mode;
use super::layers;
use super::number::Fraction;
use super::relation::{How, Meaning, Relation, broadcast, flat, unflat};

use Meaning::{Fixed, Related, Still};

/// What an operation means for exponents.
pub(super) fn meaning(operation: &OperationIr, mode: Mode) -> Meaning<'_> {
    match operation {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            base(op, mode)
        }
        OperationIr::NumericFloat(_, op) => numeric(op, mode),
        OperationIr::Float(_, op) => float(op, mode),
        OperationIr::Activation(op) => activation(op, mode),
        OperationIr::Module(op) => layers::module(op, mode),
        // Integers and masks do not scale.
        OperationIr::NumericInt(..)
        | OperationIr::Int(Int::IntoFloat(_))
        | OperationIr::Bool(Bool::IntoFloat(_))
        | OperationIr::Int(_)
        | OperationIr::Bool(_) => Still,
        OperationIr::Custom(_)
        | OperationIr::Distributed(_)
        | OperationIr::Init(_)
        | OperationIr::Drop(_) => Fixed,
    }
}

pub(super) fn one(relation: Relation<'_>) -> Meaning<'_> {
    Related(vec![relation])
}

fn same(input: &TensorIr) -> Meaning<'_> {
    one(Relation::moved(input, <[usize]>::to_vec))
}

fn base(op: &Base, mode: Mode) -> Meaning<'_> {
    match op {
        Base::Reshape(o) => {
            let (from, to) = (o.input.shape.as_slice(), o.out.shape.as_slice());
            one(Relation::moved(&o.input, move |place| {
                unflat(from, flat(to, place))
            }))
        }
        Base::SwapDims(o) => one(Relation::moved(&o.input, |place| {
            let mut place = place.to_vec();
            place.swap(o.dim1, o.dim2);
            place
        })),
        Base::Permute(o) => one(Relation::moved(&o.input, |place| {
            let mut from = vec![0; place.len()];
            for (&axis, &index) in o.axes.iter().zip(place) {
                from[axis] = index;
            }
            from
        })),
        Base::Flip(o) => one(Relation::moved(&o.input, |place| {
            let mut place = place.to_vec();
            for &axis in &o.axes {
                place[axis] = o.input.shape[axis] - 1 - place[axis];
            }
            place
        })),
        Base::Expand(o) => one(Relation::moved(&o.input, |place| {
            broadcast(&o.input, place)
        })),
        Base::Slice(o) => one(Relation::moved(&o.tensor, |place| {
            let mut place = place.to_vec();
            for (axis, range) in o.ranges.iter().enumerate() {
                let taken = range.to_range(o.tensor.shape[axis]);
                let steps = place[axis] * range.step.unsigned_abs();
                place[axis] = if range.step < 0 {
                    taken.end.saturating_sub(1 + steps)
                } else {
                    taken.start + steps
                };
            }
            place
        })),
        Base::SliceAssign(o) => {
            if o.ranges.iter().any(|range| range.step != 1) {
                return Fixed;
            }
            one(Relation {
                operands: vec![&o.tensor, &o.value],
                summed: Vec::new(),
                bases: {
                    let starts = o.ranges.iter().enumerate();
                    let starts = starts
                        .map(|(axis, range)| (1, axis, range.to_range(o.tensor.shape[axis]).start));
                    starts.collect()
                },
                places: Box::new(|to, _| {
                    let mut inside = to.to_vec();
                    for (axis, range) in o.ranges.iter().enumerate() {
                        let taken = range.to_range(o.tensor.shape[axis]);
                        if !taken.contains(&to[axis]) {
                            return Some(vec![Some(to.to_vec()), None]);
                        }
                        inside[axis] = to[axis] - taken.start;
                    }
                    Some(vec![None, Some(inside)])
                }),
                how: How::Equal,
            })
        }
        Base::Select(o) => one(Relation::summed(&o.tensor, vec![o.dim], |to, over| {
            let mut place = to.to_vec();
            place[o.dim] = over[0];
            place
        })),
        Base::Gather(o) => one(Relation::summed(&o.tensor, vec![o.dim], |to, over| {
            let mut place = to.to_vec();
            place[o.dim] = over[0];
            place
        })),
        Base::MaskWhere(o) => one(Relation::elementwise(vec![&o.tensor, &o.value], How::Equal)),
        Base::MaskFill(o) if is_zero(o.value) => {
            one(Relation::elementwise(vec![&o.tensor], How::Equal))
        }
        Base::RepeatDim(o) => one(Relation::moved(&o.tensor, |place| {
            let mut place = place.to_vec();
            place[o.dim] %= o.tensor.shape[o.dim].max(1);
            place
        })),
        Base::Cat(o) => one(Relation {
            operands: o.tensors.iter().collect(),
            summed: Vec::new(),
            bases: {
                let mut base = 0;
                let starts = o.tensors.iter().enumerate().map(|(operand, tensor)| {
                    let start = (operand, o.dim, base);
                    base += tensor.shape[o.dim];
                    start
                });
                starts.collect()
            },
            places: Box::new(|to, _| {
                let mut rest = to[o.dim];
                let mut places = vec![None; o.tensors.len()];
                for (tensor, place) in o.tensors.iter().zip(&mut places) {
                    let len = tensor.shape[o.dim];
                    if rest < len {
                        let mut inside = to.to_vec();
                        inside[o.dim] = rest;
                        *place = Some(inside);
                        break;
                    }
                    rest -= len;
                }
                Some(places)
            }),
            how: How::Equal,
        }),
        Base::Cast(o) => same(&o.input),
        // The result of a comparison with zero survives scaling, but not a change of basis.
        Base::EqualElem(o) | Base::NotEqualElem(o) => {
            if is_zero(o.rhs) && matches!(mode, Mode::Scale | Mode::Sign) {
                Still
            } else {
                Fixed
            }
        }
        Base::Empty(_) | Base::Ones(_) | Base::Zeros(_) => Still,
        Base::Unfold(_)
        | Base::SelectAssign(_)
        | Base::MaskFill(_)
        | Base::Scatter(_)
        | Base::ScatterNd(_)
        | Base::GatherNd(_)
        | Base::Equal(_)
        | Base::NotEqual(_)
        | Base::All(_)
        | Base::Any(_)
        | Base::AllDim(_)
        | Base::AnyDim(_) => Fixed,
    }
}

pub(super) fn is_zero(scalar: ScalarIr) -> bool {
    scalar.elem::<f64>() == 0.0
}

fn numeric(op: &Numeric, mode: Mode) -> Meaning<'_> {
    match op {
        Numeric::Add(o) | Numeric::Sub(o) => {
            one(Relation::elementwise(vec![&o.lhs, &o.rhs], How::Equal))
        }
        Numeric::Mul(o) => {
            let how = How::Product(vec![1, 1]);
            one(Relation::elementwise(vec![&o.lhs, &o.rhs], how))
        }
        Numeric::Div(o) => {
            let how = How::Product(vec![1, -1]);
            one(Relation::elementwise(vec![&o.lhs, &o.rhs], how))
        }
        Numeric::AddScalar(o) | Numeric::SubScalar(o) if is_zero(o.rhs) => same(&o.lhs),
        Numeric::MulScalar(o) | Numeric::DivScalar(o) => same(&o.lhs),
        Numeric::Neg(o) => same(&o.input),
        Numeric::Abs(o) => match mode {
            Mode::Scale => same(&o.input),
            Mode::Sign => Still,
            Mode::Gauge | Mode::Rotation => Fixed,
        },
        Numeric::Sign(o) => match mode {
            Mode::Scale => Still,
            Mode::Sign => same(&o.input),
            Mode::Gauge | Mode::Rotation => Fixed,
        },
        Numeric::Full(_) => Still,
        Numeric::Sum(o) | Numeric::Mean(o) => {
            let axes: Vec<usize> = (0..o.input.shape.num_dims()).collect();
            one(Relation::summed(&o.input, axes, |_, over| over.to_vec()))
        }
        Numeric::SumDim(o) | Numeric::MeanDim(o) => reduced(&o.input, vec![o.axis], &o.out),
        Numeric::SumDims(o) => reduced(&o.input, o.axes.clone(), &o.out),
        Numeric::MaxDim(o) | Numeric::MinDim(o) if mode == Mode::Scale => {
            reduced(&o.input, vec![o.axis], &o.out)
        }
        Numeric::MaxDimWithIndices(o) | Numeric::MinDimWithIndices(o) if mode == Mode::Scale => {
            reduced(&o.tensor, vec![o.dim], &o.out)
        }
        Numeric::ClampMin(o) | Numeric::ClampMax(o) if mode == Mode::Scale && is_zero(o.rhs) => {
            same(&o.lhs)
        }
        Numeric::GreaterElem(o)
        | Numeric::GreaterEqualElem(o)
        | Numeric::LowerElem(o)
        | Numeric::LowerEqualElem(o)
            if mode == Mode::Scale && is_zero(o.rhs) =>
        {
            Still
        }
        Numeric::PowiScalar(o) => powered(&o.lhs, o.rhs, mode),
        Numeric::CumSum(o) => one(Relation::summed(&o.input, vec![o.axis], |to, over| {
            let mut place = to.to_vec();
            place[o.axis] = over[0];
            place
        })),
        Numeric::Pad(o) if matches!(o.mode, PadModeIr::Constant(value) if is_zero(value)) => {
            one(Relation {
                operands: vec![&o.input],
                summed: Vec::new(),
                bases: {
                    let starts = o.padding.iter().enumerate();
                    starts
                        .map(|(axis, &(before, _))| (0, axis, before))
                        .collect()
                },
                places: Box::new(|to, _| {
                    let mut inside = to.to_vec();
                    for (axis, &(before, _)) in o.padding.iter().enumerate() {
                        let place = to[axis].checked_sub(before);
                        match place.filter(|place| *place < o.input.shape[axis]) {
                            Some(place) => inside[axis] = place,
                            None => return None,
                        }
                    }
                    Some(vec![Some(inside)])
                }),
                how: How::Equal,
            })
        }
        _ => Fixed,
    }
}

/// Sums over axes, which have length 1 in the result or are absent.
fn reduced<'o>(input: &'o TensorIr, axes: Vec<usize>, out: &'o TensorIr) -> Meaning<'o> {
    let rank = input.shape.num_dims();
    let keeps = out.shape.num_dims() == rank;
    let reduced = axes.clone();
    one(Relation::summed(input, axes, move |to, over| {
        let mut kept = to.iter().copied();
        let mut place = vec![0; rank];
        for (axis, index) in place.iter_mut().enumerate() {
            match reduced.iter().position(|&reduced| reduced == axis) {
                Some(at) => {
                    *index = over[at];
                    if keeps {
                        kept.next();
                    }
                }
                None => *index = kept.next().unwrap_or(0),
            }
        }
        place
    }))
}

fn powered(input: &TensorIr, power: ScalarIr, mode: Mode) -> Meaning<'_> {
    let power = power.elem::<f64>();
    let is_integer = power.fract() == 0.0;
    let is_even = power.rem_euclid(2.0) == 0.0;
    match mode {
        Mode::Scale => match Fraction::near(power) {
            Some(power) => one(Relation::elementwise(vec![input], How::Power(power))),
            None => Fixed,
        },
        Mode::Sign if is_integer && is_even => Still,
        Mode::Sign if is_integer => same(input),
        Mode::Gauge | Mode::Rotation if power == 1.0 => same(input),
        Mode::Sign | Mode::Gauge | Mode::Rotation => Fixed,
    }
}

fn float(op: &Float, mode: Mode) -> Meaning<'_> {
    let is_sign = mode == Mode::Sign;
    let power = |input, numerator, denominator| {
        let power = How::Power(Fraction::new(numerator, denominator));
        one(Relation::elementwise(vec![input], power))
    };
    match op {
        Float::Matmul(o) => product(o),
        Float::PowfScalar(o) => powered(&o.lhs, o.rhs, mode),
        Float::Sqrt(o) if mode == Mode::Scale => power(&o.input, 1, 2),
        Float::Recip(o) if mode == Mode::Scale => power(&o.input, -1, 1),
        Float::Recip(o)
        | Float::Sin(o)
        | Float::Tan(o)
        | Float::Tanh(o)
        | Float::Sinh(o)
        | Float::ArcSin(o)
        | Float::ArcTan(o)
        | Float::ArcSinh(o)
        | Float::ArcTanh(o)
        | Float::Erf(o)
        | Float::Trunc(o)
            if is_sign =>
        {
            same(&o.input)
        }
        Float::Cos(_) | Float::Cosh(_) if is_sign => Still,
        Float::Hypot(o) if mode == Mode::Scale => {
            one(Relation::elementwise(vec![&o.lhs, &o.rhs], How::Equal))
        }
        _ => Fixed,
    }
}

fn product(o: &MatmulOpIr) -> Meaning<'_> {
    let last = o.lhs.shape.num_dims() - 1;
    one(Relation {
        operands: vec![&o.lhs, &o.rhs],
        summed: vec![(0, last)],
        bases: Vec::new(),
        places: Box::new(|to, over| {
            let rank = to.len();
            let (mut left, mut right) = (to.to_vec(), to.to_vec());
            left[rank - 1] = over[0];
            right[rank - 2] = over[0];
            Some(vec![
                Some(broadcast(&o.lhs, &left)),
                Some(broadcast(&o.rhs, &right)),
            ])
        }),
        how: How::Product(vec![1, 1]),
    })
}

fn activation(op: &Activation, mode: Mode) -> Meaning<'_> {
    match op {
        Activation::Relu(o) if mode == Mode::Scale => same(&o.input),
        Activation::LeakyRelu(o) if mode == Mode::Scale => same(&o.lhs),
        _ => Fixed,
    }
}
