use burn::grad_clipping::GradientClippingConfig;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdaGradConfig, AdafactorConfig, AdamConfig, AdamWConfig, AdanConfig, LBFGSConfig, LambConfig,
    LionConfig, MuonConfig, RmsPropConfig, SgdConfig,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::EdgeRule;
use super::denominator::Denominator;
use crate::dynamics::DynamicsError;
use crate::range::ensure;

/// The config of an optimizer of Burn: what [`EdgeRule::of`] takes. All of Burn's optimizers have one.
pub trait WatchedOptimizer: sealed::HasRule {}

mod sealed {
    use crate::dynamics::{DynamicsError, EdgeRule};

    /// A config whose edge is known, or known to be unknown.
    pub trait HasRule {
        /// The edge.
        fn rule(&self) -> Result<EdgeRule, DynamicsError>;
    }
}

// Burn's configs keep their fields to themselves, but serialize them. Those below are all that its version 0.22 has: a
// setting that is not known here may change the edge, and is an error.

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sgd {
    weight_decay: Option<WeightDecayConfig>,
    momentum: Option<MomentumConfig>,
    gradient_clipping: Option<GradientClippingConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Adam {
    beta_1: f32,
    beta_2: f32,
    epsilon: f32,
    amsgrad: bool,
    weight_decay: Option<WeightDecayConfig>,
    grad_clipping: Option<GradientClippingConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdamW {
    beta_1: f32,
    beta_2: f32,
    epsilon: f32,
    weight_decay: f32,
    cautious_weight_decay: bool,
    amsgrad: bool,
    grad_clipping: Option<GradientClippingConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RmsProp {
    alpha: f32,
    momentum: f32,
    epsilon: f32,
    centered: bool,
    weight_decay: Option<WeightDecayConfig>,
    grad_clipping: Option<GradientClippingConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdaGrad {
    lr_decay: f64,
    epsilon: f32,
    weight_decay: Option<WeightDecayConfig>,
    grad_clipping: Option<GradientClippingConfig>,
}

impl sealed::HasRule for SgdConfig {
    fn rule(&self) -> Result<EdgeRule, DynamicsError> {
        let sgd: Sgd = settings("SGD", self)?;
        refuse_clipping("SGD", sgd.gradient_clipping.as_ref())?;
        let rule = match &sgd.momentum {
            None => EdgeRule::gradient_descent(),
            Some(momentum) => EdgeRule::momentum(momentum)?,
        };
        rule.with_coupled_decay(penalty(sgd.weight_decay.as_ref()))
    }
}

impl sealed::HasRule for AdamConfig {
    fn rule(&self) -> Result<EdgeRule, DynamicsError> {
        let adam: Adam = settings("Adam", self)?;
        refuse_clipping("Adam", adam.grad_clipping.as_ref())?;
        let betas = (adam.beta_1, adam.beta_2);
        let rule = moving_averages(betas, adam.epsilon, adam.amsgrad)?;
        rule.with_coupled_decay(penalty(adam.weight_decay.as_ref()))
    }
}

impl sealed::HasRule for AdamWConfig {
    fn rule(&self) -> Result<EdgeRule, DynamicsError> {
        let adam: AdamW = settings("AdamW", self)?;
        refuse_clipping("AdamW", adam.grad_clipping.as_ref())?;
        // It decays some coordinates and not others, depending on the signs of weight and momentum.
        if adam.cautious_weight_decay && adam.weight_decay != 0.0 {
            return Err(no_edge("AdamW with cautious weight decay"));
        }
        let betas = (adam.beta_1, adam.beta_2);
        let rule = moving_averages(betas, adam.epsilon, adam.amsgrad)?;
        rule.with_decoupled_decay(f64::from(adam.weight_decay))
    }
}

impl sealed::HasRule for RmsPropConfig {
    fn rule(&self) -> Result<EdgeRule, DynamicsError> {
        let rms_prop: RmsProp = settings("RMSProp", self)?;
        refuse_clipping("RMSProp", rms_prop.grad_clipping.as_ref())?;
        ensure("alpha", f64::from(rms_prop.alpha), 0.0..1.0)?;
        ensure("epsilon", f64::from(rms_prop.epsilon), 0.0..)?;
        // Its momentum sums gradients that are divided already: a heavy ball on P⁻¹H.
        let heavy_ball = MomentumConfig::new()
            .with_momentum(f64::from(rms_prop.momentum))
            .with_dampening(0.0);
        EdgeRule::momentum(&heavy_ball)?
            .preconditioned(Denominator::RmsProp {
                epsilon: rms_prop.epsilon,
                centered: rms_prop.centered,
                has_momentum: rms_prop.momentum > 0.0,
            })
            .with_coupled_decay(penalty(rms_prop.weight_decay.as_ref()))
    }
}

impl sealed::HasRule for AdaGradConfig {
    fn rule(&self) -> Result<EdgeRule, DynamicsError> {
        let ada_grad: AdaGrad = settings("AdaGrad", self)?;
        refuse_clipping("AdaGrad", ada_grad.grad_clipping.as_ref())?;
        ensure("lr_decay", ada_grad.lr_decay, 0.0..)?;
        ensure("epsilon", f64::from(ada_grad.epsilon), 0.0..)?;
        EdgeRule::gradient_descent()
            .preconditioned(Denominator::AdaGrad {
                epsilon: ada_grad.epsilon,
                lr_decay: ada_grad.lr_decay,
            })
            .with_coupled_decay(penalty(ada_grad.weight_decay.as_ref()))
    }
}

macro_rules! without_edge {
    ($($config:ident: $name:literal),* $(,)?) => {
        $(impl sealed::HasRule for $config {
            fn rule(&self) -> Result<EdgeRule, DynamicsError> {
                Err(no_edge($name))
            }
        })*
    };
}

without_edge! {
    AdafactorConfig: "Adafactor",
    AdanConfig: "Adan",
    LBFGSConfig: "L-BFGS",
    LambConfig: "LAMB",
    LionConfig: "Lion",
    MuonConfig: "Muon",
}

macro_rules! watched {
    ($($config:ident),* $(,)?) => {
        $(impl WatchedOptimizer for $config {})*
    };
}

watched!(
    AdaGradConfig,
    AdafactorConfig,
    AdamConfig,
    AdamWConfig,
    AdanConfig,
    LBFGSConfig,
    LambConfig,
    LionConfig,
    MuonConfig,
    RmsPropConfig,
    SgdConfig,
);

/// The moving averages of Adam and AdamW.
fn moving_averages(
    (beta_1, beta_2): (f32, f32),
    epsilon: f32,
    amsgrad: bool,
) -> Result<EdgeRule, DynamicsError> {
    ensure("beta_1", f64::from(beta_1), 0.0..1.0)?;
    ensure("beta_2", f64::from(beta_2), 0.0..1.0)?;
    ensure("epsilon", f64::from(epsilon), 0.0..)?;
    let denominator = Denominator::Adam {
        beta_1,
        beta_2,
        epsilon,
        amsgrad,
    };
    Ok(EdgeRule::ema(f64::from(beta_1))?.preconditioned(denominator))
}

/// The settings of a config, through MessagePack, which keeps numbers as they are.
fn settings<S: DeserializeOwned>(
    optimizer: &str,
    config: &impl Serialize,
) -> Result<S, DynamicsError> {
    let unknown = |error: String| no_edge(format!("{optimizer} with new settings ({error})"));
    let bytes = rmp_serde::to_vec_named(config).map_err(|error| unknown(error.to_string()))?;
    rmp_serde::from_slice(&bytes).map_err(|error| unknown(error.to_string()))
}

fn penalty(decay: Option<&WeightDecayConfig>) -> f64 {
    decay.map_or(0.0, |decay| f64::from(decay.penalty))
}

fn refuse_clipping(
    optimizer: &str,
    clipping: Option<&GradientClippingConfig>,
) -> Result<(), DynamicsError> {
    match clipping {
        None => Ok(()),
        Some(_) => Err(no_edge(format!("{optimizer} with gradient clipping"))),
    }
}

fn no_edge(optimizer: impl Into<String>) -> DynamicsError {
    DynamicsError::NoEdge {
        optimizer: optimizer.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_setting_that_is_not_known_is_an_error() {
        let newer = json!({ "lr_decay": 0.0, "epsilon": 1e-5, "weight_decay": null,
            "grad_clipping": null, "floor": 0.5 });
        let found = settings::<AdaGrad>("AdaGrad", &newer).map(|settings| settings.lr_decay);
        let Err(DynamicsError::NoEdge { optimizer }) = found else {
            panic!("{found:?}");
        };
        assert!(
            optimizer.starts_with("AdaGrad with new settings") && optimizer.contains("floor"),
            "{optimizer}"
        );
    }

    #[test]
    fn numbers_that_are_not_finite_reach_the_checks() {
        let config =
            SgdConfig::new().with_momentum(Some(MomentumConfig::new().with_momentum(f64::NAN)));
        let refused = EdgeRule::of(&config);
        assert!(
            matches!(refused, Err(DynamicsError::OutOfRange(_))),
            "{refused:?}"
        );
    }
}
