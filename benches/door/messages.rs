//! What the media server needs for messages that are as long as the gateway lets them be.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use livekit_protocol::{SignalRequest, UpdateParticipantMetadata, signal_request};
use prost::Message as _;
use roomkeeper::api::Phase;
use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::mebibytes;
use crate::sockets::{address_of, answer, enter};
use crate::support::now;
use crate::support::stage::Stage;

/// Longest message that is let through, in bytes.
const LONGEST: usize = 1024 * 1024;
/// How many are sent at most, one after the other, and for how long: LiveKit puts out who has no media after a while.
const SENT: usize = 100;
const SENDING: Duration = Duration::from_secs(10);
/// Between two looks at the media server's memory.
const LOOK: Duration = Duration::from_millis(5);
/// How long its memory is looked at after the last one.
const AFTERWARDS: Duration = Duration::from_secs(3);

pub async fn as_long_as_they_may_be(stage: &Stage) {
    let place = stage.place().await;
    place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
    place.until_phase("call", Phase::Open).await;
    for (what, metadata) in [("one byte", "a".to_owned()), ("as long as they may be", "a".repeat(LONGEST - 64))] {
        let (_, mut socket) = enter(stage.gateway.port, address_of(0), &place.invite("call", "ada").await).await;
        answer(&mut socket).await;
        let update = UpdateParticipantMetadata { metadata, ..UpdateParticipantMetadata::default() };
        let message = SignalRequest { message: Some(signal_request::Message::UpdateMetadata(update)) }.encode_to_vec();
        let (_, before) = stage.livekit.used();
        let (mut sender, receiver) = socket.split();
        let listening = tokio::spawn(receiver.for_each(|_| std::future::ready(())));
        let begun = now();
        let sending = tokio::spawn(async move {
            let mut sent = 0;
            let all = async {
                while sent < SENT {
                    sender.send(Message::Binary(message.clone().into())).await.expect("sent");
                    sent += 1;
                }
            };
            let _ = timeout(SENDING, all).await;
            let seconds = now().duration_since(begun).as_secs_f64();
            sleep(AFTERWARDS).await;
            (sent, seconds)
        });
        let mut most = before;
        while !sending.is_finished() {
            most = most.max(stage.livekit.used().1);
            sleep(LOOK).await;
        }
        let (sent, seconds) = sending.await.expect("no panic");
        listening.abort();
        let more = mebibytes(most) - mebibytes(before);
        println!(
            "{sent} messages of {what}, in {seconds:.1} s: LiveKit has at most {more:.1} MiB more than the {:.1} before",
            mebibytes(before)
        );
    }
}
