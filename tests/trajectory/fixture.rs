//! Directories of logs, and the runs that they log.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::{Module, ModuleMapper, ModuleVisitor};
use burn::tensor::{DType, Device, Tensor};
use burnscape::dynamics::{Due, Moment, Watch};
use burnscape::loss::{Risk, Whole};
use burnscape::space::{ParamSpace, ParamVector, RunningStatistics};
use burnscape::trajectory::{Thinning, TrajectoryLog};
use burnscape_testkit::objectives::Point;

/// A directory that is deleted after the test.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    /// One that does not exist yet.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("burnscape-trajectory-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&path));
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names of its files and their bytes.
    pub(crate) fn content(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(&self.0).unwrap().map(Result::unwrap);
        entries
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read(entry.path()).unwrap())
            })
            .collect()
    }

    /// The steps whose checkpoints it has, by the names of its files.
    pub(crate) fn steps(&self) -> Vec<usize> {
        let names = self.content().into_keys();
        let steps = names.filter_map(|name| {
            let step = name.strip_prefix("step-")?.strip_suffix(".bpk")?;
            step.parse().ok()
        });
        steps.collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

pub(crate) type Log = Watch<'static, Point, Whole, TrajectoryLog<'static, Point>>;

/// The models before the steps of a run.
pub(crate) fn points<const N: usize>(coordinates: &[[f64; N]]) -> Vec<Point> {
    let point = |coordinates: &[f64; N]| Point::new(coordinates, &Device::default(), DType::F32);
    coordinates.iter().map(point).collect()
}

/// Twenty points that move fast at first and slowly at the end.
pub(crate) fn run() -> Vec<Point> {
    let coordinates: Vec<[f64; 2]> = (0..20)
        .map(|step| {
            let time = f64::from(step);
            [2.0 - (-0.2 * time).exp(), 0.3 * (0.5 * time).sin()]
        })
        .collect();
    points(&coordinates)
}

fn square(point: &Point, _: Tensor<2>) -> Tensor<1> {
    point.w.val().square().sum()
}

fn sum(point: &Point, _: Tensor<2>) -> Tensor<1> {
    point.w.val().sum()
}

pub(crate) fn risk(loss: fn(&Point, Tensor<2>) -> Tensor<1>) -> Risk<'static, Point> {
    let data = vec![Tensor::<2>::ones([1, 1], &Device::default())];
    Risk::owned(loss, data)
}

/// A log of the square of a point, and of its sum.
pub(crate) fn log(directory: &Directory, due: Due, thinning: Thinning) -> Log {
    let log = TrajectoryLog::create(&directory.0).unwrap();
    let log = log.with_metric("sum", &risk(sum)).with_thinning(thinning);
    Watch::new(due, log, risk(square)).unwrap()
}

pub(crate) fn observe(log: &mut Log, run: &[Point], steps: Range<usize>) {
    for step in steps {
        log.observe(&Moment::new(step, 0.1, &run[step])).unwrap();
    }
}

/// All numbers of a model, parameters and running statistics, to the bit.
pub(crate) fn bits<M: Module>(model: &M) -> Vec<u64> {
    let space = ParamSpace::of(model).unwrap();
    let weights = ParamVector::from_module(&space, model).unwrap();
    let statistics = RunningStatistics::of(model);
    let numbers = statistics.paths().flat_map(|path| {
        let values = statistics.get(path).unwrap().clone();
        values.into_data().iter::<f64>().collect::<Vec<f64>>()
    });
    let weights = weights.to_host().unwrap().into_iter();
    weights.chain(numbers).map(f64::to_bits).collect()
}

/// Two points that have one path.
#[derive(Debug, Clone)]
pub(crate) struct Twins(pub(crate) [Point; 2]);

impl Module for Twins {
    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        let points = self.0.iter();
        points.fold(devices, |devices, point| point.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        Self(self.0.map(|point| point.fork(device)))
    }

    fn to_device(self, device: &Device) -> Self {
        Self(self.0.map(|point| point.to_device(device)))
    }

    fn train(self) -> Self {
        Self(self.0.map(Module::train))
    }

    fn valid(&self) -> Self {
        Self(self.0.each_ref().map(Module::valid))
    }

    fn materialize(self) -> Self {
        Self(self.0.map(Module::materialize))
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for point in &self.0 {
            point.visit(visitor);
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        Self(self.0.map(|point| point.map(mapper)))
    }
}
