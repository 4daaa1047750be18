//! The registry: an operator, and the matrix it must be, computed by other means.

use burnscape_krylov::{
    Deflated, Dense, HasAdjoint, KrylovFault, LinearOperator, Preconditioned, Product, Restricted,
    Scaled, SelfAdjoint, Shifted, Sum, Symmetric, Transposed,
};

use crate::counted::Counted;

use super::matrices::{basis, general, map, matrix_of, symmetric, times, with_spectrum};

/// An operator of any kind over host vectors.
pub(crate) type AnyOperator<'a> =
    Box<dyn HasAdjoint<Domain = Vec<f64>, Range = Vec<f64>, Error = KrylovFault> + 'a>;

/// An operator and what it must be.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) type_name: &'static str,
    pub(crate) operator: AnyOperator<'static>,
    pub(crate) matrix: Dense,
    pub(crate) self_adjoint: bool,
}

fn case<A>(name: &'static str, operator: A, matrix: Dense) -> Case
where
    A: HasAdjoint<Domain = Vec<f64>, Range = Vec<f64>, Error = KrylovFault> + 'static,
{
    Case {
        name,
        type_name: std::any::type_name::<A>(),
        operator: Box::new(operator),
        matrix,
        self_adjoint: false,
    }
}

/// A case whose type claims self-adjointness.
fn self_adjoint<A>(name: &'static str, operator: A, matrix: Dense) -> Case
where
    A: SelfAdjoint<Vector = Vec<f64>, Error = KrylovFault> + HasAdjoint + 'static,
{
    Case {
        self_adjoint: true,
        ..case(name, operator, matrix)
    }
}

fn plain() -> Vec<Case> {
    let dense = |name, a: Dense| case(name, a.clone(), a);
    vec![
        dense("general", general(6, 6)),
        dense("wide", general(3, 7)),
        dense("tall", general(7, 3)),
        dense("one by one", general(1, 1)),
        dense("empty", Dense::identity(0)),
        dense("a row", general(1, 4)),
        dense("no rows", general(0, 4)),
        dense("blocks of eight and a rest", general(11, 19)),
    ]
}

fn known_spectra() -> Vec<Case> {
    let spectrum = |name, values: &[f64]| {
        let a = with_spectrum(values);
        self_adjoint(name, symmetric(&a), a)
    };
    let row = general(1, 5);
    let rank_one = times(&row.transpose(), &row);
    vec![
        self_adjoint(
            "identity",
            symmetric(&Dense::identity(5)),
            Dense::identity(5),
        ),
        self_adjoint(
            "zero",
            symmetric(&Dense::diagonal(&[0.0; 4])),
            Dense::diagonal(&[0.0; 4]),
        ),
        self_adjoint("rank one", symmetric(&rank_one), rank_one),
        spectrum("indefinite", &[-3.0, -1.0, 0.0, 0.5, 2.0, 8.0]),
        spectrum("decaying", &[1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5]),
        spectrum("multiple", &[2.0, 2.0, 2.0, -1.0, -1.0]),
        spectrum("one outlier", &[1e6, 1.0, 0.5, 0.25, -0.5]),
    ]
}

fn combined() -> Vec<Case> {
    let (a, b) = (general(6, 6), general(6, 6).transpose());
    let (wide, tall) = (general(4, 6), general(6, 4));
    let gram = times(&tall.transpose(), &tall);
    let transposed_tall = Transposed::new(tall.clone());
    vec![
        case(
            "scaled",
            Scaled::new(a.clone(), -0.3).unwrap(),
            map(&a, &a, |a, _| -0.3 * a),
        ),
        case(
            "scaled wide",
            Scaled::new(wide.clone(), 2.0).unwrap(),
            map(&wide, &wide, |a, b| a + b),
        ),
        case(
            "scaled by zero",
            Scaled::new(a.clone(), 0.0).unwrap(),
            map(&a, &a, |_, _| 0.0),
        ),
        case(
            "shifted",
            Shifted::new(a.clone(), 1.7).unwrap(),
            map(&a, &Dense::identity(6), |a, i| a + 1.7 * i),
        ),
        case(
            "sum",
            Sum::new(a.clone(), b.clone()).unwrap(),
            map(&a, &b, |a, b| a + b),
        ),
        case(
            "product",
            Product::new(a.clone(), b.clone()).unwrap(),
            times(&a, &b),
        ),
        case(
            "rectangular product",
            Product::new(tall.clone(), wide.clone()).unwrap(),
            times(&tall, &wide),
        ),
        case(
            "transposed",
            Transposed::new(wide.clone()),
            wide.transpose(),
        ),
        case("counted", Counted::new(wide.clone()), wide),
        self_adjoint(
            "gram",
            Symmetric::verified(Product::new(transposed_tall, tall).unwrap(), 1e-14, 0).unwrap(),
            gram,
        ),
        case(
            "observed",
            a.clone().observed(|_| std::ops::ControlFlow::Continue(())),
            a.clone(),
        ),
        case("boxed", Box::new(a.clone()), a),
    ]
}

fn projected() -> Vec<Case> {
    let a = general(6, 6);
    let q = basis(2, 6);
    let rows = matrix_of(&q);
    let along = times(&rows.transpose(), &rows);
    let outside = map(&Dense::identity(6), &along, |i, p| i - p);
    vec![
        case(
            "deflated",
            Deflated::new(a.clone(), q.clone()).unwrap(),
            times(&times(&outside, &a), &outside),
        ),
        case(
            "deflated by nothing",
            Deflated::new(a.clone(), basis(0, 6)).unwrap(),
            a.clone(),
        ),
        case(
            "restricted",
            Restricted::new(a.clone(), q).unwrap(),
            times(&times(&rows, &a), &rows.transpose()),
        ),
        case(
            "restricted to nothing",
            Restricted::new(a, basis(0, 6)).unwrap(),
            Dense::identity(0),
        ),
    ]
}

fn self_adjoint_by_type() -> Vec<Case> {
    let a = with_spectrum(&[-2.0, -0.5, 0.0, 1.0, 3.0, 10.0]);
    let b = with_spectrum(&[1.0, 1.0, 2.0, 3.0, 5.0, 8.0]);
    let q = basis(3, 6);
    let rows = matrix_of(&q);
    let outside = map(
        &Dense::identity(6),
        &times(&rows.transpose(), &rows),
        |i, p| i - p,
    );
    let (sa, sb) = (symmetric(&a), symmetric(&b));
    let nested = Shifted::new(
        Sum::new(sa.clone(), Scaled::new(sb.clone(), 0.1).unwrap()).unwrap(),
        -4.0,
    );
    let nested_matrix = map(
        &map(&a, &b, |a, b| a + 0.1 * b),
        &Dense::identity(6),
        |a, i| a - 4.0 * i,
    );
    vec![
        self_adjoint(
            "scaled s.a.",
            Scaled::new(sa.clone(), -2.5).unwrap(),
            map(&a, &a, |a, _| -2.5 * a),
        ),
        self_adjoint(
            "sum s.a.",
            Sum::new(sa.clone(), sb.clone()).unwrap(),
            map(&a, &b, |a, b| a + b),
        ),
        self_adjoint("nested s.a.", nested.unwrap(), nested_matrix),
        self_adjoint("counted s.a.", Counted::new(sa.clone()), a.clone()),
        self_adjoint("transposed s.a.", Transposed::new(sa.clone()), a.clone()),
        self_adjoint("boxed s.a.", Box::new(sa.clone()), a.clone()),
        self_adjoint(
            "preconditioned s.a.",
            Preconditioned::new(sa.clone(), sb.clone()).unwrap(),
            a.clone(),
        ),
        self_adjoint(
            "deflated s.a.",
            Deflated::new(sa.clone(), q.clone()).unwrap(),
            times(&times(&outside, &a), &outside),
        ),
        self_adjoint(
            "restricted s.a.",
            Restricted::new(sa, q).unwrap(),
            times(&times(&rows, &a), &rows.transpose()),
        ),
    ]
}

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    [
        plain(),
        known_spectra(),
        combined(),
        projected(),
        self_adjoint_by_type(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
