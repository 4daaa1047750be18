use serde::{Deserialize, Serialize};

use crate::writing::number::{self, Number, Numbers};

/// What a [`Trajectory`](super::Trajectory) knows of one of its models.
///
/// Numbers from a directory are read by `serde_json`: their last binary place may differ from what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The step of the training. The model is that before the step.
    pub step: usize,
    /// The learning rate of the step; none for a model in memory.
    pub lr: Option<f64>,
    /// The loss of the model, by the risk of the log, NaN or infinite where it is; none for a model in memory.
    #[serde(with = "number")]
    pub loss: Option<f64>,
    /// The metrics of the log, by name.
    #[serde(with = "number")]
    pub metrics: Vec<(String, f64)>,
    /// The name of its file; none for a model in memory.
    pub file: Option<String>,
}

impl Numbers for Vec<(String, f64)> {
    type Written = Vec<(String, Number)>;

    fn to_written(&self) -> Self::Written {
        let written = |(name, value): &(String, f64)| (name.clone(), value.to_written());
        self.iter().map(written).collect()
    }

    fn from_written(written: Self::Written) -> Self {
        let read = |(name, number)| (name, f64::from_written(number));
        written.into_iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_survives_json_and_binary_formats() {
        let metric = |name: &str, value: f64| (name.to_string(), value);
        let checkpoint = Checkpoint {
            step: 3,
            lr: Some(0.1),
            loss: Some(f64::INFINITY),
            metrics: vec![metric("one", 0.5), metric("two", f64::NEG_INFINITY)],
            file: None,
        };
        let text = serde_json::to_string(&checkpoint).unwrap();
        let expected = r#""loss":"inf","metrics":[["one",0.5],["two","-inf"]]"#;
        assert!(text.contains(expected), "{text}");
        assert_eq!(
            serde_json::from_str::<Checkpoint>(&text).unwrap(),
            checkpoint
        );
        let bytes = rmp_serde::to_vec_named(&checkpoint).unwrap();
        assert_eq!(
            rmp_serde::from_slice::<Checkpoint>(&bytes).unwrap(),
            checkpoint
        );
        let nan = text.replace("-inf", "nan");
        let nan: Checkpoint = serde_json::from_str(&nan).unwrap();
        assert!(nan.metrics[1].1.is_nan());
    }
}
