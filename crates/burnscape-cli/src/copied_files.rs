//! What a folder of Hugging Face has beside its tensors.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::CommandError;

/// Copies the files that are not weights from a folder to a directory. Returns their names.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<Vec<String>, CommandError> {
    let failed = |path: PathBuf, error: io::Error| CommandError::File {
        path: path.display().to_string(),
        message: format!(
            "cannot be copied to `{}` ({error}); the merged tensors are complete, so copy it by hand",
            to.display()
        ),
    };
    let unlisted = |error| failed(from.to_path_buf(), error);
    let mut names = Vec::new();
    for entry in fs::read_dir(from).map_err(unlisted)? {
        let path = entry.map_err(unlisted)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        // Links, too, of which the cache of Hugging Face consists.
        let Some(name) = name.filter(|name| is_beside_weights(name) && path.is_file()) else {
            continue;
        };
        let place = to.join(name);
        if let Err(error) = fs::copy(&path, place) {
            return Err(failed(path.clone(), error));
        }
        names.push(name.to_string());
    }
    names.sort();
    Ok(names)
}

/// Whether a file of this name describes a model.
fn is_beside_weights(name: &str) -> bool {
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let is_weights = ends(&[
        ".index.json",
        ".safetensors",
        ".bpk",
        ".bin",
        ".pt",
        ".pth",
        ".gguf",
        ".tmp",
    ]);
    let is_named = name.starts_with("tokenizer") || name.starts_with("LICENSE");
    !is_weights && (is_named || ends(&[".json", ".txt", ".model", ".jinja"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_stay_where_they_are() {
        for name in [
            "config.json",
            "generation_config.json",
            "tokenizer.json",
            "tokenizer.model",
            "merges.txt",
            "chat_template.jinja",
            "LICENSE",
        ] {
            assert!(is_beside_weights(name), "{name}");
        }
        for name in [
            "model.safetensors",
            "model.safetensors.index.json",
            "pytorch_model.bin",
            "README.md",
        ] {
            assert!(!is_beside_weights(name), "{name}");
        }
    }
}
