//! WebSocket frames as clients send them, and as they do not.

use livekit_protocol::{Ping, SignalRequest, signal_request};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use prost::Message;

use super::mutation::{mutated, mutations};

/// What comes before a media token among the subprotocols.
pub const BEARER: &[u8] = b"roomkeeper.bearer.";

/// Longest message that the gateway lets pass, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// Some frames in a row, at times changed a little, and cut off somewhere.
pub fn frames() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop_oneof![3 => Just(0x82), 2 => select([0x81, 0x02, 0x01, 0x00, 0x80, 0x88, 0x89, 0x8a].as_slice()), 1 => any::<u8>()];
    let announced = select([126, 65_535, 65_536, LONGEST, LONGEST + 1, u64::from(u32::MAX), u64::MAX].to_vec());
    let announced = prop_oneof![6 => Just(None), 1 => announced.prop_map(Some)];
    let payload = prop_oneof![3 => Just(ping()), 2 => vec(any::<u8>(), 0..200), 1 => Just(vec![0; 70_000])];
    let frame = (kinds, prop::bool::weighted(0.9), announced, payload);
    let frame = frame.prop_map(|(first, is_masked, announced, payload)| frame_of(first, is_masked, announced, &payload));
    (vec(frame, 1..6), proptest::option::of(mutations())).prop_map(|(frames, changes)| {
        let others = frames.clone();
        changes.into_iter().fold(frames.concat(), |bytes, changes| mutated(&bytes, &others, &changes))
    })
}

/// What a client says every few seconds.
fn ping() -> Vec<u8> {
    let message = Some(signal_request::Message::PingReq(Ping { timestamp: 1, rtt: 1 }));
    SignalRequest { message }.encode_to_vec()
}

/// A frame that has this payload, and may announce another length.
fn frame_of(first: u8, is_masked: bool, announced: Option<u64>, payload: &[u8]) -> Vec<u8> {
    let length = announced.unwrap_or(payload.len() as u64);
    let mask = u8::from(is_masked) << 7;
    let mut bytes = match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => vec![first, mask | short],
        (_, Ok(middle)) => [&[first, mask | 0x7e][..], &middle.to_be_bytes()].concat(),
        _ => [&[first, mask | 0x7f][..], &length.to_be_bytes()].concat(),
    };
    let key = [0x5a, 0x01, 0xff, 0x00];
    if is_masked {
        bytes.extend(key);
    }
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| if is_masked { byte ^ key } else { *byte }));
    bytes
}
