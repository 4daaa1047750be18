//! A server in a process of its own: this program, started with an argument.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use burn::remote::RemoteHost;
use burn::server::{RemoteServer, WebSocketTransport};
use burn::tensor::Device;
use tokio::runtime::Builder;

use crate::{Failure, Outcome};

/// The argument that makes this program a server.
pub(crate) const SERVE: &str = "--serve";

/// Devices of the server, each of them Flex.
pub(crate) const DEVICES: usize = 4;

/// A server, which ends with this value.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start() -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("the server has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse()?;
        Ok(Self { process, address })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A device of the server at an address, in a session of its own for each address and index.
pub(crate) fn device(address: SocketAddr, index: usize) -> Result<Device, Failure> {
    let host = RemoteHost::websocket(&format!("ws://{address}"));
    Ok(Device::remote_options(&host).device_index(index).init()?)
}

/// Serves until the program that started this one ends.
pub(crate) fn serve() -> Outcome {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?);
    let serving = RemoteServer::new(vec![Device::flex(); DEVICES])
        .serve_async(WebSocketTransport::from_listener(listener));
    runtime.spawn(async move {
        if let Err(error) = serving.await {
            eprintln!("the server: {error}");
        }
    });
    // The input ends with the other program.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    runtime.shutdown_background();
    Ok(())
}
