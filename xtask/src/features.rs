//! The steps of `cargo xtask features`, which check that the library compiles with every set of backends.

use crate::invocation::Invocation;
use crate::step::{Step, Work};

/// Name of the step, features, description. Cheapest first. `remote` is left out: it would compile Burn with its network
/// code once more, and `cargo xtask check` compiles everything that the feature adds.
const SETS: &[(&str, &str, &str)] = &[
    ("flex", "flex", "the default backend"),
    ("ndarray", "ndarray", "another CPU backend on its own"),
    ("train", "flex,train", "Burn's Learner"),
    ("progress", "flex,progress", "the progress line"),
    ("files", "flex,files", "caches and logs in files"),
    ("report", "flex,report", "figures and a page of results"),
    ("wgpu", "wgpu", "GPUs through WebGPU"),
];

/// Optional, because it needs the headers of the CUDA toolkit on some machines.
const CUDA: (&str, &str, &str) = ("cuda", "cuda", "NVIDIA GPUs");

pub(crate) fn steps(cuda: bool) -> Vec<Step> {
    let sets = SETS.iter().copied().chain(cuda.then_some(CUDA));
    let mut steps = vec![no_backend()];
    steps.extend(sets.map(|(name, features, about)| Step {
        name,
        about,
        work: Work::Run(vec![check(features)]),
    }));
    steps
}

/// Without a backend, the compiler has to say so.
fn no_backend() -> Step {
    Step {
        name: "none",
        about: "no backend is an error that says so",
        work: Work::Refused {
            command: check(""),
            message: "no backend is enabled; enable a feature of `burnscape`",
        },
    }
}

fn check(features: &str) -> Invocation {
    let mut line = String::from("cargo check --package burnscape --no-default-features");
    if !features.is_empty() {
        line.push_str(" --features ");
        line.push_str(features);
    }
    Invocation::new(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuda_is_tried_on_demand_only() {
        let has_cuda = |cuda| steps(cuda).iter().any(|step| step.name == "cuda");
        assert!(has_cuda(true));
        assert!(!has_cuda(false));
    }

    #[test]
    fn no_backend_means_no_feature_flag() {
        assert!(!check("").to_string().contains("--features"));
        assert!(
            check("flex,train")
                .to_string()
                .ends_with("--features flex,train")
        );
    }
}
