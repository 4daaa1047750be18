//! Where a run was, and of which code.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

/// The processor and its threads, and the system.
pub(crate) fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut names = text
        .lines()
        .filter_map(|line| line.strip_prefix("model name"));
    let name = names.next().and_then(|line| line.split_once(':'));
    let name = name.map_or(std::env::consts::ARCH, |(_, name)| name.trim());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    format!("{name}, {threads} threads, {}", std::env::consts::OS)
}

/// The most memory that the process has held since [`forget_peak`]; none where the system does not tell.
pub(crate) fn peak_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let mut lines = status.lines();
    let peak = lines.find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kilobytes)
}

/// Starts the measurement of the most memory again, where the system lets us: what is held now still counts.
pub(crate) fn forget_peak() {
    // Without it, the peak of the studies before is an upper bound.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The code of a run.
pub(crate) struct Code {
    /// The last commit.
    pub(crate) commit: Option<String>,
    /// The last commit that changed the criterion.
    pub(crate) criterion: Option<String>,
    /// Whether files differ from the last commit.
    pub(crate) is_changed: Option<bool>,
}

impl Code {
    /// Of the workspace, if it is in git.
    pub(crate) fn of(study: &str) -> Self {
        let name = study.replace('-', "_");
        let criterion = format!("examples/studies/criteria/{name}.rs");
        let changed = git(&["status", "--porcelain", "--", "crates", "examples"]);
        let named = |text: String| Some(text).filter(|text| !text.is_empty());
        let last = ["log", "-n", "1", "--format=%H", "--", criterion.as_str()];
        Self {
            commit: git(&["rev-parse", "HEAD"]).and_then(named),
            criterion: git(&last).and_then(named),
            is_changed: changed.map(|files| !files.is_empty()),
        }
    }
}

/// What git says in the root of the workspace; none without git.
fn git(arguments: &[&str]) -> Option<String> {
    // Cargo sets the variable for programs that it runs.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = package.map_or_else(|| PathBuf::from("."), |package| package.join("../.."));
    let mut command = Command::new("git");
    let output = command.args(arguments).current_dir(root).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_a_name_and_threads() {
        assert!(machine().contains(" threads, "));
        // Where the system tells, it is more than nothing.
        assert_ne!(peak_bytes(), Some(0));
    }
}
