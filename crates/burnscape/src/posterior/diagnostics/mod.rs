//! What chains of draws say about their mean: its standard error, and whether the chains agree.

mod chain_diagnostics;
mod effective_size;
mod moments;
mod rhat;
mod student;

pub use chain_diagnostics::ChainDiagnostics;

/// The first and the second half of every chain, without the draw in the middle of an odd number: a chain that drifts
/// is then two that differ.
fn halves<'c>(chains: &[&'c [f64]]) -> Vec<&'c [f64]> {
    let split = |chain: &'c [f64]| {
        let half = chain.len() / 2;
        [&chain[..half], &chain[chain.len() - half..]]
    };
    chains.iter().copied().flat_map(split).collect()
}
