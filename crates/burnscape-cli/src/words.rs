//! What the library refuses, in words of the command.

use burnscape::merge::MergeError;

use super::error::CommandError;
use super::place::Place;

/// An error of a merge whose settings stand at this place.
pub(crate) fn refused(error: MergeError, place: &Place) -> CommandError {
    match error {
        MergeError::OutOfRange(found) => {
            let name = found.name.replace('_', "-");
            let (key, value) = (place.key(&name), found.value);
            // Weights may be zero, but not all of them.
            let message = if name == "weights" && value == 0.0 {
                "the weights add up to 0; give one model a weight above 0".to_string()
            } else {
                format!("`{key}` is {value}; use {}", found.expected)
            };
            place.wrong(&name, message)
        }
        MergeError::NoBase { method } => {
            let base = place.with_value("base", &quoted("FILE", place));
            let message = format!(
                "`{method}` merges differences from a base, and there is none; pass the checkpoint from which all \
                 models were trained, `{base}`, or use a method without a base, such as `average`"
            );
            place.wrong("base", message)
        }
        MergeError::NoLayout { method, tensor } => {
            let [out_in, in_out] = ["out-in", "in-out"].map(|layout| quoted(layout, place));
            let layout = place.with_value("layout", &out_in);
            let message = format!(
                "`{method}` distinguishes the outputs from the inputs of `{tensor}`, and a file does not say which \
                 axis is which; pass {layout} (PyTorch) or {in_out} (Burn)"
            );
            place.wrong("layout", message)
        }
        MergeError::NoSuchTensor { pattern, example } => {
            let message = format!(
                "no tensor is `{pattern}` or below it; use the beginning of a path, such as `{example}`, with `*` for \
                 any one name; `burnscape inspect` lists the names"
            );
            place.wrong("names", message)
        }
        MergeError::NoModels | MergeError::NumModels { .. } => {
            place.wrong("models", error.to_string())
        }
        MergeError::MixedTypes {
            first,
            second,
            found,
            expected,
            ..
        } => {
            let dtype = place.with_value("dtype", &quoted(&expected, place));
            let message = format!(
                "{second} has {found} where {first} has {expected}; choose the element type of the result to merge \
                 both, for instance `{dtype}`"
            );
            place.wrong("dtype", message)
        }
        MergeError::Antiparallel { what, cosine } => {
            let unit = place.with_value("unit", &quoted("model", place));
            let average = place.with_value("method", &quoted("average", place));
            CommandError::Refused(format!(
                "{what} points in opposite directions in the models (cosine {cosine:.3}), so that no arc between them \
                 is the shortest; align the models first, or pass {unit}, or {average}"
            ))
        }
        MergeError::Singular { tensor, rank, size } => {
            let factor = place.with_value("off-diagonal", "0.9");
            let ridge = place.with_value("ridge", "0.001");
            CommandError::Refused(format!(
                "the Gram matrices of `{tensor}` have rank {rank} of {size} in all; collect them on more examples, \
                 scale their off-diagonals by less than 1, for instance `{factor}`, or add to the diagonal, for \
                 instance `{ridge}`"
            ))
        }
        other => CommandError::Merge(other),
    }
}

/// A word as a value: in a configuration it has quotes.
fn quoted(word: &str, place: &Place) -> String {
    match place.file {
        None => word.to_string(),
        Some(_) => format!("\"{word}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_flags_and_keys() {
        let flags = Place::default();
        let config = Place {
            file: Some("m.toml".to_string()),
            ..Place::default()
        };
        let error = || MergeError::Antiparallel {
            what: "`w`".to_string(),
            cosine: -0.999_999_9,
        };
        let text = refused(error(), &flags).to_string();
        assert!(text.contains("(cosine -1.000)"), "{text}");
        assert!(text.contains("--unit model, or --method average"), "{text}");
        let text = refused(error(), &config).to_string();
        assert!(text.contains("unit = \"model\""), "{text}");
        let error = MergeError::Singular {
            tensor: "w".to_string(),
            rank: 1,
            size: 2,
        };
        let text = refused(error, &flags).to_string();
        assert!(text.contains("--off-diagonal"), "{text}");
        assert!(text.contains("--ridge"), "{text}");
        assert!(!text.contains("with_"), "{text}");
        let error = || MergeError::NoLayout {
            method: "della".to_string(),
            tensor: "w".to_string(),
        };
        let text = refused(error(), &flags).to_string();
        assert!(
            text.contains("--layout out-in (PyTorch) or in-out (Burn)"),
            "{text}"
        );
        let text = refused(error(), &config).to_string();
        assert!(text.contains("layout = \"out-in\" (PyTorch)"), "{text}");
    }
}
