//! A process for each test: Burn keeps a thread for every remote device that a process has ever connected, and those
//! threads keep a processor busy.

use std::env;
use std::process::{Command, Stdio};

/// Set in the process of a test to its name.
const ALONE: &str = "BURNSCAPE_TEST_ALONE";

/// Runs the body of a test, by its name below `remote`, in a process of its own.
pub(crate) fn alone(test: &str, body: impl FnOnce()) {
    let test = format!("remote::{test}");
    if env::var_os(ALONE).is_some_and(|own| own == *test) {
        return body();
    }
    let output = Command::new(env::current_exe().unwrap())
        .args([&test, "--exact", "--nocapture"])
        .env(ALONE, &test)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{errors}", output.status);
    let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
    assert!(ran, "no test `{test}`");
}
