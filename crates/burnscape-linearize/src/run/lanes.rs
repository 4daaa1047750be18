//! Concurrent runs of one program.

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::backend::DispatchTensor;

use super::engine::Engine;
use super::executable::Executable;
use crate::LinearizeError;

/// The outputs of one run.
type Outputs = Result<Vec<DispatchTensor>, LinearizeError>;

/// Runs the program once for each list of inputs, on the threads that the kernels use. Each engine takes the next
/// list when it is free. The outputs, or the errors, are in the order of the inputs.
pub(crate) fn run(
    engines: &mut [Box<dyn Engine>],
    executable: &Executable,
    inputs: &[Vec<DispatchTensor>],
) -> Vec<Outputs> {
    let next = AtomicUsize::new(0);
    let work = |engine: &mut Box<dyn Engine>| {
        let mut done: Vec<(usize, Outputs)> = Vec::new();
        while let index = next.fetch_add(1, Ordering::Relaxed)
            && let Some(inputs) = inputs.get(index)
        {
            done.push((index, engine.run(executable, inputs)));
        }
        done
    };
    let mut outputs: Vec<(usize, Outputs)> = at_once(engines, work).into_iter().flatten().collect();
    outputs.sort_unstable_by_key(|(index, _)| *index);
    outputs.into_iter().map(|(_, outputs)| outputs).collect()
}

/// The number of threads that Flex's kernels use; one without Flex.
pub(crate) fn num_threads() -> usize {
    #[cfg(feature = "flex")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "flex"))]
    1
}

#[cfg(feature = "flex")]
fn at_once<E: Send, T: Send>(engines: &mut [E], work: impl Fn(&mut E) -> T + Sync) -> Vec<T> {
    use rayon::prelude::{IntoParallelRefMutIterator, ParallelIterator};
    engines.par_iter_mut().map(&work).collect()
}

#[cfg(not(feature = "flex"))]
fn at_once<E, T>(engines: &mut [E], work: impl Fn(&mut E) -> T) -> Vec<T> {
    engines.iter_mut().map(work).collect()
}

#[cfg(test)]
mod tests {
    use burn::backend::ops::FloatTensorOps;
    use burn::tensor::{Scalar, Tensor};

    use super::*;
    use crate::program::Program;
    use crate::record::C;
    use crate::rule::tests::{plain, program};
    use crate::run::engine::{engine, flat};

    fn on(program: &Program, inputs: &[Vec<DispatchTensor>]) -> Vec<f64> {
        let mut engines: Vec<_> = (0..3)
            .map(|_| engine(&plain()).expect("a device"))
            .collect();
        for engine in &mut engines {
            engine.constants(program);
        }
        let outputs = run(&mut engines, &Executable::new(program), inputs).into_iter();
        let outputs = outputs.flat_map(|outputs| outputs.expect("runs"));
        let numbers =
            outputs.flat_map(|output| flat(output).into_data().iter::<f64>().collect::<Vec<_>>());
        numbers.collect()
    }

    #[test]
    fn outputs_come_in_the_order_of_the_inputs() {
        let doubled = program(&[&[1]], |given| {
            C::float_mul_scalar(given.at(0), Scalar::Float(2.0))
        });
        let inputs: Vec<_> = (0..20)
            .map(|i| vec![Tensor::<1>::full([1], i as f64, &plain()).into_dispatch()])
            .collect();
        let expected: Vec<f64> = (0..20).map(|i| 2.0 * i as f64).collect();
        assert_eq!(on(&doubled, &inputs), expected);
        assert!(on(&doubled, &[]).is_empty());
    }

    #[test]
    fn the_error_of_one_run_is_in_its_place() {
        let doubled = program(&[&[1]], |given| {
            C::float_mul_scalar(given.at(0), Scalar::Float(2.0))
        });
        let inputs: Vec<_> = [1, 1, 2, 1]
            .map(|len| vec![Tensor::<1>::ones([len], &plain()).into_dispatch()])
            .into();
        let mut engines = vec![engine(&plain()).expect("a device")];
        let found = run(&mut engines, &Executable::new(&doubled), &inputs);
        let is_right: Vec<bool> = found.iter().map(Result::is_ok).collect();
        assert_eq!(is_right, [true, true, false, true]);
        assert!(
            matches!(found[2], Err(LinearizeError::Mismatch { .. })),
            "{:?}",
            found[2]
        );
    }
}
