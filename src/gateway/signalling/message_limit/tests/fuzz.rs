//! Frames as no client sends them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::fuzzing::{fuzz, mutated, mutations};

/// Longest header of a frame, in bytes.
const LONGEST_HEADER: usize = 14;
/// So many bytes of what a frame announces are sent at most.
const SENT: u64 = LONGEST_MESSAGE + 1;

/// A frame whose announced length takes its shortest form, or a longer one.
#[derive(Clone, Copy, Debug)]
struct Frame {
    first: u8,
    is_masked: bool,
    length: u64,
    form: u8,
}

fn frames() -> impl Strategy<Value = Frame> {
    let kinds = prop_oneof![6 => select([0x80, 0x00, 0x01, 0x81, 0x02, 0x82, 0x88, 0x89, 0x8a].as_slice()), 1 => any::<u8>()];
    let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, LONGEST_MESSAGE / 2, LONGEST_MESSAGE - 1, LONGEST_MESSAGE, LONGEST_MESSAGE + 1];
    let huge = [u64::from(u32::MAX), i64::MAX.unsigned_abs(), u64::MAX - 1, u64::MAX];
    let lengths = prop_oneof![6 => 0_u64..300, 2 => select(lengths.to_vec()), 1 => select(huge.to_vec())];
    (kinds, prop::bool::weighted(0.9), lengths, 0_u8..3).prop_map(|(first, is_masked, length, form)| Frame {
        first,
        is_masked,
        length,
        form,
    })
}

impl Frame {
    /// What is sent of it: no more than [`SENT`] bytes of what it announces.
    fn bytes(self) -> Vec<u8> {
        let Self { first, is_masked, length, form } = self;
        let mask = u8::from(is_masked) << 7;
        let (short, middle) = (u8::try_from(length).ok().filter(|length| *length < 126), u16::try_from(length).ok());
        let mut bytes = match (form, short, middle) {
            (0, Some(short), _) => vec![first, mask | short],
            (0 | 1, _, Some(middle)) => [&[first, mask | 0x7e][..], &middle.to_be_bytes()].concat(),
            _ => [&[first, mask | 0x7f][..], &length.to_be_bytes()].concat(),
        };
        bytes.extend(is_masked.then_some([1, 2, 3, 4]).into_iter().flatten());
        bytes.resize(bytes.len() + usize::try_from(length.min(SENT)).unwrap(), 0xa5);
        bytes
    }
}

/// The verdict on all bytes at once, by the letter of RFC 6455.
fn expected(mut bytes: &[u8]) -> Result<(), FrameError> {
    let mut message = 0_u64;
    while let [first, second, rest @ ..] = bytes {
        let announced = match second & 0x7f {
            126 => rest.get(..2).map(|length| (length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 2)),
            127 => rest.get(..8).map(|length| (length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 8)),
            short => Some((u64::from(short), 0)),
        };
        let Some((length, taken)) = announced else { break };
        let Some(payload) = rest.get(taken + if second & 0x80 == 0 { 0 } else { 4 }..) else { break };
        let (is_final, opcode) = (first & 0x80 != 0, first & 0x0f);
        if !matches!(opcode, 0..=2 | 8..=10) || first & 0x70 != 0 {
            return Err(FrameError::Malformed);
        }
        let total = if opcode == 0 { message } else { 0 }.saturating_add(length);
        if total > LONGEST_MESSAGE {
            return Err(FrameError::TooLong);
        }
        if opcode < 8 {
            message = if is_final { 0 } else { total };
        }
        bytes = payload.get(usize::try_from(length).unwrap()..).unwrap_or_default();
    }
    Ok(())
}

#[test]
fn whatever_is_sent_in_pieces_of_whatever_length_no_message_passes_that_is_too_long_or_no_message() {
    let sent = (vec(frames(), 1..6), proptest::option::weighted(0.5, mutations()));
    fuzz(&(sent, vec(1_usize..6000, 1..8)), |((frames, changes), pieces)| {
        let sent: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes()).collect();
        let sent = mutated(&sent, &[frames[0].bytes()], &changes.unwrap_or_default());
        let mut limit = MessageLimit::default();
        let (mut left, mut pieces, mut verdict) = (sent.as_slice(), pieces.iter().cycle(), Ok(()));
        while !left.is_empty() && verdict.is_ok() {
            let (piece, rest) = left.split_at(left.len().min(*pieces.next().unwrap()));
            verdict = limit.follow(piece);
            prop_assert!(limit.header.len() <= LONGEST_HEADER && limit.header.capacity() <= 64, "{} bytes are kept", limit.header.len());
            left = rest;
        }
        prop_assert_eq!(verdict, expected(&sent));
        Ok(())
    });
}
