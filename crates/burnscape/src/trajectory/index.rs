//! The index of a directory: `trajectory.jsonl`, with a header and a line for each checkpoint.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use burn_pack::AtomicFile;
use serde::{Deserialize, Serialize};

use super::{Checkpoint, TrajectoryError};
use crate::space::{ParamLeaf, ParamSpace};

const NAME: &str = "trajectory.jsonl";

/// The format that this version of the library writes and reads.
const FORMAT: u32 = 1;

/// A directory's index as it was read.
pub(super) struct Index {
    /// The first line.
    pub(super) header: String,
    pub(super) lines: Vec<Line>,
    /// The whole text, also what was cut off at its end.
    pub(super) text: String,
    parameters: Vec<Parameter>,
}

/// A checkpoint and its line.
pub(super) struct Line {
    pub(super) text: String,
    pub(super) checkpoint: Checkpoint,
}

/// The first line. Fields that are missing are no errors, so that the version is checked first.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    #[serde(default)]
    parameters: Vec<Parameter>,
}

/// A trainable parameter.
#[derive(PartialEq, Serialize, Deserialize)]
struct Parameter {
    path: String,
    shape: Vec<usize>,
    dtype: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tied: Vec<String>,
}

impl Parameter {
    fn of(leaf: &ParamLeaf) -> Self {
        Self {
            path: leaf.path().to_string(),
            shape: leaf.shape().to_vec(),
            dtype: format!("{:?}", leaf.dtype()),
            tied: leaf.duplicates().to_vec(),
        }
    }
}

impl Display for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` {:?} {}", self.path, self.shape, self.dtype)?;
        if self.tied.is_empty() {
            Ok(())
        } else {
            write!(f, ", tied to `{}`", self.tied.join("`, `"))
        }
    }
}

/// The first line of an index of models with this space.
pub(super) fn header(space: &ParamSpace) -> Result<String, TrajectoryError> {
    let parameters = parameters(space);
    let shares = |parameter: &&Parameter| {
        let mut paths = parameter.tied.iter().chain([&parameter.path]);
        paths.any(|path| is_second(path))
    };
    if let Some(parameter) = parameters.iter().find(shares) {
        return Err(TrajectoryError::Record {
            message: format!(
                "{parameter} shares its path with another parameter, and files tell parameters apart by their paths; \
                 give every parameter of the module a path of its own"
            ),
        });
    }
    let header = Header {
        format: FORMAT,
        parameters,
    };
    line(&header)
}

/// A result as a line.
pub(super) fn line(value: &impl Serialize) -> Result<String, TrajectoryError> {
    serde_json::to_string(value).map_err(|error| TrajectoryError::Record {
        message: error.to_string(),
    })
}

/// Refuses a model whose header is not that of a log.
pub(super) fn check_header(
    directory: &Path,
    known: &str,
    space: &ParamSpace,
) -> Result<(), TrajectoryError> {
    let header: Header = serde_json::from_str(known)
        .map_err(|error| malformed(&directory.join(NAME), 1, &error.to_string()))?;
    check_parameters(&header.parameters, space)
}

fn parameters(space: &ParamSpace) -> Vec<Parameter> {
    space.leaves().iter().map(Parameter::of).collect()
}

/// Whether a path is numbered because another parameter has it.
fn is_second(path: &str) -> bool {
    path.rsplit_once('#')
        .is_some_and(|(_, number)| number.parse::<usize>().is_ok())
}

fn check_parameters(known: &[Parameter], space: &ParamSpace) -> Result<(), TrajectoryError> {
    let present = parameters(space);
    let longest = known.len().max(present.len());
    let pairs = (0..longest).map(|index| (known.get(index), present.get(index)));
    let describe = |parameter: Option<&Parameter>| match parameter {
        Some(parameter) => parameter.to_string(),
        None => "no further parameter".to_string(),
    };
    for (known, present) in pairs {
        if known != present {
            return Err(TrajectoryError::OtherModel {
                message: format!(
                    "it has {}, the model {}",
                    describe(known),
                    describe(present)
                ),
            });
        }
    }
    Ok(())
}

impl Index {
    /// That of a directory; none if it has none.
    pub(super) fn read(directory: &Path) -> Result<Option<Self>, TrajectoryError> {
        let path = directory.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file_error(&path, error, "use another directory")),
        };
        // A last line without a line break was cut off when it was written.
        let lines = text.split_inclusive('\n');
        let mut lines = lines.filter_map(|line| line.strip_suffix('\n'));
        let first = lines.next();
        let first = first.ok_or_else(|| malformed(&path, 1, "it has no header"))?;
        let header: Header =
            serde_json::from_str(first).map_err(|error| malformed(&path, 1, &error.to_string()))?;
        if header.format != FORMAT {
            let reason = format!(
                "its format is version {}, and this version of the library reads version {FORMAT}",
                header.format
            );
            return Err(malformed(&path, 1, &reason));
        }
        let mut checkpoints: Vec<Line> = Vec::new();
        for (index, text) in lines.enumerate() {
            let failed = |reason: &str| malformed(&path, index + 2, reason);
            let checkpoint: Checkpoint =
                serde_json::from_str(text).map_err(|error| failed(&error.to_string()))?;
            let last = checkpoints.last().map(|line| line.checkpoint.step);
            if last.is_some_and(|last| checkpoint.step <= last) {
                return Err(failed("its step is not after that of the line before"));
            }
            if checkpoint.file.as_deref() != Some(&*file_name(checkpoint.step)) {
                return Err(failed("its file is not named by its step"));
            }
            let text = text.to_string();
            checkpoints.push(Line { text, checkpoint });
        }
        Ok(Some(Self {
            header: first.to_string(),
            lines: checkpoints,
            parameters: header.parameters,
            text,
        }))
    }

    /// Refuses a model with other parameters.
    pub(super) fn check_model(&self, space: &ParamSpace) -> Result<(), TrajectoryError> {
        check_parameters(&self.parameters, space)
    }
}

/// The name of the file of a step.
pub(super) fn file_name(step: usize) -> String {
    format!("step-{step:09}.bpk")
}

/// Refuses a directory whose index is not what the log has written: `text`, which is empty before it writes.
pub(super) fn check_unchanged(directory: &Path, text: &str) -> Result<(), TrajectoryError> {
    let path = directory.join(NAME);
    let found = match fs::metadata(&path) {
        Ok(found) => Some(found.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(file_error(&path, error, "use another directory")),
    };
    let message = match (found, text) {
        (None, "") => return Ok(()),
        (Some(_), "") => {
            "the directory has a trajectory already; resume the record of the run that wrote it, delete it, or use \
             another directory"
        }
        (Some(len), text) if len == text.len() as u64 => return Ok(()),
        _ => {
            "another program has changed the trajectory since the last checkpoint; use a directory for each log, and \
             resume the last record"
        }
    };
    Err(TrajectoryError::File {
        path: directory.display().to_string(),
        message: message.to_string(),
    })
}

/// Replaces an index with the text `before`, which is empty if there is none. After an error it is as it was.
pub(super) fn replace(directory: &Path, before: &str, after: &str) -> Result<(), TrajectoryError> {
    match after.strip_prefix(before) {
        Some(new) if !before.is_empty() => {
            let path = directory.join(NAME);
            append(&path, new).map_err(|error| file_error(&path, error, "free space on the disk"))
        }
        _ => write(directory, after),
    }
}

/// Writes an index, all of it or nothing.
pub(super) fn write(directory: &Path, text: &str) -> Result<(), TrajectoryError> {
    let path = directory.join(NAME);
    let (scratch, mut file) = AtomicFile::create(&path)
        .map_err(|error| file_error(&path, error, "check that its directory is writable"))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| file_error(&path, error, "free space on the disk"))?;
    drop(file);
    scratch
        .commit()
        .map_err(|error| file_error(&path, error, "check that its directory is writable"))
}

fn append(path: &Path, new: &str) -> io::Result<()> {
    let mut file: File = OpenOptions::new().append(true).open(path)?;
    let len = file.metadata()?.len();
    let written = file.write_all(new.as_bytes());
    let written = written.and_then(|()| file.sync_data());
    if written.is_err() {
        // If this fails too, the next measurement finds another length.
        drop(file.set_len(len));
    }
    written
}

/// Deletes the checkpoints of a directory that are not among these, and what is left of files that a process was writing
/// when it ended. What cannot be deleted stays.
pub(super) fn delete_others(directory: &Path, kept: &[usize]) {
    let kept: HashSet<String> = kept.iter().map(|&step| file_name(step)).collect();
    delete(directory, |name| {
        is_incomplete(name) || (is_checkpoint(name) && !kept.contains(name))
    });
}

/// Deletes what is left of files that a process was writing when it ended. What cannot be deleted stays.
pub(super) fn delete_incomplete(directory: &Path) {
    delete(directory, is_incomplete);
}

fn delete(directory: &Path, is_gone: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.map_while(Result::ok) {
        if entry.file_name().to_str().is_some_and(&is_gone) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// Whether a name is that of a file of a log before it is complete: Burn's `AtomicFile` appends `.<process>-<number>.tmp`.
fn is_incomplete(name: &str) -> bool {
    let name = name.strip_suffix(".tmp");
    let Some((target, numbers)) = name.and_then(|name| name.rsplit_once('.')) else {
        return false;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_numbered = numbers
        .split_once('-')
        .is_some_and(|(process, number)| is_number(process) && is_number(number));
    is_numbered && (target == NAME || is_checkpoint(target))
}

fn is_checkpoint(name: &str) -> bool {
    let step = name.strip_prefix("step-");
    let step = step.and_then(|name| name.strip_suffix(".bpk"));
    let step = step.and_then(|step| step.parse::<usize>().ok());
    step.is_some_and(|step| name == file_name(step))
}

/// The file of a checkpoint.
pub(super) fn path_of(directory: &Path, step: usize) -> PathBuf {
    directory.join(file_name(step))
}

pub(super) fn file_error(path: &Path, error: impl Display, remedy: &str) -> TrajectoryError {
    TrajectoryError::File {
        path: path.display().to_string(),
        message: format!("{error}; {remedy}"),
    }
}

fn malformed(path: &Path, line: usize, reason: &str) -> TrajectoryError {
    TrajectoryError::File {
        path: path.display().to_string(),
        message: format!("line {line} is malformed: {reason}; restore the file"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_files_are_those_of_no_log() {
        for own in [
            "step-000000006.bpk.71-0.tmp",
            "trajectory.jsonl.1234-56.tmp",
        ] {
            assert!(is_incomplete(own) && !is_checkpoint(own), "{own}");
        }
        for other in [
            "step-000000006.bpk",
            "step-6.bpk.71-0.tmp",
            "step-000000006.bpk.71.tmp",
            "step-000000006.bpk.71-.tmp",
            "step-000000006.bpk.a-0.tmp",
            "step-000000006.bpk.71-0",
            "model.bpk.71-0.tmp",
            "trajectory.jsonl",
            ".tmp",
        ] {
            assert!(!is_incomplete(other), "{other}");
        }
        assert!(is_checkpoint(&file_name(6)) && is_checkpoint(&file_name(10_usize.pow(12))));
        assert!(!is_checkpoint("step-6.bpk"));
    }
}
