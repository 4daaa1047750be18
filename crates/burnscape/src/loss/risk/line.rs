//! A progress line on the terminal.

use indicatif::{ProgressBar, ProgressStyle};

use super::{Observer, Progress, Risk, Work};

const WITH_TOTAL: &str = "{prefix} {bar:20} {msg} ({per_sec}, {eta} left)";
const WITHOUT_TOTAL: &str = "{prefix} {msg} ({per_sec})";

impl<M, K> Risk<'_, M, K> {
    /// Draws a progress line for this risk on standard error: the title, a bar, the outermost task with its last
    /// value, its rate and remaining time, and the task inside it. Nothing is drawn if standard error is not a
    /// terminal. The line disappears when the risk, its copies and its operators are dropped.
    ///
    /// An [observer](Self::with_observer) that was set earlier is still called; one that is set later replaces the
    /// line.
    ///
    /// Needs the feature `progress`.
    ///
    /// # Example
    ///
    /// ```no_run
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::loss::Risk;
    /// use burnscape::sharpness::AverageSharpnessConfig;
    ///
    /// let device = Device::default();
    /// let model = LinearConfig::new(2, 1).init(&device);
    /// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
    /// let data = [(); 50].map(|()| Tensor::<2>::ones([4, 2], &device));
    /// let risk = Risk::new(&loss, &data).with_progress("rise");
    /// // rise ━━━━━━━━━━────────── sample 51 of 100: 0.012300 · loss of batch 7 of 50: 0.4 (12/s, 4s left)
    /// let rise = AverageSharpnessConfig::new(0.1).run(&risk, &model)?;
    /// # let _ = rise;
    /// # Ok::<(), burnscape::sharpness::SharpnessError>(())
    /// ```
    #[must_use]
    pub fn with_progress(self, title: impl Into<String>) -> Self {
        self.with_line(Line::new(ProgressBar::no_length(), title.into()))
    }

    fn with_line(mut self, mut line: Line) -> Self {
        let before = self.observer.clone();
        self.observer = Observer::new(move |progress| {
            line.draw(progress);
            before.report(progress)
        });
        self
    }
}

struct Line {
    bar: ProgressBar,
    /// The last report of the outermost task, and the last report of a task inside it since then.
    outer: Option<Progress>,
    inner: Option<Progress>,
}

impl Line {
    fn new(bar: ProgressBar, title: String) -> Self {
        bar.set_prefix(title);
        Self {
            bar,
            outer: None,
            inner: None,
        }
    }

    fn draw(&mut self, progress: &Progress) {
        match &self.outer {
            Some(outer) if level(progress.work) < level(outer.work) => {
                self.inner = Some(progress.clone());
            }
            before => {
                let continues = before.as_ref().is_some_and(|before| {
                    before.work == progress.work && before.done < progress.done
                });
                self.begin_unless(continues, progress.total);
                self.bar.set_position(progress.done as u64);
                (self.outer, self.inner) = (Some(progress.clone()), None);
            }
        }
        let parts = [&self.outer, &self.inner].into_iter().flatten();
        let parts: Vec<String> = parts.map(ToString::to_string).collect();
        self.bar.set_message(parts.join(" · "));
    }

    /// Resets rate and remaining time, unless the report continues the previous one.
    fn begin_unless(&self, continues: bool, total: Option<usize>) {
        if continues {
            return;
        }
        self.bar.reset();
        let template = match total {
            Some(total) => {
                self.bar.set_length(total as u64);
                WITH_TOTAL
            }
            None => {
                self.bar.unset_length();
                WITHOUT_TOTAL
            }
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("━╸─"));
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Tasks of a higher level consist of tasks of lower levels.
fn level(work: Work) -> u8 {
    match work {
        Work::Loss | Work::Gradient | Work::Linearization | Work::Product => 0,
        Work::Matvec | Work::Sample | Work::AscentStep | Work::Point | Work::Step => 1,
        Work::Layer
        | Work::Branch
        | Work::Measure
        | Work::Training
        | Work::Start
        | Work::Tensor => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::{Device, Tensor};
    use indicatif::{InMemoryTerm, ProgressDrawTarget};

    use super::*;

    #[test]
    fn a_line_shows_the_outer_and_the_inner_work() {
        let screen = InMemoryTerm::new(3, 120);
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        let bar = ProgressBar::with_draw_target(None, target);
        let mut line = Line::new(bar, "rise".to_string());
        let at = |work, done: usize, total: usize| Progress::new(work, done).of(total);
        line.draw(&at(Work::Loss, 1, 2));
        line.draw(&at(Work::Loss, 2, 2).value(0.25));
        line.bar.force_draw();
        assert!(screen.contents().contains("loss of batch 2 of 2: 0.25"));
        line.draw(&at(Work::Sample, 1, 4).value(0.5));
        line.draw(&at(Work::Loss, 1, 2));
        line.bar.force_draw();
        let shown = screen.contents();
        assert!(shown.starts_with("rise ━━━━━"), "{shown}");
        let both = "sample 1 of 4: 0.500000 · loss of batch 1 of 2 (";
        assert!(shown.contains(both) && shown.contains(" left)"), "{shown}");
        // A second run starts over, and a task of unknown length has neither bar nor remaining time.
        line.draw(&Progress::new(Work::Sample, 1));
        line.bar.force_draw();
        let shown = screen.contents();
        assert!(shown.starts_with("rise sample 1 ("), "{shown}");
        assert!(!shown.contains("left"), "{shown}");
        drop(line);
        assert_eq!(screen.contents(), "");
    }

    #[test]
    fn an_observer_set_before_is_called_and_breaks() {
        let device = Device::default();
        let model = LinearConfig::new(2, 1).init(&device);
        let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
        let data = [(); 4].map(|()| Tensor::<2>::ones([4, 2], &device));
        let seen = AtomicUsize::new(0);
        let risk = Risk::new(&loss, &data).with_observer(|progress| {
            seen.fetch_add(1, Ordering::Relaxed);
            match progress.done {
                3 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        let found = risk.with_progress("loss").loss(&model).unwrap();
        assert_eq!((found.num_batches, seen.load(Ordering::Relaxed)), (3, 3));
    }
}
