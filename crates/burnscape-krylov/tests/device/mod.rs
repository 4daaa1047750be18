//! The same code over vectors that live elsewhere: other storage, other errors, other blocks.
#![cfg(test)]

mod device_vector;
mod operators;
mod reads;
mod rounding;

use burnscape_krylov::{
    Deflated, Dense, HasAdjoint, KrylovFault, LinearOperator, Orthonormal, Probe, Product,
    Restricted, Scaled, SelfAdjoint, Shifted, Square, Sum, Symmetric, Transposed, VectorBlock,
};
use device_vector::{DeviceBlock, DeviceError, DeviceSpace, DeviceVector};
use operators::{Broken, CurvatureError, Diagonal, Jacobian};

const EPSILON: f64 = f32::EPSILON as f64;

fn entries(rows: usize, columns: usize) -> Dense {
    let entries = Probe::Gaussian.draw(&(rows * columns), 11, 0).unwrap();
    Dense::from_row_major(rows, columns, entries).unwrap()
}

fn basis(space: &DeviceSpace, count: u64) -> Orthonormal<DeviceVector> {
    let vectors = (0..count).map(|index| Probe::Gaussian.draw(space, 5, index).unwrap());
    Orthonormal::orthonormalize(space, vectors.collect()).unwrap()
}

fn assert_close(found: &Dense, expected: &Dense, tolerance: f64) {
    assert_eq!(found.as_slice().len(), expected.as_slice().len());
    for (found, expected) in found.as_slice().iter().zip(expected.as_slice()) {
        assert!(
            (found - expected).abs() < tolerance,
            "{found} for {expected}"
        );
    }
}

#[test]
fn a_jacobian_goes_from_the_device_to_the_host() {
    let space = DeviceSpace::new("model", 6);
    let j = Jacobian(space, entries(4, 6));
    assert!(j.linearity_defect(2, 0).unwrap() < 4.0 * EPSILON);
    assert!(j.adjoint_defect(2, 0).unwrap() < 4.0 * EPSILON);
    assert_close(&Dense::of(&j).unwrap(), &j.1, 1e-12);
    assert_close(
        &Dense::of(&Transposed::new(&j)).unwrap(),
        &j.1.transpose(),
        1e-6,
    );
}

#[test]
fn operators_of_three_errors_make_one_gauss_newton_operator() {
    let space = DeviceSpace::new("model", 6);
    let j = Jacobian(space.clone(), entries(4, 6));
    let loss_hessian = Dense::diagonal(&[1.0, 0.5, 2.0, 1.0]);
    // Jᵀ H J: errors of the curvature, of the host, of the curvature.
    let inner = Transposed::new(Product::new(Transposed::new(&j), &loss_hessian).unwrap());
    let gauss_newton = Product::new(Transposed::new(inner), &j).unwrap();
    let decayed = Sum::new(
        Symmetric::verified(gauss_newton, 4.0 * EPSILON, 0).unwrap(),
        Scaled::new(Diagonal(space), 0.1).unwrap(),
    );
    let decayed = decayed.unwrap();
    fn accepts(_: &impl SelfAdjoint) {}
    accepts(&decayed);
    let weighted = loss_hessian.multiply(&j.1).unwrap();
    let expected = Sum::new(
        j.1.transpose().multiply(&weighted).unwrap(),
        Dense::identity(6),
    );
    let shift = Shifted::new(expected.unwrap(), 0.3 - 1.0).unwrap();
    assert_close(
        &Dense::of(&decayed).unwrap(),
        &Dense::of(&shift).unwrap(),
        2e-6,
    );
    assert!(decayed.symmetry_defect(3, 1).unwrap() < 4.0 * EPSILON);
}

#[test]
fn a_block_of_the_device_is_used() {
    let space = DeviceSpace::new("model", 300);
    let q = basis(&space, 8);
    assert!(q.defect() < 1e-6, "{:e}", q.defect());
    let v = Probe::Gaussian.draw(&space, 1, 0).unwrap();
    let used = |what: &dyn Fn()| {
        let before = space.num_syncs();
        what();
        space.num_syncs() - before
    };
    let deflated = Deflated::new(Diagonal(space.clone()), q.clone()).unwrap();
    assert_eq!(used(&|| drop(deflated.matvec(&v).unwrap())), 0);
    let restricted = Restricted::new(Diagonal(space.clone()), q.clone()).unwrap();
    assert_eq!(used(&|| drop(restricted.matvec(&vec![1.0; 8]).unwrap())), 1);
    // The check of a basis takes one synchronization, not one a pair.
    let block = DeviceBlock::clone(q.block());
    assert_eq!(
        used(&|| drop(Orthonormal::<DeviceVector>::from_block(block.clone()))),
        1
    );
    let rest = q.block().dots(&deflated.matvec(&v).unwrap()).unwrap();
    assert!(rest.iter().all(|x| x.abs() < 1e-4));
    assert_close(
        &Dense::of(&restricted).unwrap(),
        &Dense::of(&three(8)).unwrap(),
        1e-5,
    );
}

fn three(dimension: usize) -> Scaled<Dense> {
    Scaled::new(Dense::identity(dimension), 3.0).unwrap()
}

#[test]
fn a_lost_device_is_an_error_wherever_it_happens() {
    for lost_after in 0..6 {
        let space = DeviceSpace::lost_after("model", 6, lost_after);
        let error = Diagonal(space).symmetry_defect(1, 0).unwrap_err();
        assert_eq!(error, DeviceError::Lost);
    }
    let space = DeviceSpace::lost_after("model", 6, 0);
    let error = Dense::of(&Diagonal(space.clone())).unwrap_err();
    assert_eq!(error, DeviceError::Lost);
    let vectors = vec![Probe::Gaussian.draw(&space, 0, 0).unwrap()];
    let error = Orthonormal::<DeviceVector>::orthonormalize(&space, vectors).unwrap_err();
    assert_eq!(error, DeviceError::Lost);
}

#[test]
fn spaces_differ_by_name_and_not_by_length() {
    let (one, other) = (
        DeviceSpace::new("encoder", 6),
        DeviceSpace::new("decoder", 6),
    );
    let error = Sum::new(Diagonal(one.clone()), Diagonal(other.clone())).map(|_| ());
    let different = DeviceError::DifferentSpaces {
        expected: "encoder".to_owned(),
        found: "decoder".to_owned(),
    };
    assert_eq!(error, Err(different.clone()));
    let v = Probe::Gaussian.draw(&other, 0, 0).unwrap();
    let q = basis(&one, 2);
    assert_eq!(Diagonal(one).matvec(&v).unwrap_err(), different);
    assert_eq!(q.block().dots(&v).unwrap_err(), different);
}

#[test]
fn an_operator_keeps_its_own_error() {
    let space = DeviceSpace::new("model", 6);
    let broken = Shifted::new(Broken(space.clone()), 1.0).unwrap();
    let error = broken.symmetry_defect(1, 0).unwrap_err();
    assert_eq!(error, CurvatureError::Batch { batch: 1 });
    let restricted = Restricted::new(&broken, basis(&space, 2)).unwrap();
    let count = KrylovFault::CoefficientCount {
        expected: 2,
        found: 3,
    };
    // A failure of the vectors reaches the operator's error by way of the vectors' error.
    let error = restricted.matvec(&vec![1.0; 3]).unwrap_err();
    assert_eq!(error, CurvatureError::Device(DeviceError::Krylov(count)));
}
