//! The DevTools protocol: commands with answers, and events between them.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

use super::chromium::Address;

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(60);
/// How often a wait looks at the clock.
const TICK: Duration = Duration::from_millis(200);

/// A connection to a browser.
pub(super) struct DevTools {
    socket: WebSocket<TcpStream>,
    last_id: u64,
    events: Vec<Event>,
}

/// What a tab says unasked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) session: String,
    pub(super) method: String,
    pub(super) params: Value,
}

impl DevTools {
    pub(super) fn connect(address: &Address) -> Result<Self, String> {
        let failed = |error: String| format!("cannot connect to the browser: {error}");
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, address.port))
            .and_then(|stream| {
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(LIMIT))?;
                stream.set_read_timeout(Some(LIMIT))?;
                Ok(stream)
            })
            .map_err(|error| failed(error.to_string()))?;
        // Pictures come in one piece.
        let config = WebSocketConfig::default()
            .max_message_size(None)
            .max_frame_size(None);
        let url = format!("ws://127.0.0.1:{}{}", address.port, address.path);
        let (socket, _) = tungstenite::client::client_with_config(url, stream, Some(config))
            .map_err(|error| failed(error.to_string()))?;
        let timeout = socket.get_ref().set_read_timeout(Some(TICK));
        timeout.map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            socket,
            last_id: 0,
            events: Vec::new(),
        })
    }

    /// Sends a command to a tab, or to the browser if `session` is empty, and waits for its result.
    pub(super) fn call(
        &mut self,
        session: &str,
        method: &str,
        params: Value,
    ) -> Result<Value, String> {
        let id = self.send(session, method, params)?;
        let end = Instant::now() + LIMIT;
        while Instant::now() < end {
            let Some(message) = self.receive(method)? else {
                continue;
            };
            match Incoming::parse(&message)? {
                Incoming::Answer(answered, result) if answered == id => {
                    return result.map_err(|error| format!("`{method}`: {error}"));
                }
                // To a command whose answer nobody waits for.
                Incoming::Answer(..) => {}
                Incoming::Event(event) => self.note(event)?,
            }
        }
        Err(format!(
            "the browser gave no answer to `{method}` within {} s",
            LIMIT.as_secs()
        ))
    }

    /// The events of a tab since the last call.
    pub(super) fn take_events(&mut self, session: &str) -> Vec<Event> {
        let (of_tab, others) = std::mem::take(&mut self.events)
            .into_iter()
            .partition(|event| event.session == session);
        self.events = others;
        of_tab
    }

    fn send(&mut self, session: &str, method: &str, params: Value) -> Result<u64, String> {
        self.last_id += 1;
        let mut command = json!({ "id": self.last_id, "method": method, "params": params });
        if !session.is_empty() {
            command["sessionId"] = json!(session);
        }
        self.socket
            .send(Message::text(command.to_string()))
            .map_err(|error| format!("cannot send `{method}` to the browser: {error}"))?;
        Ok(self.last_id)
    }

    /// The next message, or none within a tick.
    fn receive(&mut self, method: &str) -> Result<Option<String>, String> {
        match self.socket.read() {
            Ok(Message::Text(text)) => Ok(Some(text.to_string())),
            Ok(_) => Ok(None),
            Err(Error::Io(error))
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(format!("the browser is lost during `{method}`: {error}")),
        }
    }

    /// Keeps an event. A dialog would stop the tab, so it is closed.
    fn note(&mut self, event: Event) -> Result<(), String> {
        if event.method == "Inspector.targetCrashed" {
            return Err("the tab crashed".into());
        }
        if event.method == "Page.javascriptDialogOpening" {
            let close = json!({ "accept": false });
            self.send(&event.session, "Page.handleJavaScriptDialog", close)?;
        }
        self.events.push(event);
        Ok(())
    }
}

#[derive(Debug, PartialEq)]
enum Incoming {
    Answer(u64, Result<Value, String>),
    Event(Event),
}

impl Incoming {
    fn parse(text: &str) -> Result<Self, String> {
        let mut message: Value = serde_json::from_str(text)
            .map_err(|error| format!("the browser sent no JSON: {error}"))?;
        if let Some(id) = message["id"].as_u64() {
            let result = match message["error"]["message"].as_str() {
                Some(error) => Err(error.to_string()),
                None => Ok(message["result"].take()),
            };
            return Ok(Self::Answer(id, result));
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        Ok(Self::Event(Event {
            session: text(&message["sessionId"]),
            method: text(&message["method"]),
            params: message["params"].take(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_a_number_and_events_have_a_name() {
        assert_eq!(
            Incoming::parse(r#"{"id":3,"result":{"a":1}}"#).unwrap(),
            Incoming::Answer(3, Ok(json!({ "a": 1 })))
        );
        assert_eq!(
            Incoming::parse(r#"{"id":4,"error":{"code":-32000,"message":"no node"}}"#).unwrap(),
            Incoming::Answer(4, Err("no node".into()))
        );
        let event = Event {
            session: "S".into(),
            method: "Page.loadEventFired".into(),
            params: json!({ "timestamp": 1 }),
        };
        assert_eq!(
            Incoming::parse(
                r#"{"method":"Page.loadEventFired","params":{"timestamp":1},"sessionId":"S"}"#
            )
            .unwrap(),
            Incoming::Event(event)
        );
        assert!(Incoming::parse("{").is_err());
    }
}
