use std::collections::HashMap;

/// Where a visitor or mapper stands in a module.
///
/// Paths name parameters in every room, so all traversals build them here. Two parameters of a
/// hand-written module can share a path; the second is then called `path#2`, and so on.
#[derive(Debug, Default)]
pub(super) struct Walk {
    names: Vec<String>,
    containers: Vec<String>,
    seen: HashMap<String, usize>,
}

impl Walk {
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
        let mut walk = Walk::default();
        walk.enter("layers", "Struct:Net");
        walk.enter("0", "Vec");
        assert_eq!(walk.float_path(), "layers.0");
        assert_eq!(walk.float_path(), "layers.0#2");
        walk.exit();
        walk.enter("1", "Vec");
        assert_eq!(walk.float_path(), "layers.1");
        walk.exit();
        walk.enter("0", "Vec");
        assert_eq!(walk.float_path(), "layers.0#3");
        assert_eq!(walk.containers(), ["Struct:Net", "Vec"]);
    }
}
