//! A server over Iroh on the loopback interface. The client knows its address, and needs neither a relay nor a name
//! service.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use burn::remote::{ConnectError, IrohHost, IrohRelays, RemoteHost};
use burn::server::{IrohIdentity, IrohTransport, RemoteServer, TokenAuthorizer};
use burn::tensor::Device;

use super::alone::alone;
use super::deaths::survives;
use super::limit::within;
use super::refusals::{refused, works};
use super::runs::LIMIT;
use super::servers::Server;

const TOKEN: &str = "right";

/// A UDP port that is free: Burn's transport does not tell the one that it has.
fn free_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.local_addr().unwrap().port()
}

/// A server of one Flex device, and what a client without a token knows of it. Another process may take the port
/// before the server does: then it is started again.
fn served() -> (Server, RemoteHost) {
    let mut attempts = (0..5).map(|_| started());
    attempts.find(|(server, _)| server.lasts()).unwrap()
}

fn started() -> (Server, RemoteHost) {
    let port = free_port();
    let transport = IrohTransport::new(IrohIdentity::random())
        .with_relays(IrohRelays::Disabled)
        .with_port(port);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let host = IrohHost::new(transport.id())
        .with_relays(IrohRelays::Disabled)
        .with_address(address);
    let authorizer = TokenAuthorizer::new(TOKEN).unwrap();
    let server = RemoteServer::new([Device::flex()]).with_authorizer(authorizer);
    let server = Server::over(transport, address, &server);
    (server, RemoteHost::iroh(host))
}

/// The device of the server, with its session open.
fn connected(host: RemoteHost) -> Device {
    let options = Device::remote_options(&host.with_credential(TOKEN));
    within(LIMIT, "a connection over Iroh", move || options.init()).unwrap()
}

#[test]
fn a_product_over_iroh_is_that_of_one_device() {
    alone("iroh::a_product_over_iroh_is_that_of_one_device", || {
        let (server, host) = served();
        let error = refused(&host, 0);
        assert!(matches!(error, ConnectError::Unauthorized), "{error:?}");
        works(connected(host));
        drop(server);
    });
}

#[test]
fn a_run_goes_on_without_a_server_over_iroh_that_stops() {
    alone(
        "iroh::a_run_goes_on_without_a_server_over_iroh_that_stops",
        || {
            let (mut server, host) = served();
            survives(connected(host), move || server.stop());
        },
    );
}
