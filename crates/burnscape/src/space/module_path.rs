use std::collections::HashMap;

/// Where a visitor or mapper stands in a module.
///
/// Paths name parameters in every room, so all traversals build them here. Two parameters of a
/// hand-written module can share a path; the second is then called `path#2`, and so on.
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

    /// The containers around the present parameter, from the outside in.
    pub(super) fn containers(&self) -> &[String] {
        &self.containers
    }

    /// The path of the float parameter just met. To be called once for each.
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
