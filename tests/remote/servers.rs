//! Servers of Flex devices: in this process, and in a child.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use burn::remote::RemoteHost;
use burn::server::{RemoteServer, ServeError, Transport, WebSocketTransport};
use burn::tensor::Device;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Tells an ignored test that it runs in a child process of another test.
const CHILD: &str = "BURNSCAPE_TEST_CHILD";

/// Comes before the address in the output of a server process.
const SERVES: &str = "serves on ";

/// The host at this address.
pub(crate) fn host(address: SocketAddr) -> RemoteHost {
    RemoteHost::websocket(&format!("ws://{address}"))
}

/// A device of the server at this address, with its session open.
pub(crate) fn connect(address: SocketAddr, index: usize) -> Device {
    let options = Device::remote_options(&host(address)).device_index(index);
    options.init().unwrap()
}

/// A server in this process.
pub(crate) struct Server {
    address: SocketAddr,
    runtime: Option<Runtime>,
    serving: Option<JoinHandle<Result<(), ServeError>>>,
}

impl Server {
    /// A server of so many Flex devices.
    pub(crate) fn new(devices: usize) -> Self {
        Self::of(&RemoteServer::new((0..devices).map(|_| Device::flex())))
    }

    pub(crate) fn of(server: &RemoteServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self::over(WebSocketTransport::from_listener(listener), address, server)
    }

    /// A server over this transport, which clients reach at the address.
    pub(crate) fn over(
        transport: impl Into<Transport>,
        address: SocketAddr,
        server: &RemoteServer,
    ) -> Self {
        let transport: Transport = transport.into();
        let serving = server.serve_async(transport);
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let serving = Some(runtime.spawn(serving));
        Self {
            address,
            runtime: Some(runtime),
            serving,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A device of the server, with its session open.
    pub(crate) fn device(&self, index: usize) -> Device {
        connect(self.address, index)
    }

    /// Whether the server is still there a moment after its start. One whose port is taken ends at once.
    pub(crate) fn lasts(&self) -> bool {
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(300) {
            if self.serving.as_ref().is_none_or(JoinHandle::is_finished) {
                return false;
            }
            thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// Ends the server and its sessions.
    pub(crate) fn stop(&mut self) {
        if let (Some(runtime), Some(serving)) = (&self.runtime, self.serving.take()) {
            serving.abort();
            // It was cancelled.
            let _ = runtime.block_on(serving);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An ignored test of this binary in a child process, with its output in a pipe.
pub(crate) fn ignored(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([test, "--exact", "--ignored", "--nocapture"])
        .arg("--test-threads=1")
        .env(CHILD, "yes")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// Starts an ignored test of this binary in a child process.
pub(crate) fn child(test: &str) -> Child {
    ignored(test).spawn().unwrap()
}

/// Whether this process was started by [`ignored`].
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// A server in a process of its own, which is killed on drop.
pub(crate) struct ServerProcess {
    process: Child,
    address: SocketAddr,
    /// Open, so that the process may write.
    output: BufReader<ChildStdout>,
}

impl ServerProcess {
    /// A server of two Flex devices.
    pub(crate) fn start() -> Self {
        let command = ignored("remote::servers::serves_until_it_is_killed");
        Self::of(command, SERVES)
    }

    /// The server of a command that writes these words and its address.
    pub(crate) fn of(mut command: Command, words: &str) -> Self {
        let mut process = command.spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let address = loop {
            if let Some((_, address)) = next_line(&mut output).split_once(words) {
                break address.trim().parse().unwrap();
            }
        };
        Self {
            process,
            address,
            output,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next line that it writes.
    pub(crate) fn next_line(&mut self) -> String {
        next_line(&mut self.output)
    }

    /// A device of the server, with its session open.
    pub(crate) fn device(&self, index: usize) -> Device {
        connect(self.address, index)
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn next_line(output: &mut impl BufRead) -> String {
    let mut line = String::new();
    let read = output.read_line(&mut line).unwrap();
    assert!(read > 0, "the server process has ended");
    line
}

#[test]
#[ignore = "a server for other tests, which start it in a process of its own"]
fn serves_until_it_is_killed() {
    if !is_child() {
        return;
    }
    let server = Server::new(2);
    println!("{SERVES}{}", server.address());
    // Should nobody kill it, no longer than a run of the tests.
    thread::sleep(Duration::from_secs(300));
}
