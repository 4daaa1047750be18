use std::sync::Arc;

use burn::tensor::TensorReadError;
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry, format_float,
};

use super::series::Series;

/// One quantity of a watch's readings as a metric of Burn's training split.
///
/// Metrics run on their own thread, behind the training. This one counts the items that it receives, and shows for
/// each the measurement that belongs to it, however far the training is ahead.
#[derive(Debug, Clone)]
pub(super) struct SeriesMetric {
    name: MetricName,
    description: &'static str,
    series: Series,
    /// Items received so far.
    items: usize,
    /// The last value, and the number of new values that came with the last item: one or none.
    last: Option<(f64, usize)>,
    /// Sum and number of the epoch's values.
    sum: f64,
    count: usize,
}

impl SeriesMetric {
    pub(super) fn new(name: String, description: &'static str, series: Series) -> Self {
        Self {
            name: Arc::new(name),
            description,
            series,
            items: 0,
            last: None,
            sum: 0.0,
            count: 0,
        }
    }

    /// The mean of the epoch's values; the last value if the epoch has none.
    fn of_epoch(&self) -> Option<f64> {
        match self.count {
            0 => self.last.map(|(value, _)| value),
            count => Some(self.sum / count as f64),
        }
    }

    fn entry(&self, value: Option<NumericEntry>) -> SerializedEntry {
        let (Some(entry), Some(mean)) = (value, self.of_epoch()) else {
            return SerializedEntry::not_available(None);
        };
        let last = match self.last {
            Some((last, _)) => short(last),
            None => SerializedEntry::NOT_AVAILABLE.to_string(),
        };
        let formatted = format!("epoch {} - batch {last}", short(mean));
        SerializedEntry::new(formatted, entry.serialize())
    }
}

/// Burn's formatting does not distinguish small from negative numbers.
fn short(value: f64) -> String {
    if value < 0.0 {
        format!("-{}", format_float(-value, 3))
    } else {
        format_float(value, 3)
    }
}

impl Metric for SeriesMetric {
    type Input = ();

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn description(&self) -> Option<String> {
        Some(self.description.to_string())
    }

    fn attributes(&self) -> MetricAttributes {
        let attributes = NumericAttributes {
            unit: None,
            higher_is_better: false,
        };
        attributes.into()
    }

    fn update(
        &mut self,
        _item: &(),
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        self.items += 1;
        if let Some((value, is_new)) = self.series.at(self.items) {
            self.last = value.map(|value| (value, usize::from(is_new)));
            if let (Some(value), true) = (value, is_new) {
                self.sum += value;
                self.count += 1;
            }
        }
        Ok(self.entry(self.value()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.entry(self.of_epoch().map(NumericEntry::Final)))
    }

    fn clear(&mut self) {
        (self.sum, self.count) = (0.0, 0);
    }
}

impl Numeric for SeriesMetric {
    fn value(&self) -> Option<NumericEntry> {
        self.last.map(|(value, count)| NumericEntry::Aggregated {
            aggregated_value: value,
            count,
        })
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.of_epoch().map(|value| NumericEntry::Aggregated {
            aggregated_value: value,
            count: self.count,
        })
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.of_epoch().unwrap_or(f64::NAN))
    }
}
