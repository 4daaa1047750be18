//! Counts what passes between a client and a server.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::{Failure, Outcome};

/// Traffic has ended if nothing passes for this long.
const QUIET: Duration = Duration::from_millis(200);

/// Bytes and messages that passed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Traffic {
    /// Bytes from the client to the server.
    pub(crate) sent: u64,
    /// Bytes from the server to the client.
    pub(crate) received: u64,
    /// Messages of the server. Each answers a question that the client waits for: a read, or a synchronization.
    pub(crate) answers: u64,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    received: AtomicU64,
    answers: AtomicU64,
}

/// A server at another address that passes everything on.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    counts: Arc<Counts>,
}

impl Proxy {
    pub(crate) fn start(server: SocketAddr) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let proxy = Self {
            address: listener.local_addr()?,
            counts: Arc::default(),
        };
        let counts = Arc::clone(&proxy.counts);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // The client notices if there is no connection.
                drop(connect(client, server, &counts));
            }
        });
        Ok(proxy)
    }

    /// What passes because of `work`, also after it has returned.
    pub(crate) fn traffic(&self, work: impl FnOnce() -> Outcome) -> Result<Traffic, Failure> {
        let before = self.settled();
        work()?;
        let after = self.settled();
        Ok(Traffic {
            sent: after.sent - before.sent,
            received: after.received - before.received,
            answers: after.answers - before.answers,
        })
    }

    fn settled(&self) -> Traffic {
        let mut last = self.counts.now();
        loop {
            thread::sleep(QUIET);
            let now = self.counts.now();
            if now == last {
                return now;
            }
            last = now;
        }
    }
}

impl Counts {
    fn now(&self) -> Traffic {
        Traffic {
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            answers: self.answers.load(Ordering::Relaxed),
        }
    }
}

/// Passes on what comes from either side, in two threads.
fn connect(client: TcpStream, server: SocketAddr, counts: &Arc<Counts>) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let (from_client, from_server) = (client.try_clone()?, server.try_clone()?);
    let (there, back) = (Arc::clone(counts), Arc::clone(counts));
    thread::spawn(move || {
        pass(from_client, server, |bytes| {
            there.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        });
    });
    let mut messages = Messages::default();
    thread::spawn(move || {
        pass(from_server, client, |bytes| {
            let answers = messages.count(bytes);
            back.answers.fetch_add(answers, Ordering::Relaxed);
            back.received
                .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        });
    });
    Ok(())
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut see: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 1 << 18];
    while let Ok(count) = from.read(&mut buffer) {
        see(&buffer[..count]);
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}

/// Finds the messages among the bytes that a WebSocket server sends.
#[derive(Default)]
struct Messages {
    /// Whether the answer in HTTP, which opens the connection, has passed.
    is_open: bool,
    /// What has come of the HTTP answer, or of the head of a frame.
    head: Vec<u8>,
    /// What is missing of the contents of a frame.
    rest: u64,
}

impl Messages {
    /// The messages whose last frame begins in these bytes.
    fn count(&mut self, mut bytes: &[u8]) -> u64 {
        let mut found = 0;
        while let [first, others @ ..] = bytes {
            if self.rest > 0 {
                let skipped = bytes
                    .len()
                    .min(usize::try_from(self.rest).unwrap_or(usize::MAX));
                self.rest -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head.push(*first);
            bytes = others;
            if !self.is_open {
                self.is_open = self.head.ends_with(b"\r\n\r\n");
                if self.is_open {
                    self.head.clear();
                }
            } else if let Some(length) = contents(&self.head) {
                let (is_last, kind) = (self.head[0] & 0x80 != 0, self.head[0] & 0x0f);
                // Kinds above two are pings and the like.
                found += u64::from(is_last && kind <= 2);
                self.rest = length;
                self.head.clear();
            }
        }
        found
    }
}

/// The length of a frame's contents, if its head is complete. Servers do not mask.
fn contents(head: &[u8]) -> Option<u64> {
    let short = head.get(1)? & 0x7f;
    let size = match short {
        126 => 2,
        127 => 8,
        _ => return Some(u64::from(short)),
    };
    let long = head.get(2..2 + size)?;
    Some(long.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))
}
