//! A browser without a window that ends with its owner.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::tree::cannot;

/// How long the browser may take to start.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end once it was asked to.
const END: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// The same pictures on every machine, and no traffic of the browser's own.
const OPTIONS: &[&str] = &[
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--mute-audio",
    "--force-color-profile=srgb",
    "--force-device-scale-factor=1",
    "--lang=en-US",
    "about:blank",
];

/// The running program and its temporary profile.
pub(super) struct Chromium {
    process: Child,
    profile: PathBuf,
}

impl Chromium {
    /// Starts the program, and returns it with the address of its DevTools.
    pub(super) fn start(program: &str) -> Result<(Self, Address), String> {
        let name = format!("burnscape-page-{}", std::process::id());
        let profile = std::env::temp_dir().join(name);
        // One that is left from a process of the same number.
        let _ = fs::remove_dir_all(&profile);
        fs::create_dir(&profile).map_err(|error| cannot("create", &profile, &error))?;
        let log = profile.join("stderr.txt");
        let errors = fs::File::create(&log).map_err(|error| cannot("create", &log, &error))?;
        let process = Command::new(program)
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", profile.display()))
            // Its socket goes with the profile.
            .env("TMPDIR", &profile)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn();
        let process = match process {
            Ok(process) => process,
            Err(error) => {
                let _ = fs::remove_dir_all(&profile);
                return Err(format!("cannot start `{program}`: {error}"));
            }
        };
        let mut chromium = Self { process, profile };
        let address = chromium.address(program)?;
        Ok((chromium, address))
    }

    /// Waits for the file that says where DevTools listen.
    fn address(&mut self, program: &str) -> Result<Address, String> {
        let file = self.profile.join("DevToolsActivePort");
        let end = Instant::now() + START;
        while Instant::now() < end {
            let text = fs::read_to_string(&file).unwrap_or_default();
            if let Some(address) = Address::parse(&text) {
                return Ok(address);
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                let problem = self.last_words();
                return Err(format!("`{program}` ended at once ({status}): {problem}"));
            }
            sleep(PAUSE);
        }
        let problem = self.last_words();
        Err(format!(
            "`{program}` opened no port within {} s: {problem}",
            START.as_secs()
        ))
    }

    /// The last line that is not empty of what the program wrote to its error stream.
    fn last_words(&self) -> String {
        let log = fs::read(self.profile.join("stderr.txt")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        last.unwrap_or("it said nothing").to_string()
    }

    fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.process.try_wait()?.is_some())
    }
}

/// Waits for a browser that was asked to end, and stops one that was not or does not.
impl Drop for Chromium {
    fn drop(&mut self) {
        let end = Instant::now() + END;
        while matches!(self.has_ended(), Ok(false)) && Instant::now() < end {
            sleep(PAUSE);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Other processes of the browser may still write for a moment.
        for _ in 0..20 {
            if fs::remove_dir_all(&self.profile).is_ok() || !self.profile.exists() {
                return;
            }
            sleep(PAUSE);
        }
    }
}

/// Where DevTools listen on this machine.
#[derive(Debug, PartialEq)]
pub(super) struct Address {
    pub(super) port: u16,
    pub(super) path: String,
}

impl Address {
    /// Reads the file `DevToolsActivePort`: the port, and the path of the browser.
    fn parse(text: &str) -> Option<Self> {
        let (port, path) = text.split_once('\n')?;
        let path = path.trim();
        path.starts_with("/devtools/browser/").then_some(())?;
        Some(Self {
            port: port.trim().parse().ok()?,
            path: path.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_a_port_and_a_path() {
        let address = Address::parse("41733\n/devtools/browser/a-b").unwrap();
        assert_eq!(address.port, 41733);
        assert_eq!(address.path, "/devtools/browser/a-b");
    }

    #[test]
    fn half_a_file_is_no_address() {
        for text in [
            "",
            "41733",
            "41733\n",
            "41733\n/devtools",
            "x\n/devtools/browser/a",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_program_that_is_no_browser_is_an_error() {
        for program in ["no-such-program", "false"] {
            let message = Chromium::start(program).err().unwrap();
            assert!(message.contains(program), "{message}");
        }
    }
}
