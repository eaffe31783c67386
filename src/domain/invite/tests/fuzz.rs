//! Invites that nobody signed, made of those that somebody did.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use super::*;
use crate::fuzzing::{fuzz, json, mutated, mutations, number_of, text};

/// A key of this installation, one that was before, and one of somebody else under the same id.
fn rings() -> (KeyRing, KeyRing) {
    let own = ring_of(&[&generate_key("1"), &generate_key("2")]);
    (own, ring_of(&[&generate_key("2")]))
}

fn invites() -> impl Strategy<Value = Invite> {
    let name = || prop_oneof![3 => select(["ada", "ben", "team", "*"].as_slice()).prop_map(str::to_owned), 1 => text(60)];
    (name(), name(), name(), name(), number_of(i64::MIN)).prop_map(|(namespace, room, id, participant, generation)| Invite {
        namespace,
        room,
        id,
        participant,
        generation,
        signed_by: None,
    })
}

#[test]
fn an_invite_is_read_as_it_was_signed_and_signed_again_as_it_was_read() {
    let (ring, _) = rings();
    fuzz(&invites(), |invite| {
        let token = ring.sign(&invite).unwrap();
        if token.len() <= MAX_LENGTH {
            let read = verify(&ring, &token);
            prop_assert_eq!(read.as_ref(), Ok(&invite));
            prop_assert_eq!(ring.sign(&read.unwrap()), Ok(token));
        } else {
            prop_assert_eq!(verify(&ring, &token), Err(InvalidInvite));
        }
        Ok(())
    });
}

#[test]
fn an_invite_that_was_changed_in_whatever_way_is_not_valid() {
    let (ring, foreign) = rings();
    fuzz(&((invites(), invites()), mutations(), any::<bool>()), |((one, other), changes, from_foreign)| {
        let genuine = [ring.sign(&one).unwrap(), ring.sign(&other).unwrap()];
        let forged = foreign.sign(&one).unwrap();
        let others = [genuine[1].clone(), forged.clone()].map(String::into_bytes);
        let from = if from_foreign { &forged } else { &genuine[0] };
        let changed = String::from_utf8_lossy(&mutated(from.as_bytes(), &others, &changes)).into_owned();
        match genuine.iter().position(|token| *token == changed) {
            // Changes may have made it what it was, or the other one.
            Some(number) if changed.len() <= MAX_LENGTH => prop_assert_eq!(verify(&ring, &changed), Ok([one, other][number].clone())),
            _ => prop_assert_eq!(ring.verify(&changed), Err(InvalidInvite), "{}", changed),
        }
        Ok(())
    });
}

#[test]
fn of_what_the_right_key_signed_only_the_form_of_an_invite_is_one_and_it_says_what_was_signed() {
    let ring = ring(&[("1.pem", OPENSSL_KEY)]);
    let replaced = proptest::collection::vec((any::<Index>(), json()), 0..3);
    fuzz(&(invites(), replaced, prop_oneof![3 => Just(None), 1 => json().prop_map(Some)]), |(invite, replaced, footer)| {
        let mut message = serde_json::to_value(&invite).unwrap();
        let keys: Vec<String> = message.as_object().unwrap().keys().cloned().collect();
        for (key, value) in replaced {
            message[key.get(&keys).as_str()] = value;
        }
        let footer = footer.map_or_else(|| r#"{"kid":"1"}"#.to_owned(), |footer| footer.to_string());
        if let Ok(read) = verify(&ring, &forge(&message.to_string(), Some(&footer), Some(PURPOSE))) {
            prop_assert_eq!(serde_json::to_value(read).unwrap(), message);
            prop_assert_eq!(&serde_json::from_str::<Value>(&footer).unwrap()["kid"], "1");
        }
        Ok(())
    });
}
