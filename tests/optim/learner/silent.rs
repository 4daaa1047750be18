//! A renderer that records the reports of Burn's training.

use std::sync::{Arc, Mutex};

use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::MetricDefinition;
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};

/// Records the reports.
#[derive(Clone, Default)]
pub(crate) struct Silent {
    pub(crate) events: Arc<Mutex<Vec<String>>>,
}

impl Silent {
    fn note(&self, event: String) {
        self.events.lock().unwrap().push(event);
    }

    fn metric(&self, split: &str, state: MetricState) {
        let (MetricState::Generic(entry) | MetricState::Numeric(entry, _)) = state;
        self.note(format!("{split}: {}", entry.serialized_entry.serialized));
    }
}

impl MetricsRendererTraining for Silent {
    fn update_train(&mut self, state: MetricState) {
        self.metric("train", state);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.metric("valid", state);
    }
}

impl MetricsRendererEvaluation for Silent {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl TrainingProgressLogger for Silent {
    fn start(&mut self, epochs: usize, first: usize, _items: Option<usize>, _label: Option<&str>) {
        self.note(format!("start {first} of {epochs}"));
    }

    fn update_epoch(&mut self, epoch: usize) {
        self.note(format!("epoch {epoch}"));
    }

    fn start_split(&mut self, split: &str, items: usize) {
        self.note(format!("{split} begins with {items}"));
    }

    fn update_split(&mut self, items: usize) {
        self.note(format!("at {items}"));
    }

    fn end_split(&mut self) {
        self.note("split ends".to_string());
    }

    fn end(&mut self) {
        self.note("end".to_string());
    }

    fn log_event_training(&mut self, event: String) {
        self.note(event);
    }
}

impl EvaluationProgressLogger for Silent {
    fn start_global_progress(&mut self, _total: usize) {}
    fn start_test(&mut self, _name: &str, _items: usize) {}
    fn update_test_progress(&mut self, _items: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _event: String) {}
}

impl MetricsRenderer for Silent {
    fn manual_close(&mut self) {}
    fn register_metric(&mut self, _definition: MetricDefinition) {}
}
