//! A server of the page for this machine.

use std::fs::File;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use tiny_http::{Header, Method, Request, Response, Server};

/// How long a headless browser may take.
const LIMIT: Duration = Duration::from_secs(180);

/// Serves the folder until the program is interrupted.
pub(super) fn serve(page: &Path) -> Result<(), String> {
    let server = start("127.0.0.1:8000")?;
    println!("http://{}/ (stop with Ctrl-C)", server.server_addr());
    for request in server.incoming_requests() {
        file(page, request);
    }
    Ok(())
}

/// What the page reports about itself in a browser that `open` starts with the address of the page. The page is open
/// until it says that it has drawn.
pub(super) fn report_of(
    page: &Path,
    open: impl FnOnce(&str) -> std::io::Result<Child>,
) -> Result<String, String> {
    let server = start("127.0.0.1:0")?;
    let url = format!("http://{}/?check", server.server_addr());
    let browser = open(&url).map_err(|error| format!("cannot start the browser: {error}"))?;
    let mut browser = Browser(browser);
    let (end, mut numbers, mut held) = (Instant::now() + LIMIT, None, Vec::new());
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        let request = server.recv_timeout(left.min(Duration::from_secs(1)));
        let Ok(Some(mut request)) = request else {
            if browser.has_ended() {
                break;
            }
            continue;
        };
        let mut body = String::new();
        match (request.method(), request.url()) {
            (Method::Post, "/numbers" | "/failure" | "/drawn") => {
                let _ = request.as_reader().read_to_string(&mut body);
                let kind = request.url().to_string();
                let _ = request.respond(Response::empty(204));
                match kind.as_str() {
                    "/numbers" => numbers = Some(body),
                    "/failure" => return Err(format!("the page failed: {body}")),
                    // Now the page has loaded, and the browser takes its picture.
                    _ => held.drain(..).for_each(|request| file(page, request)),
                }
            }
            // This picture delays the end of loading.
            (Method::Get, "/hold.svg") => held.push(request),
            _ => file(page, request),
        }
    }
    browser.wait();
    numbers.ok_or_else(|| format!("the page sent no numbers within {} s", LIMIT.as_secs()))
}

/// A browser that ends with its owner.
struct Browser(Child);

impl Browser {
    fn has_ended(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)))
    }

    /// Waits for the picture.
    fn wait(&mut self) {
        let _ = self.0.wait();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(address: &str) -> Result<Server, String> {
    Server::http(address).map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// Answers with the file of the folder that is asked for.
fn file(folder: &Path, request: Request) {
    let name = request.url().split('?').next().unwrap_or_default();
    let name = match name.trim_start_matches('/') {
        "" => "index.html",
        name => name,
    };
    let is_plain = !name.contains(['/', '\\']) && !name.starts_with('.');
    let opened = is_plain
        .then(|| File::open(folder.join(name)))
        .and_then(Result::ok);
    let _ = match (opened, content_type(name)) {
        (Some(file), Some(kind)) => request.respond(Response::from_file(file).with_header(kind)),
        _ => request.respond(Response::empty(404)),
    };
}

fn content_type(name: &str) -> Option<Header> {
    let kind = match name.rsplit('.').next()? {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css",
        "js" => "text/javascript",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        _ => return None,
    };
    Header::from_bytes("Content-Type", kind).ok()
}
