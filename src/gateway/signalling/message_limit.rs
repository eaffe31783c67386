//! How long the messages of a client may be.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// Longest message of a client, in bytes. The longest that clients have to send describes what they receive, and takes about a kilobyte
/// for each track: 350 people with camera and microphone take 700 kB.
pub const LONGEST_MESSAGE: u64 = 1024 * 1024;

/// A client sent what none has to send.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a message is longer than {LONGEST_MESSAGE} bytes")]
    TooLong,
    /// No frame of a WebSocket without extensions.
    #[error("a frame has the wrong form")]
    Malformed,
}

/// Follows the WebSocket frames of one direction, whose bytes come in pieces of any length.
#[derive(Default)]
pub struct MessageLimit {
    /// The beginning of a header whose end has not come yet.
    header: Vec<u8>,
    /// Bytes of the frame under way that are still to come.
    rest: u64,
    /// Length of the message under way, as far as its frames have said.
    message: u64,
}

impl MessageLimit {
    /// Looks at the next bytes.
    pub fn follow(&mut self, mut bytes: &[u8]) -> Result<(), FrameError> {
        while let [next, others @ ..] = bytes {
            if self.rest > 0 {
                let skipped = usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len());
                self.rest -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.header.push(*next);
            bytes = others;
            let parsed = FrameHeader::parse(&mut Cursor::new(&self.header)).map_err(|_| FrameError::Malformed)?;
            if let Some((header, length)) = parsed {
                self.header.clear();
                self.rest = self.begin(&header, length)?;
            }
        }
        Ok(())
    }

    /// Begins a frame; returns the length of its payload.
    fn begin(&mut self, header: &FrameHeader, length: u64) -> Result<u64, FrameError> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(FrameError::Malformed);
        }
        let before = match header.opcode {
            OpCode::Data(Data::Continue) => self.message,
            OpCode::Data(_) | OpCode::Control(_) => 0,
        };
        let message = before.saturating_add(length);
        if message > LONGEST_MESSAGE {
            return Err(FrameError::TooLong);
        }
        // Control frames come between those of a message.
        if let OpCode::Data(_) = header.opcode {
            self.message = if header.is_final { 0 } else { message };
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    mod fuzz;

    use rstest::rstest;
    use tungstenite::protocol::frame::coding::Control;

    use super::*;

    fn frame(opcode: OpCode, is_final: bool, length: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let header = FrameHeader { is_final, opcode, mask: Some([1, 2, 3, 4]), ..FrameHeader::default() };
        header.format(length, &mut bytes).unwrap();
        bytes.resize(bytes.len() + usize::try_from(length).unwrap(), 0xff);
        bytes
    }

    const TEXT: OpCode = OpCode::Data(Data::Text);
    const MORE: OpCode = OpCode::Data(Data::Continue);
    const PING: OpCode = OpCode::Control(Control::Ping);

    #[rstest]
    #[case::by_the_byte(1)]
    #[case::by_the_odd(3)]
    #[case::as_read(4096)]
    #[case::at_once(usize::MAX)]
    fn messages_pass_in_pieces_of_any_length(#[case] piece: usize) {
        let half = LONGEST_MESSAGE / 2;
        let frames = [(TEXT, true, 0), (TEXT, true, 125), (PING, true, 100), (TEXT, true, 126), (TEXT, true, 65_536)];
        let parts = [(TEXT, false, half), (PING, true, 100), (MORE, true, half), (TEXT, true, LONGEST_MESSAGE)];
        let sent: Vec<u8> = frames.into_iter().chain(parts).flat_map(|(opcode, last, length)| frame(opcode, last, length)).collect();
        let mut limit = MessageLimit::default();
        for bytes in sent.chunks(piece.min(sent.len())) {
            assert_eq!(limit.follow(bytes), Ok(()));
        }
        assert_eq!((limit.rest, limit.message, limit.header.len()), (0, 0, 0));
    }

    #[test]
    fn a_message_that_is_too_long_is_seen_by_its_header_whole_or_in_frames() {
        let header = |opcode, is_final, length: u64| {
            let mut bytes = Vec::new();
            FrameHeader { is_final, opcode, mask: Some([0; 4]), ..FrameHeader::default() }.format(length, &mut bytes).unwrap();
            bytes
        };
        for length in [LONGEST_MESSAGE + 1, u64::from(u32::MAX), i64::MAX.unsigned_abs()] {
            assert_eq!(MessageLimit::default().follow(&header(TEXT, true, length)), Err(FrameError::TooLong));
        }
        let mut limit = MessageLimit::default();
        limit.follow(&frame(TEXT, false, LONGEST_MESSAGE)).unwrap();
        limit.follow(&frame(PING, true, 125)).unwrap();
        assert_eq!(limit.follow(&header(MORE, false, 1)), Err(FrameError::TooLong));
    }

    #[test]
    fn compressed_frames_and_unknown_kinds_of_frames_are_refused() {
        for first in [0b1100_0001, 0b1010_0001, 0b1001_0001, 0b1000_0011, 0b1000_1011] {
            assert_eq!(MessageLimit::default().follow(&[first, 0b1000_0000, 0, 0, 0, 0]), Err(FrameError::Malformed), "{first:b}");
        }
    }
}
