use std::{fmt, io};

use serde::{Deserialize, Serialize};

use crate::FormatError;
use crate::writing::{Csv, csv, write_aligned};

/// What a merge has done with each tensor. It prints as a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MergeReport {
    /// The tensors, in the order of the model or of the file.
    pub tensors: Vec<MergedTensor>,
}

/// One tensor of a merge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MergedTensor {
    /// Its path in a module, or its name in a file.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The method that merged it.
    pub method: String,
    /// What the method did instead of its formula.
    pub note: Option<String>,
}

const HEADER: [&str; 4] = ["tensor", "shape", "method", "note"];

impl MergedTensor {
    fn cells(&self) -> [String; 4] {
        [
            self.name.clone(),
            format!("{:?}", self.shape),
            self.method.clone(),
            self.note.clone().unwrap_or_default(),
        ]
    }
}

impl Csv for MergeReport {
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        Ok(csv(
            HEADER,
            self.tensors.iter().map(MergedTensor::cells),
            writer,
        )?)
    }
}

impl fmt::Display for MergeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![HEADER.map(str::to_owned)];
        rows.extend(self.tensors.iter().map(MergedTensor::cells));
        write_aligned(f, &rows, [false; 4])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_table() {
        let tensor = |name: &str, note: Option<&str>| MergedTensor {
            name: name.to_string(),
            shape: vec![2, 3],
            method: "ties".to_string(),
            note: note.map(str::to_string),
        };
        let report = MergeReport {
            tensors: vec![tensor("first", None), tensor("second.weight", Some("left"))],
        };
        let expected = "tensor         shape   method  note\nfirst          [2, 3]  ties\n\
                        second.weight  [2, 3]  ties    left\n";
        assert_eq!(report.to_string(), expected);
        let mut text = Vec::new();
        report.write_csv(&mut text).unwrap();
        let expected = "tensor,shape,method,note\nfirst,\"[2, 3]\",ties,\n\
                        second.weight,\"[2, 3]\",ties,left\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
