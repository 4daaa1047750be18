use std::collections::HashMap;

/// The current position of a visitor or mapper in a module.
///
/// Paths identify parameters in every room, so all traversals build them here. Two parameters of a hand-written
/// module can share a path; the second is then called `path#2`, and so on.
#[derive(Debug, Default)]
pub(super) struct ModulePath {
    names: Vec<String>,
    containers: Vec<String>,
    seen: HashMap<String, usize>,
}

impl ModulePath {
    pub(super) fn enter(&mut self, name: &str, container: &str) {
        self.names.push(name.to_string());
        self.containers.push(container.to_string());
    }

    pub(super) fn exit(&mut self) {
        self.names.pop();
        self.containers.pop();
    }

    /// The containers around the current parameter, from the outside in.
    pub(super) fn containers(&self) -> &[String] {
        &self.containers
    }

    /// The path of the current float parameter. Call it once per parameter.
    pub(super) fn float_path(&mut self) -> String {
        let path = self.names.join(".");
        let count = self.seen.entry(path.clone()).or_default();
        *count += 1;
        if *count == 1 {
            path
        } else {
            format!("{path}#{count}")
        }
    }
}

/// The methods with which a visitor or mapper updates its field `place`.
macro_rules! follow_path {
    () => {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            self.place.enter(name, container_type);
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.place.exit();
        }
    };
}

pub(super) use follow_path;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_that_share_a_path_are_numbered() {
        let mut place = ModulePath::default();
        place.enter("layers", "Struct:Net");
        place.enter("0", "Vec");
        assert_eq!(place.float_path(), "layers.0");
        assert_eq!(place.float_path(), "layers.0#2");
        place.exit();
        place.enter("1", "Vec");
        assert_eq!(place.float_path(), "layers.1");
        place.exit();
        place.enter("0", "Vec");
        assert_eq!(place.float_path(), "layers.0#3");
        assert_eq!(place.containers(), ["Struct:Net", "Vec"]);
    }
}
