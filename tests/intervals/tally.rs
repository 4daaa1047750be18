//! How often intervals held, and how often they should have.

use std::fmt;

/// What the documentation says of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stated {
    /// It covers in 95 % of all cases.
    Often,
    /// In 95 % at least: it is conservative.
    Conservative,
    /// Always: a bound.
    Always,
}

struct Row {
    kind: &'static str,
    /// The network, and the part of it.
    about: String,
    stated: Stated,
    asked: u64,
    covered: u64,
    /// The sum of the half widths in units of the truth, for the table.
    width: f64,
}

pub(crate) struct Tally {
    pub(crate) seeds: u64,
    rows: Vec<Row>,
}

impl Tally {
    pub(crate) fn new(seeds: u64) -> Self {
        Self {
            seeds,
            rows: Vec::new(),
        }
    }

    /// Whether this is the sweep, and not CI's share of it.
    pub(crate) fn is_whole(&self) -> bool {
        self.seeds >= 200
    }

    /// Takes over what another part of the sweep has found.
    pub(crate) fn absorb(&mut self, part: Self) {
        self.rows.extend(part.rows);
        self.rows.sort_by_key(|row| row.kind);
    }

    /// Takes down one interval about `truth`.
    pub(crate) fn interval(
        &mut self,
        (kind, about, stated): (&'static str, &str, Stated),
        truth: f64,
        (low, high): (f64, f64),
    ) {
        // Where all samples are exact there is no more than rounding.
        let rounding = 1e-10 * (1.0 + truth.abs());
        let covers = low - rounding <= truth && truth <= high + rounding;
        let place = self
            .rows
            .iter()
            .position(|row| row.kind == kind && row.about == about);
        let place = place.unwrap_or_else(|| {
            self.rows.push(Row {
                kind,
                about: about.to_owned(),
                stated,
                asked: 0,
                covered: 0,
                width: 0.0,
            });
            self.rows.len() - 1
        });
        let row = &mut self.rows[place];
        row.asked += 1;
        row.covered += u64::from(covers);
        row.width += 0.5 * (high - low) / truth.abs().max(1e-3);
    }

    pub(crate) fn half_width(
        &mut self,
        about: (&'static str, &str, Stated),
        truth: f64,
        (value, half_width): (f64, Option<f64>),
    ) {
        let half = half_width.unwrap();
        self.interval(about, truth, (value - half, value + half));
    }

    /// A number that the truth is certainly not below.
    pub(crate) fn at_least(&mut self, about: (&'static str, &str), truth: usize, bound: usize) {
        let (kind, about) = about;
        let interval = (bound as f64, f64::INFINITY);
        self.interval((kind, about, Stated::Always), truth as f64, interval);
    }

    /// Fails where an interval held too rarely, or all of a kind too often.
    pub(crate) fn check(&self) {
        // At 95 %, 200 seeds cover fewer than 181 times with probability 0.003, 40 fewer than 34 times with 0.003.
        let fewest = if self.is_whole() { 181 } else { 34 };
        let mut wrong = Vec::new();
        for row in &self.rows {
            let needed = match row.stated {
                Stated::Always => row.asked,
                Stated::Often | Stated::Conservative => fewest * row.asked / self.seeds,
            };
            if row.covered < needed {
                wrong.push(format!("{row}: fewer than {needed}"));
            }
        }
        let often = self.rows.iter().filter(|row| row.stated == Stated::Often);
        let mut kinds: Vec<&str> = often.clone().map(|row| row.kind).collect();
        kinds.dedup();
        for kind in kinds.into_iter().filter(|_| self.is_whole()) {
            let of_kind = often.clone().filter(|row| row.kind == kind);
            let (asked, covered) = of_kind.fold((0, 0), |(asked, covered), row| {
                (asked + row.asked, covered + row.covered)
            });
            println!("{kind}: pooled {covered} of {asked}");
            if covered * 100 > asked * 99 {
                wrong.push(format!("{kind}: pooled {covered} of {asked}, too often"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stated = match self.stated {
            Stated::Often => "95 %",
            Stated::Conservative => "95 %, conservative",
            Stated::Always => "always",
        };
        let (kind, about) = (self.kind, &self.about);
        write!(f, "{kind:<31} {about:<51} {stated:<18} ")?;
        write!(f, "{:>3} of {:>3}", self.covered, self.asked)?;
        match self.stated {
            Stated::Always => Ok(()),
            _ => write!(f, "  ± {:.3}", self.width / self.asked as f64),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "how often an interval holds the true value; ± is its mean half width over it"
        )?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}
