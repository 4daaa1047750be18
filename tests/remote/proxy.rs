//! A proxy on loopback between a client and a server, which counts bytes and fails as it is told.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Sub;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What happens on the way. Bytes are those of the client, on all connections together.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    None,
    /// Every chunk waits, in both directions.
    Delay(Duration),
    /// After this many bytes all connections are closed, and none is accepted.
    Cut(u64),
    /// After this many bytes nothing goes through in either direction, and connections stay open.
    Silence(u64),
    /// The chunk with this byte is lost.
    Loss(u64),
}

/// What has gone through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traffic {
    /// Bytes from the client.
    pub(crate) sent: u64,
    /// Bytes from the server.
    pub(crate) received: u64,
    /// Chunks from the server: about as many as messages.
    pub(crate) answers: u64,
}

impl Sub for Traffic {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            received: self.received - before.received,
            answers: self.answers - before.answers,
        }
    }
}

pub(crate) struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
}

impl Proxy {
    pub(crate) fn new(server: SocketAddr, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let line = Arc::new(Line::default());
        let accepting = line.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.is_closed.load(Ordering::SeqCst) {
                    return;
                }
                if let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) {
                    accepting.join(&client, &server, fault);
                }
            }
        });
        Self { address, line }
    }

    /// Where the client connects.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            sent: self.line.sent.load(Ordering::SeqCst),
            received: self.line.received.load(Ordering::SeqCst),
            answers: self.line.answers.load(Ordering::SeqCst),
        }
    }

    /// From now on nothing goes through, and connections stay open.
    pub(crate) fn silence(&self) {
        self.line.is_silent.store(true, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.line.close();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

#[derive(Default)]
struct Line {
    sent: AtomicU64,
    received: AtomicU64,
    answers: AtomicU64,
    is_silent: AtomicBool,
    is_closed: AtomicBool,
    sockets: Mutex<Vec<TcpStream>>,
}

impl Line {
    fn join(self: &Arc<Self>, client: &TcpStream, server: &TcpStream, fault: Fault) {
        let copy = |socket: &TcpStream| socket.try_clone().unwrap();
        for socket in [client, server] {
            socket.set_nodelay(true).unwrap();
            self.sockets.lock().unwrap().push(copy(socket));
        }
        let (line, from, to) = (self.clone(), copy(client), copy(server));
        thread::spawn(move || line.send(&from, &to, fault));
        let (line, from, to) = (self.clone(), copy(server), copy(client));
        thread::spawn(move || line.answer(&from, &to, fault));
    }

    /// From the client to the server.
    fn send(&self, mut client: &TcpStream, mut server: &TcpStream, fault: Fault) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = client.read(&mut buffer) {
            let before = self.sent.fetch_add(read as u64, Ordering::SeqCst);
            let end = before + read as u64;
            let kept = match fault {
                Fault::Cut(at) | Fault::Silence(at) if at < end => at.saturating_sub(before),
                Fault::Loss(at) if (before..end).contains(&at) => 0,
                _ => read as u64,
            };
            wait(fault);
            let kept = &buffer[..kept as usize];
            let is_silent = self.is_silent.load(Ordering::SeqCst);
            if !is_silent && server.write_all(kept).is_err() {
                break;
            }
            match fault {
                Fault::Cut(at) if at < end => return self.close(),
                Fault::Silence(at) if at < end => self.is_silent.store(true, Ordering::SeqCst),
                _ => {}
            }
        }
        end_of(client, server);
    }

    /// From the server to the client.
    fn answer(&self, mut server: &TcpStream, mut client: &TcpStream, fault: Fault) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = server.read(&mut buffer) {
            self.received.fetch_add(read as u64, Ordering::SeqCst);
            self.answers.fetch_add(1, Ordering::SeqCst);
            wait(fault);
            let is_silent = self.is_silent.load(Ordering::SeqCst);
            if !is_silent && client.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        end_of(client, server);
    }

    fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        for socket in self.sockets.lock().unwrap().drain(..) {
            // The other end may have closed it.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

fn wait(fault: Fault) {
    if let Fault::Delay(time) = fault {
        thread::sleep(time);
    }
}

/// One direction ends with the other.
fn end_of(client: &TcpStream, server: &TcpStream) {
    for socket in [client, server] {
        let _ = socket.shutdown(Shutdown::Both);
    }
}
