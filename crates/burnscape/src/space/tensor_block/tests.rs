use burn::tensor::{DType, Device};
use burnscape_krylov::{
    EigenpairsConfig, LanczosFactorization, LinearOperator, Orthonormal, Probe, SelfAdjoint,
    VectorList, Which,
};

use super::*;
use crate::space::READS;
use crate::space::kernel::FORCED;

/// Coordinates without a model.
#[derive(Debug, Clone)]
struct Coordinates {
    len: usize,
    device: Device,
    dtype: DType,
    basis: Option<Device>,
}

impl Coordinates {
    fn new(len: usize, dtype: DType) -> Self {
        Self {
            len,
            device: Device::default().inner(),
            dtype,
            basis: None,
        }
    }

    fn on(self, device: Device) -> Self {
        Self { device, ..self }
    }

    fn with_basis(self, device: Device) -> Self {
        let basis = Some(device);
        Self { basis, ..self }
    }
}

impl FlatSpace for Coordinates {
    fn dimension(&self) -> usize {
        self.len
    }

    fn place(&self) -> Result<(&Device, DType), SpaceError> {
        Ok((&self.device, self.dtype))
    }

    fn check_same(&self, _other: &Self) -> Result<(), SpaceError> {
        Ok(())
    }

    fn basis_device(&self) -> Option<&Device> {
        self.basis.as_ref()
    }
}

type Vector = FlatVector<Coordinates>;

/// A diagonal matrix: its products are exact to one rounding on every device.
struct Diagonal(Vector);

impl Diagonal {
    /// Three eigenvalues far above the others, as Hessians have them.
    fn new(space: &Coordinates) -> Self {
        let bulk = (0..space.len).map(|i| i as f64 / space.len as f64);
        let values = [10_000.0, 300.0, 100.0].into_iter().chain(bulk);
        let values: Vec<f64> = values.take(space.len).collect();
        Self(Vector::from_host(space, &values).unwrap())
    }
}

impl LinearOperator for Diagonal {
    type Domain = Vector;
    type Range = Vector;
    type Error = SpaceError;

    fn domain(&self) -> Coordinates {
        self.0.space().clone()
    }

    fn range(&self) -> Coordinates {
        self.domain()
    }

    fn matvec(&self, v: &Vector) -> Result<Vector, SpaceError> {
        self.0.clone().hadamard(v)
    }
}

impl SelfAdjoint for Diagonal {}

/// Runs `work` with one kernel for all devices.
fn with_kernel<T>(kernel: Kernel, work: impl FnOnce() -> T) -> T {
    FORCED.set(Some(kernel));
    let done = work();
    FORCED.set(None);
    done
}

fn reads<T>(work: impl FnOnce() -> T) -> usize {
    let before = READS.get();
    drop(work());
    READS.get() - before
}

fn run(space: &Coordinates, steps: usize) -> LanczosFactorization<Vector> {
    LanczosFactorization::from_random(&Diagonal::new(space), steps, 0).unwrap()
}

/// `|Q Qᵀ − I|`, summed in f64.
fn defect(run: &LanczosFactorization<Vector>) -> f64 {
    let rows = run.basis().vectors().map(|q| q.unwrap().to_host().unwrap());
    let list = VectorList::<Vec<f64>>::from_vectors(&run.space().len, rows.collect()).unwrap();
    let gram = list.gram(&list).unwrap();
    let entries = gram.rows().enumerate().flat_map(|(i, row)| {
        let row = row.iter().enumerate();
        row.map(move |(j, x)| (x - f64::from(u8::from(i == j))).abs())
    });
    entries.fold(0.0, f64::max)
}

fn numbers(v: &Vector) -> Vec<f64> {
    v.to_host().unwrap()
}

#[track_caller]
fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1.0_f64, |most, x| most.max(x.abs()));
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance * largest, "{a} {b}");
    }
}

/// Every operation of a block of 21 vectors, in two chunks, against the same vectors in f64 on the host.
fn is_a_list(space: &Coordinates, tolerance: f64) {
    let draw = |index| Probe::Gaussian.draw(space, 3, index).unwrap();
    let mut rows: Vec<Vector> = (0..21).map(draw).collect();
    let is_orthonormal = space.len > 21;
    if is_orthonormal {
        let basis = Orthonormal::orthonormalize(space, rows).unwrap();
        rows = basis.block().vectors().map(Result::unwrap).collect();
    }
    let host = rows.iter().map(numbers).collect();
    let list = VectorList::<Vec<f64>>::from_vectors(&space.len, host).unwrap();
    let mut block = TensorBlock::with_capacity(space, 17).unwrap();
    for row in rows {
        block.push(row).unwrap();
    }
    let v: Vector = Probe::Gaussian.draw(space, 4, 0).unwrap();
    let plain = numbers(&v);
    let scale = tolerance * v.norm().unwrap();
    assert_near(&block.dots(&v).unwrap(), &list.dots(&plain).unwrap(), scale);
    let c: Vec<f64> = Probe::Gaussian.draw(&21, 5, 0).unwrap();
    let sum = block.linear_combination(&c).unwrap();
    let expected = list.linear_combination(&c).unwrap();
    assert_near(&numbers(&sum), &expected, 20.0 * tolerance);
    let rest = block.project_out(v.clone()).unwrap();
    let expected = list.project_out(plain.clone()).unwrap();
    assert_near(&numbers(&rest), &expected, scale);
    let passes = [&[0][..], &[20, 0], &[0, 0], &[18, 3]];
    for passes in passes.into_iter().filter(|_| is_orthonormal) {
        let (c, rest, norms) = block.split(v.clone(), passes).unwrap();
        let (expected_c, expected, expected_norms) = list.split(plain.clone(), passes).unwrap();
        assert_near(&c, &expected_c, scale);
        assert_near(&numbers(&rest), &expected, scale);
        assert_near(&norms, &expected_norms, scale);
    }
    let gram = block.gram(&block).unwrap();
    let expected = list.gram(&list).unwrap();
    assert_near(gram.as_slice(), expected.as_slice(), 20.0 * tolerance);
    for count in [3, 18] {
        let turn = Probe::Gaussian.draw(&(21 * count), 6, 0).unwrap();
        let turn = Dense::from_row_major(count, 21, turn).unwrap();
        let (turned, expected) = (
            block.transform(&turn).unwrap(),
            list.transform(&turn).unwrap(),
        );
        assert_eq!(turned.len(), count);
        let mut turned = turned;
        turned.push(v.clone()).unwrap();
        for index in 0..count {
            let (a, b) = (turned.get(index).unwrap(), expected.get(index).unwrap());
            let (a, b) = (a.unwrap(), b.unwrap());
            assert_near(&numbers(&a), &b, 20.0 * tolerance);
        }
        assert_eq!(numbers(&turned.get(count).unwrap().unwrap()), plain);
        let dots = turned.dots(&v).unwrap();
        assert!((dots[count] / v.dot(&v).unwrap() - 1.0).abs() < 10.0 * tolerance);
    }
}

#[test]
fn blocks_are_lists_with_every_kernel() {
    for kernel in [Kernel::Matrices, Kernel::Sums] {
        for len in [5, 1000, 4096, 9001] {
            for (dtype, tolerance) in [(DType::F32, 1e-6), (DType::F64, 1e-14)] {
                let space = Coordinates::new(len, dtype);
                with_kernel(kernel, || is_a_list(&space, tolerance));
            }
        }
    }
    let half = Coordinates::new(1000, DType::F16);
    with_kernel(Kernel::Sums, || is_a_list(&half, 4e-3));
}

#[test]
fn products_that_round_to_ten_bits_lose_the_basis_and_sums_do_not() {
    let space = Coordinates::new(4500, DType::F32);
    let [exact, sums, rounded] = [Kernel::Matrices, Kernel::Sums, Kernel::TenBits]
        .map(|kernel| with_kernel(kernel, || run(&space, 60)));
    for run in [&exact, &sums] {
        assert!(defect(run) < 4e-6, "{:e}", defect(run));
        assert!((run.ritz_values()[57] - 100.0).abs() < 1e-3);
    }
    assert!(defect(&rounded) > 1e-4, "{:e}", defect(&rounded));
    let wrong = (rounded.ritz_values()[57] - 100.0).abs();
    assert!(wrong > 2e-3, "{wrong:e}");
}

#[test]
fn an_operation_of_a_block_reads_at_most_once() {
    let space = Coordinates::new(9001, DType::F32);
    for kernel in [Kernel::Matrices, Kernel::Sums] {
        with_kernel(kernel, || {
            let a = run(&space, 20);
            let (block, v) = (a.basis(), Vector::from_host(&space, &[0.5; 9001]).unwrap());
            assert_eq!(reads(|| v.dot(&v).unwrap()), 1);
            assert_eq!(reads(|| block.dots(&v).unwrap()), 1);
            assert_eq!(reads(|| block.gram(block).unwrap()), 1);
            assert_eq!(reads(|| block.split(v.clone(), &[19, 0]).unwrap()), 1);
            assert_eq!(reads(|| block.project_out(v.clone()).unwrap()), 0);
            assert_eq!(reads(|| block.linear_combination(&[0.1; 20]).unwrap()), 0);
            assert_eq!(reads(|| block.transform(&Dense::identity(20)).unwrap()), 0);
            // A step each, and the norm of the start.
            assert_eq!(reads(|| run(&space, 20)), 21);
        });
    }
}

#[test]
fn products_do_not_depend_on_how_a_basis_came_about() {
    // Rows of this length have 32 in a chunk.
    let space = Coordinates::new(140_000, DType::F32);
    let row = |index: u64| -> Vector { Probe::Rademacher.draw(&space, 7, index).unwrap() };
    let v = row(100);
    let filled = |capacity: usize| {
        let mut block = TensorBlock::with_capacity(&space, capacity).unwrap();
        (0..35).for_each(|index| block.push(row(index)).unwrap());
        block
    };
    for kernel in [Kernel::Matrices, Kernel::Sums] {
        with_kernel(kernel, || {
            let planned = filled(35);
            let expected = planned.split(v.clone(), &[34, 0]).unwrap();
            let mut restored = filled(40).transform(&Dense::identity(35)).unwrap();
            restored.truncate(33);
            (33..35).for_each(|index| restored.push(row(index)).unwrap());
            for block in [filled(3), filled(19), restored] {
                let found = block.split(v.clone(), &[34, 0]).unwrap();
                assert_eq!((&found.0, found.2), (&expected.0, expected.2));
                assert_eq!(numbers(&found.1), numbers(&expected.1));
            }
        });
    }
}

#[test]
fn rows_are_dropped_and_pushed_across_chunks() {
    let space = Coordinates::new(6, DType::F64);
    let row = |index: usize| {
        let values: Vec<f64> = (0..6).map(|i| (10 * index + i) as f64).collect();
        Vector::from_host(&space, &values).unwrap()
    };
    let mut block = TensorBlock::with_capacity(&space, 3).unwrap();
    (0..40).for_each(|index| block.push(row(index)).unwrap());
    for len in [25, 19, 18, 4, 3, 2, 0] {
        block.truncate(len);
        block.truncate(len + 1);
        assert_eq!(block.len(), len);
        assert!(block.get(len).unwrap().is_none());
        let copy = block.clone();
        block.push(row(99)).unwrap();
        let found = |block: &TensorBlock<Coordinates>, index| {
            let v = block.get(index).unwrap();
            numbers(&v.unwrap())
        };
        assert_eq!(found(&block, len), numbers(&row(99)));
        for index in 0..len {
            assert_eq!(found(&copy, index), numbers(&row(index)));
        }
        block = copy;
    }
}

#[test]
fn an_offloaded_run_is_the_run_on_the_device_of_the_basis_to_the_bit() {
    let spaces = |len: usize| {
        let resident = Coordinates::new(len, DType::F32).on(Device::flex());
        let mut others = vec![resident.clone().with_basis(Device::flex().autodiff())];
        #[cfg(feature = "ndarray")]
        others.push(resident.clone().on(ndarray()).with_basis(Device::flex()));
        (resident, others)
    };
    // Below the length of a block, norms are sums in f64 on the host, the same for every device.
    let (resident, others) = spaces(3000);
    let config = EigenpairsConfig::new(4, Which::Largest)
        .with_max_basis(7)
        .with_tolerance(1e-3);
    let top = |space: &Coordinates| config.run(&Diagonal::new(space)).unwrap();
    let (expected, pairs) = (run(&resident, 40), top(&resident));
    assert!(pairs.num_restarts > 0);
    for space in others {
        let found = run(&space, 40);
        assert_eq!(found.projected().unwrap(), expected.projected().unwrap());
        for (a, b) in found.basis().vectors().zip(expected.basis().vectors()) {
            let (a, b) = (a.unwrap(), b.unwrap());
            assert_eq!(numbers(&a), numbers(&b));
            assert_eq!(a.values().device(), space.device);
        }
        let found = top(&space);
        assert_eq!(found.values, pairs.values);
        assert_eq!(found.num_matvecs, pairs.num_matvecs);
        assert_eq!(numbers(&found.vectors[2]), numbers(&pairs.vectors[2]));
    }
}

#[cfg(feature = "ndarray")]
#[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
fn ndarray() -> Device {
    Device::ndarray()
}

#[cfg(feature = "ndarray")]
#[test]
fn offloading_to_another_kind_of_device_changes_rounding_alone() {
    let resident = Coordinates::new(9001, DType::F32);
    let (a, b) = (
        run(&resident, 40),
        run(&resident.clone().with_basis(ndarray()), 40),
    );
    assert!(defect(&b) < 1e-5, "{:e}", defect(&b));
    for index in 37..40 {
        let (a, b) = (a.ritz_values()[index], b.ritz_values()[index]);
        assert!((a / b - 1.0).abs() < 1e-5, "{a} {b}");
    }
}

#[test]
fn a_device_that_cannot_store_a_basis_is_a_typed_error() {
    let refused = |space: Coordinates| {
        let error = LanczosFactorization::from_random(&Diagonal::new(&space), 3, 0).unwrap_err();
        assert!(matches!(error, SpaceError::BasisDevice { .. }), "{error}");
        assert!(error.to_string().contains("with_basis_device"), "{error}");
    };
    // It records operations and has no numbers.
    refused(Coordinates::new(9, DType::F32).with_basis(Device::capture()));
    #[cfg(feature = "ndarray")]
    refused(Coordinates::new(9, DType::F16).with_basis(ndarray()));
}
