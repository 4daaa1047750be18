//! Moves of each sampler, and chains as a whole.

use super::*;

const CURVATURES: [f64; 2] = [2.0, 0.5];
const START: [f64; 2] = [0.3, -0.2];

/// `L = ½ Σ hᵢ wᵢ²`, infinite where `w₁` is above a wall, and noise that is always the same.
#[derive(Clone)]
struct Fixed {
    noise: [f64; 2],
    wall: f64,
}

impl Fixed {
    fn new(noise: [f64; 2]) -> Self {
        let wall = f64::INFINITY;
        Self { noise, wall }
    }
}

impl Potential for Fixed {
    type Vector = Vec<f64>;

    fn start(&self) -> Result<Vec<f64>, PosteriorError> {
        Ok(START.to_vec())
    }

    fn loss_and_gradient(
        &self,
        at: &Vec<f64>,
        _: Option<usize>,
    ) -> Result<(f64, Vec<f64>), PosteriorError> {
        let gradient = at.clone().hadamard(&CURVATURES.to_vec())?;
        let loss = 0.5 * gradient.dot(at)?;
        let is_outside = at.first().is_some_and(|first| *first > self.wall);
        Ok((if is_outside { f64::INFINITY } else { loss }, gradient))
    }

    fn sharpness(&self) -> Result<f64, PosteriorError> {
        Ok(CURVATURES[0])
    }

    fn gaussian(&self, _: u64) -> Result<Vec<f64>, PosteriorError> {
        Ok(self.noise.to_vec())
    }
}

/// A run with `nβ = 5` and `γ = 2`, and one iteration of burn-in.
struct Run {
    potential: Fixed,
    target: Target<Vec<f64>>,
    course: Course,
    chain: Chain<Vec<f64>>,
}

impl Run {
    fn new(potential: Fixed, sampler: Sampler) -> Self {
        let config = PosteriorConfig::new(10)
            .with_inverse_temperature(0.5)
            .with_localizer(2.0)
            .with_burn_in(1)
            .with_sampler(sampler);
        let (base_loss, gradient) = potential.loss_and_gradient(&START.to_vec(), None).unwrap();
        let target = Target {
            start: START.to_vec(),
            nbeta: config.nbeta(),
            localizer: config.localizer(),
            base_loss,
            minibatches: None,
        };
        let course = Course::new(&config, sampler.step().unwrap(), 1.0);
        let chain = Chain::new(0, &potential, &target, &course, &gradient).unwrap();
        Self {
            potential,
            target,
            course,
            chain,
        }
    }

    fn advance(&mut self) -> Result<f64, PosteriorError> {
        self.chain
            .advance(&self.potential, &self.target, &self.course)
    }

    #[track_caller]
    fn assert_at(&self, expected: [f64; 2]) {
        let found = self.chain.record().unwrap().position;
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        }
    }
}

fn loss(w: [f64; 2]) -> f64 {
    let terms = [0, 1].map(|i| 0.5 * CURVATURES[i] * w[i] * w[i]);
    terms.iter().sum()
}

/// `∇U`.
fn gradient(w: [f64; 2]) -> [f64; 2] {
    [0, 1].map(|i| 5.0 * CURVATURES[i] * w[i] + 2.0 * (w[i] - START[i]))
}

const NOISE: [f64; 2] = [0.5, -1.5];

#[test]
fn a_langevin_move_is_half_a_step_of_descent_and_the_root_of_it_of_noise() {
    let sampler = Sampler::Langevin { step: Some(0.01) };
    let mut run = Run::new(Fixed::new(NOISE), sampler);
    let mut w = START;
    for iteration in 0..3 {
        let rise = run.advance().unwrap();
        assert!((rise - (loss(w) - loss(START))).abs() < 1e-15);
        let slope = gradient(w);
        w = [0, 1].map(|i| w[i] - 0.005 * slope[i] + 0.1 * NOISE[i]);
        run.assert_at(w);
        assert_eq!(run.chain.rises.len(), iteration);
    }
}

#[test]
fn a_preconditioner_is_frozen_after_burn_in() {
    let sampler = Sampler::RmspropLangevin {
        step: Some(0.01),
        decay: 0.9,
        damping: 0.1,
    };
    let mut run = Run::new(Fixed::new(NOISE), sampler);
    let mut w = START;
    // One gradient, corrected for the start at zero: its own size.
    let scales = [0, 1].map(|i| 1.0 / (0.1 + (CURVATURES[i] * START[i]).abs()));
    for _ in 0..3 {
        run.advance().unwrap();
        let slope = gradient(w);
        w = [0, 1].map(|i| {
            let noise = (0.01 * scales[i]).sqrt() * NOISE[i];
            w[i] - 0.005 * scales[i] * slope[i] + noise
        });
        run.assert_at(w);
    }
}

#[test]
fn a_thermostat_moves_its_momentum_and_learns_from_its_size() {
    let sampler = Sampler::NoseHoover {
        step: Some(0.01),
        diffusion: 0.02,
    };
    let mut run = Run::new(Fixed::new(NOISE), sampler);
    let mut w = START;
    let mut p = NOISE.map(|x| 0.1 * x);
    let mut friction = 0.02;
    for _ in 0..3 {
        run.advance().unwrap();
        let slope = gradient(w);
        let noise = (2.0_f64 * 0.02 * 0.01).sqrt();
        p = [0, 1].map(|i| (1.0 - friction) * p[i] - 0.01 * slope[i] + noise * NOISE[i]);
        w = [0, 1].map(|i| w[i] + p[i]);
        friction += (p[0] * p[0] + p[1] * p[1]) / 2.0 - 0.01;
        run.assert_at(w);
    }
    let MotionRecord::NoseHoover { thermostat, .. } = run.chain.record().unwrap().motion else {
        panic!("another sampler");
    };
    assert!((thermostat - friction).abs() < 1e-15);
}

#[test]
fn a_proposal_downhill_is_accepted_and_one_beyond_the_wall_is_not() {
    let sampler = Sampler::mala().with_step(0.01);
    // Without noise U falls, and the way back is as likely.
    let mut run = Run::new(Fixed::new([0.0; 2]), sampler);
    let slope = gradient(START);
    let w = [0, 1].map(|i| START[i] - 0.005 * slope[i]);
    let rise = run.advance().unwrap();
    run.assert_at(w);
    assert!((rise - (loss(w) - loss(START))).abs() < 1e-15);

    let mut potential = Fixed::new([9.0, 0.0]);
    potential.wall = 1.0;
    let mut run = Run::new(potential, sampler);
    for draws in 0..3 {
        assert_eq!(run.advance(), Ok(0.0));
        run.assert_at(START);
        // The first iteration is burn-in.
        assert_eq!(run.chain.proposals(), Some((0, draws)));
    }
}

#[test]
fn a_chain_that_cannot_reject_diverges_beyond_the_wall() {
    let mut potential = Fixed::new([9.0, 0.0]);
    potential.wall = 1.0;
    let mut run = Run::new(potential, Sampler::Langevin { step: Some(0.01) });
    assert_eq!(run.advance(), Ok(0.0));
    let error = PosteriorError::Diverged {
        chain: 0,
        draw: 1,
        step: 0.01,
        limit: 1.0,
    };
    assert_eq!(run.advance(), Err(error));
}

#[test]
fn a_chain_is_restored_to_the_bit() {
    let samplers = [
        Sampler::mala().with_step(0.05),
        Sampler::langevin().with_step(0.05),
        Sampler::rmsprop_langevin().with_step(0.05),
        Sampler::nose_hoover().with_step(0.05),
    ];
    for sampler in samplers {
        for stop in [0, 1, 4] {
            let mut run = Run::new(Fixed::new(NOISE), sampler);
            for _ in 0..stop {
                run.advance().unwrap();
            }
            let record = run.chain.record().unwrap();
            let restored = Chain::restored(0, record, &run.potential, &run.target, &run.course);
            let mut other = restored.unwrap();
            for _ in 0..5 {
                let rise = run.advance().unwrap();
                let again = other.advance(&run.potential, &run.target, &run.course);
                assert_eq!(again.map(f64::to_bits), Ok(rise.to_bits()));
            }
            assert_eq!(run.chain.record(), other.record(), "{sampler}");
        }
    }
}
