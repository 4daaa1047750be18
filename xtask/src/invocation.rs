//! A command line and its environment.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Invocation {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(&'static str, &'static str)>,
}

impl Invocation {
    /// Splits `line` at white space; there is no quoting.
    pub(crate) fn new(line: &str) -> Self {
        let mut words = line.split_whitespace().map(str::to_string);
        Self {
            program: words.next().unwrap_or_default(),
            arguments: words.collect(),
            environment: Vec::new(),
        }
    }

    /// A program at a path that may contain white space.
    pub(crate) fn program(path: &Path) -> Self {
        Self {
            program: path.display().to_string(),
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Adds an argument that may contain white space.
    #[must_use]
    pub(crate) fn with_argument(mut self, argument: impl AsRef<Path>) -> Self {
        self.arguments.push(argument.as_ref().display().to_string());
        self
    }

    #[must_use]
    pub(crate) fn with_env(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    fn command(&self, root: &Path) -> Command {
        // Uses the cargo that started this program, and so the same toolchain.
        let program = match self.program.as_str() {
            "cargo" => std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            other => OsString::from(other),
        };
        let mut command = Command::new(program);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().copied())
            .current_dir(root)
            .stdin(Stdio::null());
        command
    }

    /// Runs the command and shows its output.
    pub(crate) fn run(&self, root: &Path) -> Result<(), String> {
        match self.command(root).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("`{self}` failed ({status})")),
            Err(error) => Err(format!("cannot start `{self}`: {error}")),
        }
    }

    /// Runs the command and returns what it prints.
    pub(crate) fn output(&self, root: &Path) -> Result<String, String> {
        let output = self.command(root).output();
        let output = output.map_err(|error| format!("cannot start `{self}`: {error}"))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(format!(
                "`{self}` failed: {}",
                String::from_utf8_lossy(&output.stderr)
            ))
        }
    }

    /// Runs the command without showing its output, and returns whether it succeeds.
    pub(crate) fn succeeds(&self, root: &Path) -> bool {
        self.command(root)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

/// The folder that cargo builds in.
pub(crate) fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(f, "{name}='{value}' ")?;
        }
        f.write_str(&self.program)?;
        for argument in &self.arguments {
            write!(f, " {argument}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_as_one_would_type_it() {
        let doc = Invocation::new("cargo doc  --no-deps").with_env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            doc.to_string(),
            "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps"
        );
    }

    #[test]
    fn a_missing_program_is_an_error_and_not_a_success() {
        let missing = Invocation::new("no-such-program --version");
        assert!(!missing.succeeds(Path::new(".")));
        assert!(missing.run(Path::new(".")).is_err());
    }
}
