//! Serves the devices of this machine to programs on other machines, or checks such a server.
//!
//! ```text
//! export BURNSCAPE_TOKEN=...
//! cargo run --release -p burnscape --features remote --example serve -- --iroh server.key
//! cargo run --release -p burnscape --features remote --example serve -- --port 3000
//! cargo run --release -p burnscape --features remote --example serve -- --check ws://gpu:3000
//! ```
//!
//! Add the feature of a GPU (`cuda,autotune`) to serve the GPUs of the machine. Over Iroh, traffic is encrypted and finds its
//! way through firewalls; the server prints the id that clients dial. Over WebSocket nothing is encrypted, the token included.
//! A server without a token accepts connections from its own machine only.
//!
//! `--check` multiplies with a Hessian over batches on the server's devices and on the CPU here, and once more on the CPU
//! alone. Server and clients need the same version of Burn. The guide is `burnscape::guide::scale`.

use std::env;
use std::error::Error;
use std::iter;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::remote::{EndpointId, RemoteHost};
use burn::server::{
    IrohIdentity, IrohTransport, RemoteServer, TokenAuthorizer, WebSocketTransport,
};
use burn::tensor::{Device, DeviceType, Distribution, Tensor};
use burnscape::krylov::LinearOperator;
use burnscape::loss::Risk;
use burnscape::space::ParamVector;
use clap::Parser;
use tokio::runtime::{Builder, Runtime};

type Failure = Box<dyn Error>;

/// The environment variable of the token: arguments are visible to other users of a machine.
const TOKEN: &str = "BURNSCAPE_TOKEN";
const PORT: u16 = 3000;
/// What may be between products of CPUs and of GPUs that round factors to ten bits.
const TOLERANCE: f64 = 5e-3;

/// Serve the devices of this machine, or check a server.
#[derive(Parser)]
pub(crate) struct Arguments {
    /// What clients have to present; by default that of the environment, BURNSCAPE_TOKEN.
    #[arg(long)]
    token: Option<String>,
    /// By default TCP 3000 for WebSocket, and any free UDP port for Iroh.
    #[arg(long)]
    port: Option<u16>,
    /// Serve over Iroh, encrypted, with the key in this file, which is created if there is none.
    #[arg(long, value_name = "KEY FILE")]
    iroh: Option<PathBuf>,
    /// Serve the CPU as this many devices, and no GPU.
    #[arg(long, value_name = "DEVICES")]
    cpu: Option<usize>,
    /// Compare a product on the devices of a server (ws://host:port, or its id over Iroh) with one made here. Without an
    /// address the server is one of this process.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["port", "iroh"])]
    check: Option<Option<String>>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let token = arguments.token.clone().or_else(|| env::var(TOKEN).ok());
    match &arguments.check {
        None => serve(arguments, token),
        Some(Some(address)) => check(&host(address, token)?),
        Some(None) => {
            let (runtime, host) = own_server(arguments)?;
            let checked = check(&host);
            runtime.shutdown_background();
            checked
        }
    }
}

// --- The server ---

/// Serves until Ctrl+C.
fn serve(arguments: &Arguments, token: Option<String>) -> Result<(), Failure> {
    let devices = devices(arguments.cpu);
    for (index, device) in devices.iter().enumerate() {
        println!("device {index}: {device:?}");
    }
    let mut server = RemoteServer::new(devices);
    let has_token = token.is_some();
    if let Some(token) = token {
        server = server.with_authorizer(TokenAuthorizer::new(token)?);
    }
    if let Some(path) = &arguments.iroh {
        if !has_token {
            let missing = "every machine can dial a server over Iroh";
            return Err(format!("{missing}; set {TOKEN}, or pass --token").into());
        }
        let identity = IrohIdentity::load_or_create(path);
        let identity = identity.map_err(|error| format!("{}: {error}", path.display()))?;
        let mut transport = IrohTransport::new(identity);
        if let Some(port) = arguments.port {
            transport = transport.with_port(port);
        }
        println!("Serving over Iroh, encrypted. Clients need the token and this id:");
        println!("{}", transport.id());
        return Ok(server.serve(transport)?);
    }
    let interface = if has_token {
        Ipv4Addr::UNSPECIFIED
    } else {
        Ipv4Addr::LOCALHOST
    };
    let port = arguments.port.unwrap_or(PORT);
    let listener = TcpListener::bind((interface, port));
    let listener = listener.map_err(|error| format!("{interface}:{port}: {error}"))?;
    println!("Serving at ws://{}", listener.local_addr()?);
    println!(
        "{}",
        if has_token {
            "Traffic and token are not encrypted: use a network that you trust, or --iroh."
        } else {
            "Without a token, only programs of this machine can connect."
        }
    );
    Ok(server.serve(WebSocketTransport::from_listener(listener))?)
}

/// The GPUs that this program was built for, or the CPU.
fn devices(cpu: Option<usize>) -> Vec<Device> {
    // A card that two of them reach is served once.
    let kinds: Vec<DeviceType> = Vec::from([
        #[cfg(feature = "cuda")]
        DeviceType::Cuda,
        #[cfg(feature = "rocm")]
        DeviceType::Rocm,
        #[cfg(feature = "metal")]
        DeviceType::Metal,
        #[cfg(feature = "vulkan")]
        DeviceType::Vulkan,
        #[cfg(feature = "wgpu")]
        DeviceType::Wgpu,
    ]);
    let mut found = kinds.into_iter().map(Device::enumerate);
    match (cpu, found.find(|devices| !devices.is_empty())) {
        (None, Some(gpus)) => gpus.into_vec(),
        (cpu, _) => vec![Device::flex(); cpu.unwrap_or(1)],
    }
}

// --- The client ---

/// The server at an address.
fn host(address: &str, token: Option<String>) -> Result<RemoteHost, Failure> {
    let host = if address.starts_with("ws://") {
        RemoteHost::websocket(address)
    } else {
        let id = address.parse::<EndpointId>().map_err(|error| {
            format!("{address} is neither ws://host:port nor the id of a server: {error}")
        })?;
        RemoteHost::iroh(id)
    };
    Ok(match token {
        Some(token) => host.with_credential(token),
        None => host,
    })
}

/// A server of this process, on a free port of this machine.
fn own_server(arguments: &Arguments) -> Result<(Runtime, RemoteHost), Failure> {
    let token = "a token of this process";
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let host = RemoteHost::websocket(&format!("ws://{}", listener.local_addr()?));
    let serving = RemoteServer::new(devices(Some(arguments.cpu.unwrap_or(2))))
        .with_authorizer(TokenAuthorizer::new(token)?)
        .serve_async(WebSocketTransport::from_listener(listener));
    runtime.spawn(async move {
        if let Err(error) = serving.await {
            eprintln!("error: {error}");
        }
    });
    Ok((runtime, host.with_credential(token)))
}

#[derive(Module, Debug)]
struct Network {
    first: Linear,
    last: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        Self {
            first: LinearConfig::new(16, 32).init(device),
            last: LinearConfig::new(32, 4).init(device),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.last.forward(self.first.forward(x).tanh())
    }
}

/// Compares products of one Hessian: made here, and on the CPU here with the devices of the server.
fn check(host: &RemoteHost) -> Result<(), Failure> {
    let here = Device::flex();
    // Each one connects now, where a failure is an error.
    let remote: Vec<Device> = (0..host.devices()?.len())
        .map(|index| Device::remote_options(host).device_index(index).init())
        .collect::<Result<_, _>>()?;
    here.seed(1);
    let network = Network::new(&here);
    let random =
        |shape: [usize; 2]| Tensor::<2>::random(shape, Distribution::Normal(0.0, 1.0), &here);
    let data: Vec<(Tensor<2>, Tensor<2>)> = (0..2 * (1 + remote.len()))
        .map(|_| (random([64, 16]), random([64, 4])))
        .collect();
    let loss = |network: &Network, (x, y): (Tensor<2>, Tensor<2>)| {
        (network.forward(x) - y).square().mean()
    };

    let risk = Risk::new(&loss, &data);
    let hessian = risk.hessian(&network)?;
    let v = ParamVector::gaussian(hessian.space(), 1)?;
    let alone = hessian.matvec(&v)?.to_host()?;

    let spread = risk
        .clone()
        .with_devices(iter::once(here.clone()).chain(remote));
    let together = spread.hessian(&network)?.matvec(&v)?.to_host()?;
    let exact = spread.clone().with_exact_order(true);
    let in_order = exact.hessian(&network)?.matvec(&v)?.to_host()?;

    for work in spread.device_work() {
        println!(
            "{}: {} batches, {:.3} s",
            work.device, work.batches, work.seconds
        );
    }
    let gap = largest(alone.iter().zip(&together).map(|(a, b)| a - b));
    let gap = gap / largest(alone.iter().copied());
    println!(
        "{} numbers of H v, the first: {:+.6} alone, {:+.6} together",
        alone.len(),
        alone.first().unwrap_or(&f64::NAN),
        together.first().unwrap_or(&f64::NAN)
    );
    println!("The largest difference is {gap:.1e} of the largest number.");
    println!(
        "In exact order the bits are {}.",
        if alone == in_order {
            "the same"
        } else {
            "others: these devices round otherwise"
        }
    );
    if gap.is_nan() || gap > TOLERANCE {
        return Err(format!("the products differ by {gap:.1e}, more than {TOLERANCE:.0e}").into());
    }
    println!("They agree.");
    Ok(())
}

/// The largest magnitude; NaN if one number is.
fn largest(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers
        .map(f64::abs)
        .fold(0.0, |a, b| if b > a || b.is_nan() { b } else { a })
}
