//! Checkpoints that tests write and read, each test in a folder of its own, and the command that runs there.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

/// A folder that is empty at first.
pub(crate) struct Folder(PathBuf);

/// The shape and the values of each tensor.
pub(crate) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if path.exists() {
            fs::remove_dir_all(&path).expect("an old folder");
        }
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names of all files, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Writes a safetensors file of f32 numbers.
    pub(crate) fn write(&self, name: &str, tensors: &[(&str, &[usize], &[f32])]) {
        self.write_with(name, tensors, None);
    }

    /// The same with what PyTorch notes about it.
    pub(crate) fn write_of_pytorch(&self, name: &str, tensors: &[(&str, &[usize], &[f32])]) {
        let noted = HashMap::from([("format".to_string(), "pt".to_string())]);
        self.write_with(name, tensors, Some(noted));
    }

    fn write_with(
        &self,
        name: &str,
        tensors: &[(&str, &[usize], &[f32])],
        noted: Option<HashMap<String, String>>,
    ) {
        let tensors: Vec<(&str, &[usize], Vec<u8>)> = tensors
            .iter()
            .map(|(name, shape, values)| {
                let bytes = values.iter().flat_map(|value| value.to_le_bytes());
                (*name, *shape, bytes.collect())
            })
            .collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
            (*name, view.expect("a tensor"))
        });
        let bytes = safetensors::serialize(views, noted).expect("a file");
        self.write_bytes(name, &bytes);
    }

    /// Writes a safetensors file of the f32 numbers `w` and the integers `step` and `ids`.
    pub(crate) fn write_with_integers(&self, name: &str, w: &[f32], step: &[i64], ids: &[i64]) {
        let bytes = |numbers: &[i64]| -> Vec<u8> {
            let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
            bytes.collect()
        };
        let floats: Vec<u8> = w.iter().flat_map(|value| value.to_le_bytes()).collect();
        let tensors = [
            ("w", Dtype::F32, w.len(), floats),
            ("step", Dtype::I64, step.len(), bytes(step)),
            ("ids", Dtype::I64, ids.len(), bytes(ids)),
        ];
        let views = tensors.iter().map(|(name, dtype, len, bytes)| {
            let view = TensorView::new(*dtype, vec![*len], bytes);
            (*name, view.expect("a tensor"))
        });
        let bytes = safetensors::serialize(views, None).expect("a file");
        self.write_bytes(name, &bytes);
    }

    pub(crate) fn write_bytes(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("a file");
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("a file")
    }

    /// The tensors of a safetensors file of f32 numbers.
    pub(crate) fn read(&self, name: &str) -> Tensors {
        let bytes = self.bytes(name);
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let tensors = file.tensors().into_iter().map(|(name, view)| {
            assert_eq!(view.dtype(), Dtype::F32, "{name}");
            let numbers = view.data().chunks_exact(4);
            let numbers = numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            (name, (view.shape().to_vec(), numbers.collect()))
        });
        tensors.collect()
    }

    /// The values of one tensor.
    pub(crate) fn values(&self, name: &str, tensor: &str) -> Vec<f32> {
        self.read(name)[tensor].1.clone()
    }

    /// The command in this folder, with arguments that have no spaces.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_burnscape"));
        command
            .current_dir(&self.0)
            .args(arguments.split_whitespace());
        command
    }

    /// What the command prints, and how it ends.
    pub(crate) fn run(&self, arguments: &str) -> Ended {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments).output().expect("the command");
        Ended {
            code: status.code(),
            stdout: String::from_utf8(stdout).expect("text"),
            stderr: String::from_utf8(stderr).expect("text"),
        }
    }

    /// What a command that ends well prints.
    pub(crate) fn done(&self, arguments: &str) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments}: {}", ended.stderr);
        ended.stdout
    }

    /// Asserts that a command ends with this code, and that its message has this part.
    pub(crate) fn refused(&self, arguments: &str, code: i32, part: &str) {
        let Ended {
            code: found,
            stderr,
            ..
        } = self.run(arguments);
        assert_eq!(found, Some(code), "{arguments}: {stderr}");
        assert!(stderr.starts_with("error: "), "{arguments}: {stderr}");
        assert!(stderr.contains(part), "{arguments}: {stderr}");
    }
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}
