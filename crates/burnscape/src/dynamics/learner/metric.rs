use std::sync::Arc;

use burn::tensor::TensorReadError;
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry, format_float,
};

use super::CurvatureQuantity;
use super::readings::Readings;

/// One quantity of the readings as a metric of Burn's training split.
///
/// Metrics run on their own thread, behind the training. This one counts the items that it receives, and shows for
/// each the measurement that belongs to it, however far the training is ahead.
#[derive(Debug, Clone)]
pub(super) struct CurvatureMetric {
    quantity: CurvatureQuantity,
    readings: Readings,
    name: MetricName,
    /// Items received so far.
    items: usize,
    /// The last value, and the number of new values that came with the last item: one or none.
    last: Option<(f64, usize)>,
    /// Sum and number of the epoch's measurements.
    sum: f64,
    count: usize,
}

impl CurvatureMetric {
    pub(super) fn new(quantity: CurvatureQuantity, readings: Readings) -> Self {
        Self {
            quantity,
            readings,
            name: Arc::new(quantity.name().to_string()),
            items: 0,
            last: None,
            sum: 0.0,
            count: 0,
        }
    }

    /// The mean of the epoch's measurements; the last measurement if the epoch has none.
    fn of_epoch(&self) -> Option<f64> {
        match self.count {
            0 => self.last.map(|(value, _)| value),
            count => Some(self.sum / count as f64),
        }
    }

    fn entry(&self, value: Option<NumericEntry>) -> SerializedEntry {
        match (value, self.last, self.of_epoch()) {
            (Some(entry), Some((last, _)), Some(mean)) => SerializedEntry::new(
                format!("epoch {} - batch {}", short(mean), short(last)),
                entry.serialize(),
            ),
            _ => SerializedEntry::not_available(None),
        }
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

impl Metric for CurvatureMetric {
    type Input = ();

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn description(&self) -> Option<String> {
        Some(self.quantity.description().to_string())
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
        if let Some((reading, is_new)) = self.readings.at(self.items)
            && let Some(value) = self.quantity.of(&reading)
        {
            let new = usize::from(is_new);
            self.last = Some((value, new));
            self.sum += value * new as f64;
            self.count += new;
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

impl Numeric for CurvatureMetric {
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
