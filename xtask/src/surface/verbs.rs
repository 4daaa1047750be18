//! Config verbs: the config methods that make or run something.

use syn::{
    FnArg, GenericArgument, ImplItem, ImplItemFn, Item, PathArguments, ReturnType, Type, Visibility,
};

use super::test_only::is_test_only;

/// Pairs of config and method, for every public method of a type named `…Config` that takes `self` and returns another
/// type. Setters and checks are excluded.
pub(super) fn of_configs(items: &[Item]) -> impl Iterator<Item = (String, String)> {
    items.iter().flat_map(|item| {
        let (config, methods) = match item {
            Item::Impl(item) if item.trait_.is_none() && !is_test_only(&item.attrs) => {
                (last_name(&item.self_ty), item.items.as_slice())
            }
            _ => (None, [].as_slice()),
        };
        let config = config.filter(|name| name.ends_with("Config"));
        config.into_iter().flat_map(|config| {
            let verbs = methods.iter().filter_map(|method| match method {
                ImplItem::Fn(method) if is_verb(method, &config) => Some(&method.sig.ident),
                _ => None,
            });
            let verbs: Vec<_> = verbs
                .map(|verb| (config.clone(), verb.to_string()))
                .collect();
            verbs
        })
    })
}

fn is_verb(method: &ImplItemFn, config: &str) -> bool {
    let is_public = matches!(method.vis, Visibility::Public(_)) && !is_test_only(&method.attrs);
    let has_self = matches!(method.sig.inputs.first(), Some(FnArg::Receiver(_)));
    let returns_another = match &method.sig.output {
        ReturnType::Default => false,
        ReturnType::Type(_, output) => {
            let value = ok_type(output);
            let is_unit = matches!(value, Type::Tuple(tuple) if tuple.elems.is_empty());
            let name = last_name(value);
            !is_unit && name.as_deref() != Some("Self") && name.as_deref() != Some(config)
        }
    };
    is_public && has_self && returns_another
}

/// `T` for `Result<T, E>`; other types are returned unchanged.
fn ok_type(output: &Type) -> &Type {
    let Type::Path(path) = output else {
        return output;
    };
    match path.path.segments.last() {
        Some(result) if result.ident == "Result" => match &result.arguments {
            PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
                Some(GenericArgument::Type(value)) => value,
                _ => output,
            },
            _ => output,
        },
        _ => output,
    }
}

fn last_name(name: &Type) -> Option<String> {
    match name {
        Type::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verbs(code: &str) -> Vec<String> {
        let file = syn::parse_file(code).unwrap();
        of_configs(&file.items)
            .map(|(config, verb)| format!("{config}::{verb}"))
            .collect()
    }

    #[test]
    fn what_makes_or_runs_something_is_a_verb() {
        let code = "impl<'a> crate::TraceConfig<'a> {
            pub fn run<A>(&self, a: &A) -> Result<Trace, Error<A>> { todo!() }
            pub fn init(self) -> Fitter { todo!() }
        }";
        assert_eq!(verbs(code), ["TraceConfig::run", "TraceConfig::init"]);
    }

    #[test]
    fn makers_setters_checks_and_private_methods_are_none() {
        let code = "impl TraceConfig {
            pub fn new() -> Self { todo!() }
            pub fn with_seed(mut self, seed: u64) -> Self { todo!() }
            pub fn with_depth(self, depth: usize) -> Result<TraceConfig, Error> { todo!() }
            pub fn validate(&self) -> Result<(), Error> { todo!() }
            pub(crate) fn solve(&self) -> f64 { todo!() }
            #[cfg(test)]
            pub fn inspect(&self) -> f64 { todo!() }
        }
        impl Clone for TraceConfig { fn clone(&self) -> Other { todo!() } }
        impl Trace { pub fn value(&self) -> f64 { todo!() } }";
        assert!(verbs(code).is_empty());
    }
}
