//! A process for each test: Burn keeps a thread for every remote device that a process has ever connected, and those
//! threads keep a processor busy.

use std::env;
use std::process::{Command, Stdio};

/// Set in the process of a test to its name and a part of it.
const ALONE: &str = "BURNSCAPE_TEST_ALONE";

/// Runs the body of a test, by its name below `remote`, in a process of its own.
pub(crate) fn alone(test: &str, body: impl Fn()) {
    each_alone(test, [""], |_| body());
}

/// Runs the body of a test, by its name below `remote`, with each of these parts, each in a process of its own.
pub(crate) fn each_alone<'a>(
    test: &str,
    parts: impl IntoIterator<Item = &'a str>,
    body: impl Fn(&str),
) {
    let test = format!("remote::{test}");
    let own = env::var(ALONE).unwrap_or_default();
    if let Some((name, part)) = own.split_once(' ')
        && name == test
    {
        return body(part);
    }
    for part in parts {
        let output = Command::new(env::current_exe().unwrap())
            .args([&test, "--exact", "--nocapture", "--include-ignored"])
            .env(ALONE, format!("{test} {part}"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        print!("{}", String::from_utf8_lossy(&output.stdout));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{part}: {}\n{errors}",
            output.status
        );
        let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
        assert!(ran, "no test `{test}`");
    }
}
