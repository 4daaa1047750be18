//! Products and gradients of a model on a server, or of batches that are spread.

use std::hint::black_box;

use burn::tensor::Device;
use burnscape::curvature::Hessian;
use burnscape::krylov::LinearOperator;
use burnscape::loss::Risk;
use burnscape::space::ParamVector;

use crate::models::{Batch, Classifier};
use crate::server::{DEVICES, Server, device};
use crate::timing::Times;
use crate::{Failure, Outcome};

pub(crate) const HEAD: &str = "\
model and data                               here    there, ÷ here     both, ÷ here";

pub(crate) const HEAD_OF_SESSIONS: &str = "\
devices of the server                         one        two, ÷ one      four, ÷ one";

/// Model and batches on a device.
pub(crate) fn moved<const D: usize, M: Classifier<D>>(
    model: &M,
    data: &[Batch<D>],
    device: &Device,
) -> (M, Vec<Batch<D>>) {
    let batches = data.iter().cloned().map(|(input, target)| {
        let input = input.to_device(device);
        (input, target.to_device(device))
    });
    // A clone shares its running statistics with the model, and would take them along.
    (model.valid().fork(device), batches.collect())
}

/// A product, which may still be under way on the device.
pub(crate) fn multiply(hessian: &Hessian<'_>, v: &ParamVector) -> Outcome {
    black_box(hessian.matvec(v)?);
    Ok(())
}

/// Everything here, everything on the server, and half of the batches on either.
pub(crate) fn here_and_there<const D: usize, M: Classifier<D> + 'static>(
    name: &str,
    model: &M,
    data: &[Batch<D>],
    server: &Server,
    rounds: usize,
) -> Outcome {
    let loss = |model: &M, batch: Batch<D>| model.loss(&batch);
    let remote = device(server.address, 0)?;
    let (there, far_data) = moved(model, data, &remote);
    let here = Risk::new(&loss, data).with_checks(false);
    let far = Risk::new(&loss, &far_data).with_checks(false);
    let both = here.clone().with_devices([Device::flex(), remote.clone()]);

    let [alone, on_server, on_both] = [
        here.hessian(model)?,
        far.hessian(&there)?,
        both.hessian(model)?,
    ];
    let v = ParamVector::gaussian(alone.space(), 1)?;
    let far_v = ParamVector::gaussian(on_server.space(), 1)?;
    let products = Times::in_turns(
        rounds,
        [
            &mut || multiply(&alone, &v),
            &mut || -> Outcome {
                multiply(&on_server, &far_v)?;
                Ok(remote.sync()?)
            },
            &mut || multiply(&on_both, &v),
        ],
    )?;
    print(&format!("{name}: product"), &products);

    let gradient = |risk: &Risk<'_, M>, model: &M| -> Outcome {
        black_box(risk.loss_and_gradient(model)?);
        Ok(())
    };
    let gradients = Times::in_turns(
        rounds,
        [
            &mut || gradient(&here, model),
            &mut || -> Outcome {
                gradient(&far, &there)?;
                Ok(remote.sync()?)
            },
            &mut || gradient(&both, model),
        ],
    )?;
    print(&format!("{name}: gradient"), &gradients);
    Ok(())
}

/// The same batches over one, two and four devices of the server; the model is on the first.
pub(crate) fn over_sessions<const D: usize, M: Classifier<D> + 'static>(
    name: &str,
    model: &M,
    data: &[Batch<D>],
    server: &Server,
    rounds: usize,
) -> Outcome {
    let loss = |model: &M, batch: Batch<D>| model.loss(&batch);
    let devices: Vec<Device> = (0..DEVICES)
        .map(|index| device(server.address, index))
        .collect::<Result<_, Failure>>()?;
    let (there, far_data) = moved(model, data, &devices[0]);
    let risk = Risk::new(&loss, &far_data).with_checks(false);
    let over = |count: usize| {
        let some = devices.iter().take(count).cloned();
        risk.clone().with_devices(some).hessian(&there)
    };
    let hessians = [over(1)?, over(2)?, over(4)?];
    let v = ParamVector::gaussian(hessians[0].space(), 1)?;
    let product = |index: usize| -> Outcome {
        multiply(&hessians[index], &v)?;
        Ok(devices[0].sync()?)
    };
    let times = Times::in_turns(
        rounds,
        [&mut || product(0), &mut || product(1), &mut || product(2)],
    )?;
    print(&format!("{name}: product"), &times);
    Ok(())
}

fn print(name: &str, times: &Times<3>) {
    println!(
        "{name:<38}{:>11.3}{:>8.3}{:>9.3}{:>9.3}{:>8.3}",
        times.ms(0),
        times.ms(1),
        times.ratio(1, 0),
        times.ms(2),
        times.ratio(2, 0),
    );
}
