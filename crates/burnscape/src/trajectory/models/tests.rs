use burn::nn::{LinearConfig, LinearLayout};
use burn::tensor::Device;
use burnscape_testkit::models::TwoLayers;

use super::*;

/// Three models of 3 · 2 + 2 and 2 · 2 + 2 parameters. Files have the last weight with columns first.
fn models() -> Vec<(usize, TwoLayers)> {
    let device = Device::default();
    let second = LinearConfig::new(2, 2).with_layout(LinearLayout::Col);
    let start = TwoLayers {
        first: LinearConfig::new(3, 2).init(&device),
        second: second.init(&device),
    };
    let space = ParamSpace::of(&start).unwrap();
    let model = |seed: usize| {
        let weights = ParamVector::gaussian(&space, seed as u64).unwrap();
        (7 * seed, weights.apply_to(&start).unwrap())
    };
    (0..3).map(model).collect()
}

/// All vectors, after a check of all their pieces.
#[track_caller]
fn vectors<M: Module>(trajectory: &Trajectory<M>) -> Vec<Vec<f64>> {
    let vector = |index: usize| {
        let vector = trajectory.vector(index).unwrap().to_host().unwrap();
        let len = vector.len();
        for start in 0..=len {
            for end in start..=len {
                let piece = trajectory.piece(index, start..end).unwrap();
                assert_eq!(piece, vector[start..end], "{start}..{end} of {index}");
            }
        }
        for (start, end) in [(0, len + 1), (2, 1)] {
            let error = trajectory.piece(index, Range { start, end }).unwrap_err();
            assert!(matches!(error, TrajectoryError::OutOfRange(_)), "{error}");
        }
        vector
    };
    (0..trajectory.len()).map(vector).collect()
}

#[test]
fn pieces_of_models_in_memory_are_parts_of_the_vector() {
    let trajectory = Trajectory::of(models()).unwrap();
    let found = vectors(&trajectory);
    let space = trajectory.space();
    for ((_, model), vector) in models().iter().zip(&found) {
        let expected = ParamVector::from_module(space, model).unwrap();
        assert_eq!(expected.to_host().unwrap(), *vector);
    }
}

#[cfg(feature = "files")]
mod in_files {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use burn::module::Param;
    use burn::tensor::{DType, Tensor};
    use burnscape_testkit::objectives::Point;

    use super::*;
    use crate::dynamics::{Due, Moment, Watch};
    use crate::loss::Risk;
    use crate::trajectory::TrajectoryLog;

    /// A directory that is deleted after the test.
    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Self {
            static COUNT: AtomicUsize = AtomicUsize::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("burnscape-pieces-{}-{count}", std::process::id());
            let path = std::env::temp_dir().join(name);
            drop(fs::remove_dir_all(&path));
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    /// The trajectory of a log of these models.
    fn logged<M: Module>(directory: &Directory, models: &[(usize, M)]) -> Trajectory<M> {
        let loss = |_: &M, x: Tensor<2>| x.mean();
        let data = [Tensor::<2>::ones([2, 1], &Device::default())];
        let log = TrajectoryLog::create(&directory.0).unwrap();
        let mut watch = Watch::new(Due::Every(1), log, Risk::new(&loss, &data)).unwrap();
        for (step, model) in models {
            watch.observe(&Moment::new(*step, 0.1, model)).unwrap();
        }
        Trajectory::open(&directory.0, &models[0].1).unwrap()
    }

    #[test]
    fn pieces_of_files_are_those_of_models_in_memory() {
        let (directory, models) = (Directory::new(), models());
        let trajectory = logged(&directory, &models);
        // Also the weight that files have column by column is read without the model.
        let Models::InFiles { files, .. } = &trajectory.models else {
            panic!("the trajectory is in files");
        };
        let all = trajectory.space().leaves().iter().enumerate();
        let is_read = all.map(|(index, leaf)| {
            let part = [(index, 0..leaf.len())];
            files[0].numbers(&part).unwrap().is_some()
        });
        assert_eq!(is_read.collect::<Vec<_>>(), [true; 4]);
        let expected = vectors(&Trajectory::of(models).unwrap());
        assert_eq!(vectors(&trajectory), expected);
    }

    /// A point of which files have the double.
    fn doubled(x: f64) -> Point {
        let w = Tensor::<1>::from_data([x, -3.0 * x], (&Device::default(), DType::F64));
        let w = Param::from_tensor(w).save_mapper(|w| w * 2.0);
        Point {
            w: w.load_mapper(|w| w / 2.0),
        }
    }

    #[test]
    fn a_form_of_its_own_is_read_by_the_module() {
        let directory = Directory::new();
        let models = [(0, doubled(1.0)), (3, doubled(-0.25))];
        let trajectory = logged(&directory, &models);
        let Models::InFiles { files, .. } = &trajectory.models else {
            panic!("the trajectory is in files");
        };
        let whole = 0..2;
        assert!(files[0].numbers(&[(0, whole)]).unwrap().is_none());
        assert_eq!(vectors(&trajectory), [[1.0, -3.0], [-0.25, 0.75]]);
    }

    #[test]
    fn pieces_in_half_precision_are_exact() {
        for dtype in [DType::F16, DType::BF16, DType::F64] {
            let directory = Directory::new();
            let point = |shift: f64| {
                let coordinates = [1.0 / 3.0 + shift, -shift, 0.0, 100.0 * shift];
                Point::new(&coordinates, &Device::default(), dtype)
            };
            let models = [(0, point(0.0)), (1, point(0.1)), (5, point(0.7))];
            let trajectory = logged(&directory, &models);
            let found = vectors(&trajectory);
            for ((_, model), vector) in models.iter().zip(&found) {
                assert_eq!(model.coordinates(), *vector, "{dtype:?}");
            }
            let loaded = trajectory.model(2).unwrap();
            assert_eq!(loaded.w.val().dtype(), dtype);
        }
    }
}
