//! House rules that no lint checks. Each rule is a function from files to findings.

mod decisions;
mod documentation;
mod file_length;
mod includes;
mod names;
mod packages;
mod patch;
mod visitors;

use std::fs;
use std::io;
use std::path::Path;

use crate::examples;
use crate::finding::Finding;
use crate::tree::{files, has_extension};

pub(crate) fn check(root: &Path) -> io::Result<Vec<Finding>> {
    let files = files(root)?;
    let mut findings = decisions::check(root, &files)?;
    findings.extend(examples::listed(&files));
    findings.extend(names::of_files(&files));
    findings.extend(packages::check(root, &files)?);
    findings.extend(patch::check(root, &files)?);
    for path in files.iter().filter(|path| has_extension(path, "rs")) {
        let text = fs::read_to_string(root.join(path))?;
        findings.extend(file_length::check(path, &text));
        findings.extend(includes::check(path, &text));
        findings.extend(names::of_modules(path, &text));
        findings.extend(visitors::check(path, &text));
        findings.extend(documentation::check(path, &text));
    }
    for path in files.iter().filter(|path| has_extension(path, "md")) {
        let text = fs::read_to_string(root.join(path))?;
        findings.extend(documentation::check(path, &text));
    }
    findings.sort();
    Ok(findings)
}
