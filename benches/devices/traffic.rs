//! What travels, counted by a proxy.

use burn::tensor::Device;
use burnscape::loss::Risk;
use burnscape::space::ParamVector;

use crate::models::{Batch, Classifier};
use crate::proxy::{Proxy, Traffic};
use crate::server::{Server, device};
use crate::spread::{moved, multiply};
use crate::{Failure, Outcome};

pub(crate) const HEAD: &str = "\
kilobytes; n numbers are 4n bytes                       there  ÷ 4n     back  ÷ 4n   waits";

/// Pieces of work that are counted, after one that is not.
const TIMES: u64 = 8;

/// Half of the batches on the server, where vectors travel; then everything there, where they stay.
pub(crate) fn report<const D: usize, M: Classifier<D> + 'static>(
    name: &str,
    model: &M,
    data: &[Batch<D>],
    server: &Server,
) -> Outcome {
    let proxy = Proxy::start(server.address)?;
    let remote = device(proxy.address, 0)?;
    let bytes = 4.0 * model.num_params() as f64;
    let print = |what: &str, traffic: Traffic, times: u64| {
        let each = |count: u64| count as f64 / times as f64;
        println!(
            "{:<50}{:>11.1}{:>6.2}{:>9.1}{:>6.2}{:>8.1}",
            format!("{name}: {what}"),
            each(traffic.sent) / 1e3,
            each(traffic.sent) / bytes,
            each(traffic.received) / 1e3,
            each(traffic.received) / bytes,
            each(traffic.answers),
        );
    };

    let loss = |model: &M, batch: Batch<D>| model.loss(&batch);
    let here = Risk::new(&loss, data).with_checks(false);
    let both = here.with_devices([Device::flex(), remote.clone()]);
    let mut made = None;
    let traffic = proxy.traffic(|| {
        made = Some(both.hessian(model)?);
        Ok(())
    })?;
    print("half there, made", traffic, 1);
    let hessian = made.ok_or("no Hessian")?;
    let v = ParamVector::gaussian(hessian.space(), 1)?;
    let traffic = repeated(&proxy, || multiply(&hessian, &v))?;
    print("half there, product", traffic, TIMES);
    let traffic = repeated(&proxy, || {
        both.loss_and_gradient(model)?;
        Ok(())
    })?;
    print("half there, gradient", traffic, TIMES);

    let (there, far_data) = moved(model, data, &remote);
    let far = Risk::new(&loss, &far_data).with_checks(false);
    let hessian = far.hessian(&there)?;
    let v = ParamVector::gaussian(hessian.space(), 1)?;
    let traffic = repeated(&proxy, || {
        multiply(&hessian, &v)?;
        Ok(remote.sync()?)
    })?;
    print("all there, product", traffic, TIMES);
    Ok(())
}

/// The traffic of some repetitions, without what the first one sends once.
fn repeated(proxy: &Proxy, mut work: impl FnMut() -> Outcome) -> Result<Traffic, Failure> {
    work()?;
    proxy.traffic(|| {
        for _ in 0..TIMES {
            work()?;
        }
        Ok(())
    })
}
