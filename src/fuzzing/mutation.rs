//! Small changes of something valid.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What has a meaning somewhere: in HTTP, in JSON, in tokens, in addresses.
const MEANINGFUL: [&[u8]; 40] = [
    b"\0",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\t",
    b" ",
    b".",
    b"..",
    b"=",
    b"==",
    b"+",
    b"/",
    b"../",
    b"%00",
    b"%2e",
    b"%0d%0a",
    b"&",
    b"#",
    b"?",
    b";",
    b",",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"-1",
    b"1e999",
    b"9223372036854775808",
    b"Bearer ",
    b"v4.public.",
    b"v4.local.",
    b"none",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"\xff\xfe",
];

/// One change of some bytes.
#[derive(Clone, Debug)]
pub enum Mutation {
    FlipBit(Index, u8),
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Delete(Index, Index),
    Truncate(Index),
    /// A part comes twice.
    Double(Index, Index),
    /// Two bytes take each other's place.
    Swap(Index, Index),
    /// One of the parts between dots is that of another value.
    PartOfAnother(Index, Index),
    /// From here on it is another value.
    EndOfAnother(Index, Index),
}

/// A few changes, one after the other.
pub fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let at = any::<Index>;
    let bytes = prop_oneof![3 => select(MEANINGFUL.as_slice()).prop_map(<[u8]>::to_vec), 1 => vec(any::<u8>(), 1..40)];
    let mutation = prop_oneof![
        3 => (at(), 0_u8..8).prop_map(|(at, bit)| Mutation::FlipBit(at, bit)),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        3 => (at(), bytes).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        1 => (at(), at()).prop_map(|(from, to)| Mutation::Delete(from, to)),
        1 => at().prop_map(Mutation::Truncate),
        1 => (at(), at()).prop_map(|(from, to)| Mutation::Double(from, to)),
        1 => (at(), at()).prop_map(|(one, other)| Mutation::Swap(one, other)),
        2 => (at(), at()).prop_map(|(part, other)| Mutation::PartOfAnother(part, other)),
        1 => (at(), at()).prop_map(|(from, other)| Mutation::EndOfAnother(from, other)),
    ];
    vec(mutation, 1..4)
}

/// What becomes of `valid`, where `others` are values of the same kind.
pub fn mutated(valid: &[u8], others: &[Vec<u8>], mutations: &[Mutation]) -> Vec<u8> {
    mutations.iter().fold(valid.to_vec(), |bytes, mutation| mutation.apply(bytes, others))
}

impl Mutation {
    fn apply(&self, mut bytes: Vec<u8>, others: &[Vec<u8>]) -> Vec<u8> {
        // One more than there are bytes, so that something can be put at the end, too.
        let length = bytes.len();
        let place = |index: &Index| index.index(length + 1);
        let range = |from: &Index, to: &Index| place(from).min(place(to))..place(from).max(place(to));
        match self {
            Self::FlipBit(at, bit) => bytes.get_mut(place(at)).into_iter().for_each(|byte| *byte ^= 1 << bit),
            Self::Replace(at, with) => bytes.get_mut(place(at)).into_iter().for_each(|byte| *byte = *with),
            Self::Insert(at, new) => drop(bytes.splice(place(at)..place(at), new.iter().copied())),
            Self::Delete(from, to) => drop(bytes.drain(range(from, to))),
            Self::Truncate(at) => bytes.truncate(place(at)),
            Self::Double(from, to) => {
                let part = bytes[range(from, to)].to_vec();
                let end = range(from, to).end;
                drop(bytes.splice(end..end, part));
            }
            Self::Swap(one, other) if length > 0 => bytes.swap(one.index(length), other.index(length)),
            Self::PartOfAnother(part, other) if !others.is_empty() => return with_part_of(&bytes, *part, other.get::<Vec<u8>>(others)),
            Self::EndOfAnother(from, other) if !others.is_empty() => {
                let (from, other) = (place(from), other.get(others));
                bytes.truncate(from);
                bytes.extend(other.iter().skip(from));
            }
            Self::Swap(..) | Self::PartOfAnother(..) | Self::EndOfAnother(..) => {}
        }
        bytes
    }
}

fn with_part_of(bytes: &[u8], part: Index, other: &[u8]) -> Vec<u8> {
    let parts = |bytes: &[u8]| bytes.split(|byte| *byte == b'.').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (mut own, others) = (parts(bytes), parts(other));
    let number = part.index(own.len());
    if let Some(part) = others.get(number) {
        own[number].clone_from(part);
    }
    own.join(&b'.')
}
