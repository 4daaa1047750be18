//! Burn's `examples/dqn-agent`: a policy learns from a target network that follows it slowly.

use burn::nn::loss::{MseLoss, Reduction::Mean};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig, Relu};
use burn::prelude::*;
use burn::tensor::Tensor;
use burnscape::loss::Batch;

use super::checklist::{Checklist, Door, FOREIGN};
use super::fixture::{choices, drawn, stream, wave};
use super::groups;

const STATE: usize = 4;
const ACTIONS: usize = 2;

#[derive(Module, Debug)]
struct MlpNet {
    linears: Vec<Linear>,
    dropout: Dropout,
    activation: Relu,
}

impl MlpNet {
    fn new(device: &Device) -> Self {
        let layer = |from, to| LinearConfig::new(from, to).init(device);
        Self {
            linears: vec![layer(STATE, 6), layer(6, 6), layer(6, ACTIONS)],
            dropout: DropoutConfig::new(0.0).init(),
            activation: Relu::new(),
        }
    }

    fn forward(&self, mut x: Tensor<2>) -> Tensor<2> {
        for (i, linear) in self.linears.iter().enumerate() {
            x = self.dropout.forward(linear.forward(x));
            if i + 1 < self.linears.len() {
                x = self.activation.forward(x);
            }
        }
        x
    }
}

#[derive(Batch, Clone, Debug)]
struct Transitions {
    states: Tensor<2>,
    next_states: Tensor<2>,
    /// Floats, as the original keeps them.
    actions: Tensor<2>,
    rewards: Tensor<2>,
    dones: Tensor<2>,
}

fn transitions(count: usize, phase: f64) -> Transitions {
    Transitions {
        states: wave([count, STATE], phase),
        next_states: wave([count, STATE], phase + 100.0),
        actions: choices([count, 1], ACTIONS, phase).float(),
        rewards: wave([count, 1], phase + 200.0),
        dones: choices([count, 1], 2, phase + 7.0).float(),
    }
}

fn temporal_difference(policy: &MlpNet, target: &MlpNet, batch: Transitions) -> Tensor<1> {
    let values = policy.forward(batch.states).gather(1, batch.actions.int());
    let next = target.forward(batch.next_states).max_dim(1).squeeze::<1>();
    let not_done = Tensor::ones_like(&batch.dones) - batch.dones;
    let expected = (next * not_done.squeeze()).mul_scalar(0.99) + batch.rewards.squeeze();
    MseLoss::new().forward(values, expected.unsqueeze_dim::<2>(1), Mean)
}

/// Policy and frozen target as one module.
#[derive(Module, Debug)]
struct Agent {
    policy: MlpNet,
    target: MlpNet,
}

impl Agent {
    fn new(device: &Device) -> Self {
        Self {
            policy: MlpNet::new(device),
            target: MlpNet::new(device).no_grad(),
        }
    }
}

#[test]
fn a_dqn_step_with_a_frozen_target_goes_through_every_door() {
    let loss = |agent: &Agent, batch: Transitions| {
        temporal_difference(&agent.policy, &agent.target, batch)
    };
    let data = [transitions(5, 0.4), transitions(3, 40.4)];
    Checklist::new(&Agent::new, &loss, &data)
        .with_kinks()
        .in_both_modes()
        .run();
}

/// As the original has it: the target is a field of the learner, not of the policy.
#[test]
fn a_target_beside_the_closure_is_refused_by_name_and_trains() {
    let target = {
        let _drawing = stream(8);
        drawn(MlpNet::new)
    };
    let loss = |policy: &MlpNet, batch: Transitions| temporal_difference(policy, &target, batch);
    let data = [transitions(5, 0.4)];
    let traced = [Door::Hessian, Door::Spectrum, Door::Monitor];
    Checklist::new(&MlpNet::new, &loss, &data)
        .with_kinks()
        .refused_by(&traced, FOREIGN)
        .run_doors(&[Door::Hessian, Door::Spectrum, Door::Monitor, Door::SamStep]);
}

#[test]
fn the_groups_of_a_dqn_are_those_of_its_architecture() {
    let _drawing = stream(3);
    let outputs = |agent: &Agent, batch: &Transitions| agent.policy.forward(batch.states.clone());
    let model = drawn(Agent::new);
    groups::check(&model, &outputs, transitions(5, 0.4), groups::DQN);
}
