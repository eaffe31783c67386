mod fuzz;

use rstest::rstest;

use super::*;
use crate::fixtures;

/// Made by `openssl genpkey -algorithm ed25519`, for these tests only.
const OPENSSL_KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEILP9hY/8NsxZcnvk4JIfPx1hOWJoyM0T6HtpsYjXjs4n
-----END PRIVATE KEY-----
";
/// Its public key, by `openssl pkey -pubout -outform DER`, without the 12 bytes of header.
const OPENSSL_PUBLIC_KEY: [u8; 32] = [
    0xd9, 0x08, 0xe5, 0x4e, 0x00, 0x79, 0x23, 0xcc, 0xd8, 0x81, 0x3c, 0xe8, 0x5a, 0x5f, 0x69, 0xa2, 0xdd, 0xf4, 0xfe, 0x05, 0x44, 0x1d,
    0x48, 0xff, 0xdf, 0x94, 0x17, 0xec, 0x5c, 0x86, 0xa5, 0x9e,
];
/// Made by `openssl genpkey -algorithm x25519`: a key that cannot sign.
const X25519_KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VuBCIEIHCrmPbq4DmAGkhWBJeV2dFURFfylWuwWRo5ceP5qAR+
-----END PRIVATE KEY-----
";

fn invite() -> Invite {
    Invite { generation: 3, ..fixtures::invite("ada") }
}

fn read(entries: &[(&str, &str)], before: Option<&KeyRing>) -> (Result<KeyRing, KeyError>, Vec<KeyError>) {
    KeyRing::read(entries.iter().map(|(name, pem)| (*name, pem.as_bytes())), before)
}

fn ring(entries: &[(&str, &str)]) -> KeyRing {
    read(entries, None).0.unwrap()
}

fn ring_of(entries: &[&(String, String)]) -> KeyRing {
    ring(&entries.iter().map(|(name, pem)| (name.as_str(), pem.as_str())).collect::<Vec<_>>())
}

/// Who a token is for, whatever key signed it.
fn verify(ring: &KeyRing, token: &str) -> Result<Invite, InvalidInvite> {
    ring.verify(token).map(|invite| Invite { signed_by: None, ..invite })
}

/// A token of the right key with any content, as a bug or another program with the key could make it.
fn forge(message: &str, footer: Option<&str>, purpose: Option<&[u8]>) -> String {
    let key = Key::from_pem(OPENSSL_KEY.as_bytes()).unwrap();
    PublicToken::sign(&key.secret, message.as_bytes(), footer.map(str::as_bytes), purpose).unwrap()
}

#[test]
fn an_invite_says_again_who_it_is_for() {
    let ring = ring(&[("2030-01.pem", OPENSSL_KEY)]);
    assert_eq!(verify(&ring, &ring.sign(&invite()).unwrap()), Ok(invite()));
}

#[test]
fn the_same_person_gets_the_same_invite_from_every_version_of_roomkeeper() {
    let token = ring(&[("2030-01.pem", OPENSSL_KEY)]).sign(&invite()).unwrap();
    assert_eq!(token, GOLDEN);
    assert_eq!(ring(&[("2030-01.pem", OPENSSL_KEY)]).sign(&invite()).unwrap(), token);
}

#[test]
fn everything_an_invite_says_changes_it() {
    let ring = ring(&[("1.pem", OPENSSL_KEY)]);
    let changes: [fn(&mut Invite); 5] = [
        |invite| invite.namespace = "other".into(),
        |invite| invite.room = "retro".into(),
        |invite| invite.id = "0123456789abcdef".into(),
        |invite| invite.participant = "bob".into(),
        |invite| invite.generation = 4,
    ];
    let mut tokens = vec![ring.sign(&invite()).unwrap()];
    for change in changes {
        let mut invite = invite();
        change(&mut invite);
        let token = ring.sign(&invite).unwrap();
        assert_eq!(verify(&ring, &token), Ok(invite));
        tokens.push(token);
    }
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 6);
}

#[test]
fn any_paseto_library_can_check_an_invite_with_the_public_key() {
    let token = ring(&[("1.pem", OPENSSL_KEY)]).sign(&invite()).unwrap();
    let token = UntrustedToken::<Public, V4>::try_from(token.as_str()).unwrap();
    let public = AsymmetricPublicKey::from(&OPENSSL_PUBLIC_KEY).unwrap();
    let verified = PublicToken::verify(&public, &token, None, Some(b"roomkeeper.io/invite/v1")).unwrap();
    let expected = r#"{"ns":"team","room":"standup","id":"11111111-2222-3333-4444-555555555555","sub":"ada","gen":3}"#;
    assert_eq!(verified.payload(), expected);
}

#[test]
fn an_invite_that_is_cut_off_anywhere_is_not_valid() {
    let ring = ring(&[("1.pem", OPENSSL_KEY)]);
    let token = ring.sign(&invite()).unwrap();
    for length in 0..token.len() {
        assert_eq!(verify(&ring, &token[..length]), Err(InvalidInvite), "{length} of {} bytes", token.len());
    }
    assert_eq!(verify(&ring, &format!("{token}A")), Err(InvalidInvite));
}

#[test]
fn an_invite_with_any_one_bit_flipped_is_not_valid() {
    let ring = ring(&[("1.pem", OPENSSL_KEY)]);
    let token = ring.sign(&invite()).unwrap();
    for position in 0..token.len() * 8 {
        let mut flipped = token.clone().into_bytes();
        flipped[position / 8] ^= 1 << (position % 8);
        if let Ok(flipped) = String::from_utf8(flipped) {
            assert_eq!(verify(&ring, &flipped), Err(InvalidInvite), "bit {position}");
        }
    }
}

#[test]
fn an_invite_of_another_key_is_not_valid_even_under_the_same_id() {
    let ring = ring(&[("1.pem", OPENSSL_KEY)]);
    for id in ["1", "2"] {
        let token = ring_of(&[&generate_key(id)]).sign(&invite()).unwrap();
        assert_eq!(verify(&ring, &token), Err(InvalidInvite), "key id {id}");
    }
}

#[rstest]
#[case::other_purpose(Some(&b"roomkeeper.io/session/v1"[..]))]
#[case::later_version(Some(&b"roomkeeper.io/invite/v2"[..]))]
#[case::no_purpose(None)]
fn a_token_that_the_same_key_signed_for_another_purpose_is_not_an_invite(#[case] purpose: Option<&[u8]>) {
    let message = serde_json::to_string(&invite()).unwrap();
    assert_eq!(verify(&ring(&[("1.pem", OPENSSL_KEY)]), &forge(&message, Some(r#"{"kid":"1"}"#), purpose)), Err(InvalidInvite));
}

#[rstest]
#[case::no_key_id("whole", None)]
#[case::empty_footer("whole", Some("{}"))]
#[case::footer_of_another_form("whole", Some("1"))]
#[case::unknown_key_id("whole", Some(r#"{"kid":"2"}"#))]
#[case::no_json("ada", Some(r#"{"kid":"1"}"#))]
#[case::missing_field(r#"{"ns":"team","room":"standup","id":"x","sub":"ada"}"#, Some(r#"{"kid":"1"}"#))]
#[case::wrong_type(r#"{"ns":"team","room":"standup","id":"x","sub":"ada","gen":"3"}"#, Some(r#"{"kid":"1"}"#))]
fn a_token_of_another_form_is_not_valid(#[case] message: &str, #[case] footer: Option<&str>) {
    let whole = serde_json::to_string(&invite()).unwrap();
    let token = forge(if message == "whole" { &whole } else { message }, footer, Some(PURPOSE));
    assert_eq!(verify(&ring(&[("1.pem", OPENSSL_KEY)]), &token), Err(InvalidInvite));
}

#[rstest]
#[case("")]
#[case(".")]
#[case("v4.public.")]
#[case("v4.public.AAAA.AAAA")]
#[case("eyJhbGciOiJub25lIn0.e30.")]
#[case("ü")]
fn what_is_no_token_is_not_valid(#[case] token: &str) {
    assert_eq!(verify(&ring(&[("1.pem", OPENSSL_KEY)]), token), Err(InvalidInvite));
}

#[test]
fn the_longest_names_fit_and_what_is_longer_is_not_looked_at() {
    let longest = Invite {
        namespace: "n".repeat(63),
        room: "r".repeat(63),
        id: "i".repeat(64),
        participant: format!("guest-{}", "p".repeat(63)),
        generation: i64::MAX,
        signed_by: None,
    };
    // The name of an entry of a Secret has at most 253 characters.
    let ring = ring(&[(&format!("{}.pem", "k".repeat(249)), OPENSSL_KEY)]);
    assert_eq!(verify(&ring, &ring.sign(&longest).unwrap()), Ok(longest.clone()));
    let too_long = Invite { namespace: "n".repeat(2048), ..longest };
    assert_eq!(verify(&ring, &ring.sign(&too_long).unwrap()), Err(InvalidInvite));
}

#[test]
fn the_newest_key_signs_and_older_ones_verify_until_they_are_removed() {
    let (old, new) = (generate_key("2030-01"), generate_key("2030-02"));
    let token = ring_of(&[&old]).sign(&invite()).unwrap();

    for both in [ring_of(&[&old, &new]), ring_of(&[&new, &old])] {
        assert_eq!(both.signing_key_id(), "2030-02");
        assert_eq!(verify(&both, &token), Ok(invite()));
        let newer = both.sign(&invite()).unwrap();
        assert_ne!(newer, token);
        assert_eq!(verify(&ring_of(&[&new]), &newer), Ok(invite()));
    }
    assert_eq!(verify(&ring_of(&[&new]), &token), Err(InvalidInvite));
}

#[test]
fn who_came_by_an_invite_of_a_key_is_known_by_it_until_it_is_removed_or_replaced_under_its_id() {
    let (old, new, other) = (generate_key("1"), generate_key("2"), generate_key("1"));
    let signed_by = ring_of(&[&old]).verify(&ring_of(&[&old]).sign(&invite()).unwrap()).unwrap().signed_by;
    let after = |before: &KeyRing, keys: &[&(String, String)]| {
        let entries = keys.iter().map(|(name, pem)| (name.as_str(), pem.as_bytes()));
        KeyRing::read(entries, Some(before)).0.unwrap()
    };
    let first = ring_of(&[&old]);
    assert!(first.holds(signed_by.as_deref()) && first.holds(None));
    let both = after(&first, &[&old, &new]);
    assert!(both.holds(signed_by.as_deref()), "another one signs, and this one is in force");
    assert!(both.holds(None), "whoever came before it was recorded stays while no key is lost");
    for lost in [after(&both, &[&new]), after(&both, &[&other, &new])] {
        assert!(!lost.holds(signed_by.as_deref()));
        assert!(!lost.holds(None) && !after(&lost, &[&new]).holds(None), "it may have been that key's");
        let again = after(&lost, &[&old, &new]);
        assert!(again.holds(signed_by.as_deref()), "its content counts, so it may come back");
    }
}

#[rstest]
#[case::garbage("garbage")]
#[case::empty("")]
#[case::key_that_cannot_sign(X25519_KEY)]
#[case::public_key("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA2QjlTgB5I8zYgTzoWl9pot30/gVEHUj/35QX7FyGpZ4=\n-----END PUBLIC KEY-----\n")]
#[case::cut_off("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEILP9hY/8NsxZcnvk4JIfPx1hOWJo\n-----END PRIVATE KEY-----\n")]
fn an_entry_that_is_no_key_is_named_and_not_quoted_and_the_others_are_used(#[case] pem: &str) {
    let (ring, unusable) = read(&[("1.pem", OPENSSL_KEY), ("2.pem", pem)], None);
    assert_eq!(ring.unwrap().signing_key_id(), "1");
    assert_eq!(unusable, [KeyError::NotAKey("2.pem".into())]);
    let message = unusable[0].to_string();
    assert!(message.contains("entry 2.pem") && !message.contains("BEGIN") && !message.contains("MC4C"), "{message}");
}

#[test]
fn an_entry_that_is_not_text_is_no_key() {
    let (ring, unusable) = KeyRing::read([("1.pem", &[0xff, 0xfe][..])], None);
    assert_eq!((ring.err(), unusable), (Some(KeyError::NoKeys), vec![KeyError::NotAKey("1.pem".into())]));
}

#[test]
fn a_key_whose_entry_was_spoilt_stays_until_the_entry_is_removed_or_holds_another() {
    let good = ring(&[("1.pem", OPENSSL_KEY), ("2.pem", OPENSSL_KEY)]);
    let (spoilt, unusable) = read(&[("1.pem", "spoilt"), ("2.pem", "spoilt"), ("3.pem", "never a key")], Some(&good));
    assert!(spoilt.as_ref().unwrap().same_keys(&good));
    assert_eq!(unusable.len(), 3);
    let (removed, _) = read(&[("1.pem", "spoilt")], spoilt.as_ref().ok());
    assert_eq!(removed.as_ref().unwrap().signing_key_id(), "1");
    let other = generate_key("1");
    let (replaced, unusable) = read(&[(&other.0, &other.1)], removed.as_ref().ok());
    assert!(unusable.is_empty() && !replaced.unwrap().same_keys(&removed.unwrap()));
}

#[test]
fn entries_that_are_no_pem_files_are_left_alone_but_one_key_there_must_be() {
    assert_eq!(ring(&[("README", "text"), ("1.pem", OPENSSL_KEY), ("9.pem.bak", "")]).signing_key_id(), "1");
    assert_eq!(read(&[("README", "text")], None).0.err(), Some(KeyError::NoKeys));
}

#[test]
fn keys_are_read_with_line_ends_of_any_system() {
    let ring = ring(&[("1.pem", OPENSSL_KEY.trim_end()), ("2.pem", &OPENSSL_KEY.replace('\n', "\r\n"))]);
    assert_eq!(verify(&ring, &forge(&serde_json::to_string(&invite()).unwrap(), Some(r#"{"kid":"2"}"#), Some(PURPOSE))), Ok(invite()));
}

#[test]
fn new_keys_can_be_read_again_and_are_never_the_same() {
    let (name, pem) = generate_key("2030-01");
    assert_eq!(name, "2030-01.pem");
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    let token = ring(&[(&name, &pem)]).sign(&invite()).unwrap();
    assert_eq!(ring(&[(&name, &pem)]).sign(&invite()).unwrap(), token);
    assert_ne!(ring_of(&[&generate_key("2030-01")]).sign(&invite()).unwrap(), token);
}

#[test]
fn telling_that_a_token_is_no_invite_takes_as_long_as_telling_that_it_is_one() {
    let ring = ring_of(&[&generate_key("1")]);
    let good = ring.sign(&invite()).unwrap();
    let foreign = ring_of(&[&generate_key("1")]).sign(&invite()).unwrap();
    let unknown_key = ring_of(&[&generate_key("2")]).sign(&invite()).unwrap();
    let longer = "a".repeat(MAX_LENGTH + 1);
    // The shortest of many times has the least of what else goes on in this machine.
    let time = |token: &str| {
        let times = (0..300).map(|_| {
            let started = crate::clock::now();
            let _ = ring.verify(token);
            crate::clock::now().duration_since(started)
        });
        times.min().unwrap().as_nanos()
    };
    let expected = time(&good);
    for token in ["", "garbage", "v4.public.", &good[1..], &good.replace("public", "local"), &longer, &foreign, &unknown_key] {
        let took = time(token);
        assert!(took * 2 > expected && took < expected * 2, "{took} ns and {expected} ns: {token}");
    }
}

/// The invite of these tests as it was first issued. Were it ever another, all join links would change with an upgrade.
const GOLDEN: &str = "v4.public.eyJucyI6InRlYW0iLCJyb29tIjoic3RhbmR1cCIsImlkIjoiMTExMTExMTEtMjIyMi0zMzMzLTQ0NDQtNTU1NTU1NTU1NTU1Iiwic3ViIjoiYWRhIiwiZ2VuIjozfXode3TMAv0eE5KP82W3BnFNLUQZn0NBXZDOKlXlLcsoUn-HLuRz_C6Sriblty09cZoMjBtBM1Itbl6zRzHTjQQ.eyJraWQiOiIyMDMwLTAxIn0";
