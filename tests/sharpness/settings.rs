//! Every setting of every measure changes a result, changes a cost, or is refused.

use std::fmt::Display;

use burnscape::loss::{Likelihood, Risk};
use burnscape::sharpness::{
    AverageSharpnessConfig, McAllesterConfig, PacBayesSigmaConfig, Region, RelativeFlatnessConfig,
    SharpnessReportConfig, WorstCaseSharpnessConfig,
};
use burnscape::space::Scale;
use serde::Serialize;
use serde_json::Value;

use super::networks::{Point, filled, matrix, net, net_loss, net_split, quadratic, regression};

/// The effect of a change of a setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Effect {
    /// Another result.
    Result,
    /// The same result at another cost.
    Cost,
    /// One of the two values is refused.
    Refused,
    /// None: the setting has no purpose.
    Nothing,
}

/// A result without its config, and its cost.
pub(crate) type Measured = Result<(Value, Vec<Value>), String>;

pub(crate) fn measured<T: Serialize, E: Display>(result: Result<T, E>) -> Measured {
    let result = result.map_err(|error| error.to_string())?;
    let mut value = serde_json::to_value(&result).unwrap();
    let mut cost = Vec::new();
    take_cost(&mut value, &mut cost);
    Ok((value, cost))
}

fn take_cost(value: &mut Value, cost: &mut Vec<Value>) {
    match value {
        Value::Object(fields) => {
            fields.remove("config");
            for name in ["num_losses", "num_gradients", "num_matvecs"] {
                cost.extend(fields.remove(name));
            }
            fields.values_mut().for_each(|field| take_cost(field, cost));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| take_cost(item, cost)),
        _ => {}
    }
}

pub(crate) fn effect([one, other]: &[Measured; 2]) -> Effect {
    match (one, other) {
        (Ok(one), Ok(other)) if one.0 != other.0 => Effect::Result,
        (Ok(one), Ok(other)) if one.1 != other.1 => Effect::Cost,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => Effect::Refused,
        _ => Effect::Nothing,
    }
}

/// Names the settings of configs and variants. A field that is new does not compile without being named.
macro_rules! settings {
    ($($path:path { $($field:tt),* })*) => {
        fn settings() -> Vec<&'static str> {
            $({ #[allow(irrefutable_let_patterns, reason = "a config has no variants")]
                fn _named(value: &settings!(@type $path)) { if let $path { $($field: _),* } = value {} } })*
            vec![$($(concat!(stringify!($path), ".", stringify!($field)),)*)*]
        }
    };
    (@type Region::Ball) => { Region };
    (@type Region::KeskarBox) => { Region };
    (@type $path:path) => { $path };
}
