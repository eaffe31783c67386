//! A full call whose gateway is replaced: everybody's signalling is cut, and all connect to the next gateway at once. They have no media, so that LiveKit
//! takes each for somebody new.

use futures::StreamExt;
use futures::future::join_all;
use livekit_protocol::signal_response;

use crate::sockets::{address_of, answer, connect, enter};
use crate::spread::{self, Unit};
use crate::support::now;
use crate::support::operator::Role;
use crate::support::process::free_port;
use crate::support::stage::Stage;
use crate::{MOST, PATIENCE, invited};

/// How many connect at the same time in the beginning.
const AT_ONCE: usize = 8;

pub async fn of_all_at_once(stage: &Stage) {
    let invites = invited(&stage.place().await, MOST).await;
    let account = stage.cluster.account_kubeconfig("roomkeeper-gateway").await;
    let (mut old, new) = tokio::join!(Role::gateway(&account, free_port()), Role::gateway(&account, free_port()));
    let port = old.port;
    let enter = async |invite: String| {
        let (token, mut socket) = enter(port, address_of(0), &invite).await;
        answer(&mut socket).await;
        (token, socket)
    };
    let people: Vec<_> = futures::stream::iter(invites).map(enter).buffer_unordered(AT_ONCE).collect().await;
    let used = new.process.processor_time();
    let told_at = now();
    old.process.signal("TERM");
    let connected = join_all(people.into_iter().map(async |(token, mut socket)| {
        while let Some(Ok(_)) = socket.next().await {}
        let cut_at = now();
        let mut socket = connect(new.port, address_of(0), &token).await;
        let is_in = matches!(answer(&mut socket).await, signal_response::Message::Join(_));
        // The socket stays open until all are in.
        (cut_at.duration_since(told_at), now().duration_since(cut_at), is_in, socket)
    }));
    let connected = connected.await;
    let are_in = connected.iter().filter(|(_, _, is_in, _)| *is_in).count();
    println!("a gateway is stopped with {} people connected: {are_in} are in by another one", connected.len());
    spread::print("  told to stop until cut", connected.iter().map(|(cut, ..)| *cut).collect(), Unit::Millis);
    spread::print("  cut until the media server answers", connected.iter().map(|(_, took, ..)| *took).collect(), Unit::Millis);
    let used = new.process.processor_time().saturating_sub(used);
    println!(
        "  processor of the other gateway: {} ms; it has {:?} connections",
        used.as_millis(),
        new.metric("roomkeeper_proxied_connections").await
    );
    old.process.ended(PATIENCE).await;
}
