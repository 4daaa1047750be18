use super::*;
use crate::{KrylovFault, LinearOperator};

/// `H D H` with a reflection `H`, its products rounded to the type of the vectors.
struct Turned<F>(Vec<f64>, Vec<F>);

macro_rules! turned {
    ($float:ty) => {
        impl LinearOperator for Turned<$float> {
            type Domain = Vec<$float>;
            type Range = Vec<$float>;
            type Error = KrylovFault;

            fn domain(&self) -> usize {
                self.0.len()
            }

            fn range(&self) -> usize {
                self.0.len()
            }

            fn matvec(&self, v: &Vec<$float>) -> Result<Vec<$float>, KrylovFault> {
                let mirror = &self.1;
                let square = mirror.dot(mirror)?;
                let turn = |v: Vec<$float>| {
                    let share = 2.0 * mirror.dot(&v)? / square;
                    v.axpy(-share, mirror)
                };
                let turned = turn(v.clone())?.into_iter().zip(&self.0);
                turn(turned.map(|(x, d)| x * (*d as $float)).collect())
            }
        }

        impl SelfAdjoint for Turned<$float> {}
    };
}
turned!(f64);
turned!(f32);

fn spectra(n: usize) -> Vec<(&'static str, Vec<f64>)> {
    let map = |f: &dyn Fn(usize) -> f64| (0..n).map(f).collect::<Vec<f64>>();
    let mut outlier = map(&|i| i as f64 / n as f64);
    outlier[0] = 1e6;
    let mut ladder = outlier.clone();
    ladder[1..6].copy_from_slice(&[1e6 - 1.0, -1e6, 1e4, 1e3, 1e2]);
    vec![
        ("decay", map(&|i| 0.7_f64.powi(i as i32))),
        ("steps", map(&|i| (4 * i / n) as f64)),
        ("clusters", map(&|i| (i / 8) as f64 + 1e-7 * (i % 8) as f64)),
        ("negative", map(&|i| i as f64 - 25.5)),
        ("rank 3", map(&|i| 5.0 - i.min(5) as f64)),
        ("near identity", map(&|i| 1.0 + 1e-13 * i as f64)),
        ("zero", vec![0.0; n]),
        ("shifted", map(&|i| 1e6 + (i as f64).sin())),
        ("outlier", outlier),
        ("outliers", ladder),
    ]
}

/// `|Q Qᵀ − I|` with the next vector as a row of `Q`, and `|A Qᵀ − Qᵀ T − r eᵀ|`: sums on the host.
fn defects<A: SelfAdjoint<Error = KrylovFault>>(
    a: &A,
    record: &LanczosFactorization<A::Vector>,
) -> Result<(f64, f64), KrylovFault>
where
    A::Vector: VectorSpace<Error = KrylovFault>,
{
    let rows: Vec<A::Vector> = record.basis.vectors().collect::<Result<_, _>>()?;
    let host = |v: &A::Vector| v.to_host();
    let mut q: Vec<Vec<f64>> = rows.iter().map(host).collect::<Result<_, _>>()?;
    q.extend(record.next.as_ref().map(host).transpose()?);
    let (mut angle, mut relation) = (0.0_f64, 0.0_f64);
    for (i, x) in q.iter().enumerate() {
        for (j, y) in q[..=i].iter().enumerate() {
            let product: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
            angle = angle.max((product - f64::from(u8::from(i == j))).abs());
        }
    }
    for (j, row) in rows.iter().enumerate() {
        let mut rest = host(&a.matvec(row)?)?;
        for (i, x) in q.iter().enumerate() {
            let entry = match (i < rows.len(), j + 1 == rows.len()) {
                (true, _) => record.projected.get(i, j),
                (false, true) => record.beta,
                (false, false) => 0.0,
            };
            rest.iter_mut().zip(x).for_each(|(r, x)| *r -= entry * x);
        }
        relation = relation.max(rest.iter().map(|r| r * r).sum::<f64>().sqrt());
    }
    Ok((angle, relation))
}

/// The defects of runs over the whole space, and of runs of twenty restarts.
fn assert_small<A: SelfAdjoint<Error = KrylovFault>>(
    n: usize,
    epsilon: f64,
    with_spectrum: impl Fn(Vec<f64>) -> Result<A, KrylovFault>,
) -> Result<(), KrylovFault>
where
    A::Vector: VectorSpace<Error = KrylovFault>,
{
    for (name, values) in spectra(n) {
        let size = values.iter().fold(1e-300_f64, |size, x| size.max(x.abs()));
        let a = with_spectrum(values)?;
        for seed in 0..2 {
            let whole = LanczosFactorization::from_random(&a, n, seed)?;
            let (angle, relation) = defects(&a, &whole)?;
            assert!(angle <= 30.0 * epsilon, "{name}: {angle:e}");
            // A coefficient that is taken for zero leaves 64 ε.
            assert!(relation <= 70.0 * epsilon * size, "{name}: {relation:e}");
            for which in [Which::Largest, Which::Smallest, Which::BothEnds] {
                let mut record = LanczosFactorization::from_random(&a, 14, seed)?;
                for _ in 0..20 {
                    let kept = which.outermost(record.ritz_pairs(), 6);
                    record.restart(&kept)?;
                    record.extend(&a, 8)?;
                }
                // Each restart adds rounding.
                let (angle, relation) = defects(&a, &record)?;
                assert!(angle <= 400.0 * epsilon, "{name} {which:?}: {angle:e}");
                assert!(
                    relation <= 400.0 * epsilon * size,
                    "{name} {which:?}: {relation:e}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn the_basis_is_orthonormal_and_the_relation_holds_after_restarts() -> Result<(), KrylovFault> {
    // 400 ε of f64 are 1e-13.
    for n in [40, 100] {
        assert_small(n, f64::EPSILON, |values| {
            Ok(Turned::<f64>(values, Probe::Gaussian.draw(&n, 99, 0)?))
        })?;
        assert_small(n, f64::from(f32::EPSILON), |values| {
            Ok(Turned::<f32>(values, Probe::Gaussian.draw(&n, 99, 0)?))
        })?;
    }
    Ok(())
}

#[test]
fn a_second_pass_is_made_where_the_first_took_out_nearly_all() -> Result<(), KrylovFault> {
    // Twelve large eigenvalues: the twelfth vector, after a restart that kept the eleven before, has
    // a product nearly within their span.
    let n = 40;
    let values = (0..n).map(|i| match i < 12 {
        true => (1.0 + i as f64).sin(),
        false => 1e-10 * i as f64,
    });
    let mirror = Probe::Gaussian.draw(&n, 99, 0)?;
    let a = Turned::<f64>(values.collect(), mirror);
    let mut start: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i < 12))).collect();
    start.iter_mut().skip(12).for_each(|x| *x = 1e-8);
    let share = 2.0 * a.1.dot(&start)? / a.1.dot(&a.1)?;
    let start = start.axpy(-share, &a.1)?;
    let mut record = LanczosFactorization::from_vector(&a, start, 11, 0)?;
    let kept = record.ritz_pairs();
    record.restart(&kept)?;
    record.extend(&a, 1)?;
    assert!(record.beta < 1e-5 && record.beta > 0.0, "{:e}", record.beta);
    let (angle, relation) = defects(&a, &record)?;
    assert!(angle <= 30.0 * f64::EPSILON, "{angle:e}");
    assert!(relation <= 30.0 * f64::EPSILON, "{relation:e}");
    Ok(())
}
