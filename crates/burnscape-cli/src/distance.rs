//! How far two checkpoints are apart.

use burnscape::merge::{CheckpointDistance, CheckpointFile};

use super::arguments::DistanceArguments;
use super::error::CommandError;
use super::output::{print, print_json};

pub(crate) fn run(arguments: &DistanceArguments) -> Result<(), CommandError> {
    let [a, b] = [&arguments.a, &arguments.b].map(CheckpointFile::open);
    let distance = CheckpointDistance::between(&a?, &b?)?;
    if arguments.json {
        return print_json(&distance);
    }
    print(&distance.to_string())
}
