//! What others notice of one holder of a link who sends as fast as answers come.

use std::net::Ipv4Addr;

use futures::future::join_all;
use jiff::SignedDuration;
use roomkeeper::api::Phase;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::people;
use crate::sockets::post_join;
use crate::spread::{self, Unit};
use crate::support::now;
use crate::support::stage::Stage;

/// Joins of others, quiet and while one holder of a link sends `POST /v1/join` as fast as answers come, by turns. The holder is on this
/// machine, and takes its processors: how much that alone does is seen while it sends to somebody else.
pub async fn joins(stage: &Stage) {
    let place = stage.place().await;
    let link = json!({"joinPolicy": "AnyoneWithLink", "participants": people(20)});
    place.apply("open", link).await;
    place.apply("other", json!({"participants": people(20)})).await;
    for room in ["open", "other"] {
        place.until_phase(room, Phase::Open).await;
    }
    let shared = place.invite("open", "*").await;
    let (mut listed, mut elsewhere) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let name = format!("person-{number}");
        listed.push(place.invite("open", &name).await);
        elsewhere.push(place.invite("other", &name).await);
    }
    let refusing = refusing_server().await;
    let (mut quiet, mut beside, mut loud) = (Joins::default(), Joins::default(), Joins::default());
    for _ in 0..ROUNDS {
        quiet.add(stage, &listed, &elsewhere, &shared).await;
        for (port, joins) in [(refusing, &mut beside), (stage.gateway.port, &mut loud)] {
            let hammer = async { join_all((0..HAMMERS).map(|_| hammer(port, &shared))).await };
            tokio::select! {
                _ = hammer => {}
                () = joins.add(stage, &listed, &elsewhere, &shared) => {}
            }
        }
    }
    quiet.print("quiet");
    beside.print("while somebody else is hammered, who only refuses");
    loud.print("hammered");
}

/// How often it is quiet, and hammered, in turn.
const ROUNDS: usize = 10;
/// Requests of the holder at the same time.
const HAMMERS: usize = 8;
/// Addresses on loopback: the holder's, and that of another one with the same link.
const HOLDER: [u8; 4] = [127, 0, 0, 2];
const VISITOR: [u8; 4] = [127, 0, 0, 3];
/// What somebody says who comes by a link.
const VISIT: &str = r#"{"displayName": "Visitor"}"#;

/// How long joins took.
#[derive(Default)]
struct Joins {
    listed: Vec<SignedDuration>,
    elsewhere: Vec<SignedDuration>,
    visitors: Vec<SignedDuration>,
}

impl Joins {
    async fn add(&mut self, stage: &Stage, listed: &[String], elsewhere: &[String], shared: &str) {
        for (of_list, of_other) in listed.iter().zip(elsewhere) {
            for (invite, took) in [(of_list, &mut self.listed), (of_other, &mut self.elsewhere)] {
                let started = now();
                let answer = stage.join(invite).await;
                took.push(now().duration_since(started));
                assert_eq!(answer.status, 200, "{answer:?}");
            }
            let started = now();
            let status = post_join(stage.gateway.port, VISITOR, shared, VISIT).await.status;
            self.visitors.push(now().duration_since(started));
            assert_eq!(status, 200);
        }
    }

    fn print(self, when: &str) {
        for (whose, took) in [("the list of that Room", self.listed), ("another Room", self.elsewhere), ("the same link", self.visitors)] {
            spread::print(&format!("join of {whose}, {when}"), took, Unit::Micros);
        }
    }
}

/// Joins again and again, by the link; counts nothing.
async fn hammer(port: u16, shared: &str) {
    loop {
        post_join(port, HOLDER, shared, VISIT).await;
    }
}

/// The port of a server that reads a request and refuses it.
async fn refusing_server() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                // Who is hammered has nothing else to do, whatever fails.
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await;
            });
        }
    });
    port
}
