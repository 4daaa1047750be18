//! Trajectories of models in memory.

use burn::module::Module;
use burn::nn::LinearConfig;
use burn::tensor::{DType, Device, Tensor};
use burnscape::OutOfRange;
use burnscape::trajectory::{Trajectory, TrajectoryError, TrajectoryPcaConfig};
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::Point;

fn point(coordinates: &[f64]) -> Point {
    Point::new(coordinates, &Device::default(), DType::F32)
}

fn numbers(tensor: Tensor<1>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

#[test]
fn a_trajectory_has_what_it_was_given() {
    let models = [[1.0, 2.0], [3.0, 5.0], [-1.0, 0.25]];
    let steps = [2, 3, 90];
    let given = steps.into_iter().zip(models.iter().map(|x| point(x)));
    let trajectory = Trajectory::of(given).unwrap();
    assert_eq!((trajectory.len(), trajectory.steps()), (3, &steps[..]));
    let checkpoints = trajectory.checkpoints().iter().enumerate();
    for (index, checkpoint) in checkpoints {
        let model = trajectory.model(index).unwrap();
        assert_eq!(model.coordinates(), models[index]);
        assert_eq!((checkpoint.step, checkpoint.loss), (steps[index], None));
        assert!(checkpoint.lr.is_none() && checkpoint.metrics.is_empty());
        assert_eq!(checkpoint.file, None);
    }
    let expected = OutOfRange::new("index", 3.0, "less than 3, the number of checkpoints");
    let error = trajectory.model(3).unwrap_err();
    assert_eq!(error, TrajectoryError::OutOfRange(expected));
}

#[test]
fn later_training_does_not_move_a_checkpoint() {
    let device = Device::default().autodiff();
    let model = Normalized::new([3, 4, 1], &device);
    let trajectory = Trajectory::of([(0, model.clone())]).unwrap();
    let statistics = |model: &Normalized| model.running().map(numbers);
    let before = statistics(&trajectory.model(0).unwrap());
    let x = Tensor::<2>::ones([5, 3], &device) * 3.0;
    // Clones of a model share their running statistics, and a forward pass in training writes them.
    let _ = model.forward(x.clone());
    assert_ne!(statistics(&model), before);
    let _ = trajectory.model(0).unwrap().forward(x);
    let after = trajectory.model(0).unwrap();
    assert_eq!(statistics(&after), before);
    assert!(after.first.weight.val().is_require_grad());
    let plain = Trajectory::of([(0, model.valid())]).unwrap();
    assert!(!plain.model(0).unwrap().first.weight.val().is_autodiff());
}

#[test]
fn what_is_no_trajectory_is_refused() {
    let refused = |models: Vec<(usize, Point)>| Trajectory::of(models).unwrap_err();
    let none = TrajectoryError::TooFewCheckpoints {
        found: 0,
        needed: 1,
    };
    assert_eq!(refused(Vec::new()), none);
    for second in [3, 2] {
        let error = refused(vec![(3, point(&[1.0])), (second, point(&[2.0]))]);
        assert!(matches!(error, TrajectoryError::OutOfRange(_)), "{error}");
        assert!(error.to_string().contains("a step after 3"), "{error}");
    }
    let error = refused(vec![(0, point(&[1.0])), (1, point(&[2.0, 3.0]))]);
    assert!(
        matches!(error, TrajectoryError::OtherModel { .. }),
        "{error}"
    );
    for part in ["`w` [1] F32", "step 1 `w` [2] F32"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let frozen = LinearConfig::new(2, 1).init(&Device::default());
    let error = Trajectory::of([(0, frozen.no_grad())]).unwrap_err();
    assert!(matches!(error, TrajectoryError::Space(_)), "{error}");
}

#[test]
fn one_checkpoint_is_a_trajectory_without_a_direction() {
    let trajectory = Trajectory::of([(5, point(&[1.0, 2.0]))]).unwrap();
    assert_eq!(trajectory.steps(), [5]);
    let error = TrajectoryPcaConfig::new(1).run(&trajectory).unwrap_err();
    let few = TrajectoryError::TooFewCheckpoints {
        found: 1,
        needed: 2,
    };
    assert_eq!(error, few);
}
