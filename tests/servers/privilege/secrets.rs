//! Secrets, and where they are found in a text, in whatever form.

use std::collections::{BTreeMap, HashMap};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What invites begin with.
const INVITE: &str = "v4.public.";
/// So much of the end of a secret is looked for: of a token it is a part of the signature, without which nothing can be done with it.
const END: usize = 32;
/// So many bytes decide where more is compared.
const BEGINNING: usize = 8;
/// Characters of the text that are told before a secret.
const CONTEXT: usize = 160;

/// Secrets by their values, with what each of them is.
#[derive(Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// From now on this is one, but for what comes after the signature of an invite: the id of the key, which all invites share.
    pub fn add(&mut self, what: &str, secret: &str) {
        let signed = secret.strip_prefix(INVITE).and_then(|rest| rest.split('.').next());
        let secret = signed.map_or(secret, |signed| &secret[..INVITE.len() + signed.len()]);
        assert!(secret.len() >= END, "{what} is too short to be told from others");
        self.0.entry(secret.to_owned()).or_insert_with(|| what.to_owned());
    }

    /// Which of them are in a text, but for those that belong there.
    pub fn found_in(&self, place: &str, text: &str, belong: &[String]) -> Vec<String> {
        let forms: Vec<(&str, String)> = self
            .0
            .iter()
            .filter(|(secret, _)| !belong.iter().any(|token| token.starts_with(secret.as_str())))
            .flat_map(|(secret, what)| forms(secret).into_iter().map(|form| (what.as_str(), form)))
            .collect();
        let mut by_beginning = HashMap::<&[u8], Vec<usize>>::new();
        let mut begins = vec![false; 1 << 16];
        for (number, (_, form)) in forms.iter().enumerate() {
            by_beginning.entry(&form.as_bytes()[..BEGINNING]).or_default().push(number);
            begins[pair(form.as_bytes())] = true;
        }
        let bytes = text.as_bytes();
        let mut found = BTreeMap::new();
        for at in (0..bytes.len().saturating_sub(BEGINNING)).filter(|at| begins[pair(&bytes[*at..])]) {
            for number in by_beginning.get(&bytes[at..at + BEGINNING]).into_iter().flatten() {
                if bytes[at..].starts_with(forms[*number].1.as_bytes()) {
                    let before = String::from_utf8_lossy(&bytes[at.saturating_sub(CONTEXT)..at]).into_owned();
                    found.entry(*number).or_insert(before);
                }
            }
        }
        found.into_iter().map(|(number, before)| format!("{} in {place}, after: {before}", forms[number].0)).collect()
    }
}

fn pair(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// The end of a secret in the forms that it may be written in: as it is, in lower case, in an address, as bytes, and in base64, wherever in
/// what is encoded it begins.
fn forms(secret: &str) -> Vec<String> {
    let end = secret.get(secret.len() - END..).expect("ASCII");
    let bytes = end.as_bytes();
    let hex = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let mut forms = vec![
        end.to_owned(),
        end.to_ascii_lowercase(),
        form_urlencoded::byte_serialize(bytes).collect(),
        end.replace(' ', "%20"),
        hex,
        format!("{bytes:?}").trim_matches(['[', ']']).to_owned(),
    ];
    for shift in 0..3 {
        let whole = &bytes[shift..shift + (END - shift) / 3 * 3];
        forms.extend([STANDARD_NO_PAD.encode(whole), URL_SAFE_NO_PAD.encode(whole)]);
    }
    forms.sort();
    forms.dedup();
    forms
}

#[test]
fn a_secret_is_found_in_every_form_wherever_it_stands() {
    let mut secrets = Secrets::default();
    let secret = "eyJhbGciOiJIUzI1NiJ9.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    secrets.add("a token", secret);
    for before in ["", "a", "ab", "abc"] {
        let text = format!("{before}{secret} and more");
        for form in [text.clone(), text.to_lowercase(), STANDARD_NO_PAD.encode(&text), format!("{:?}", text.as_bytes())] {
            assert_eq!(secrets.found_in("here", &form, &[]).len(), 1, "{form}");
        }
        assert!(secrets.found_in("here", &text, &[secret.to_owned()]).is_empty(), "it belongs there");
    }
    assert!(secrets.found_in("here", &secret[..secret.len() - 1], &[]).is_empty());
    let (payload, footer) = ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789012345678901234567890123456789");
    secrets.add("an invite", &format!("v4.public.{payload}.{footer}"));
    assert!(secrets.found_in("here", footer, &[]).is_empty(), "it is no secret");
    assert_eq!(secrets.found_in("here", payload, &[]).len(), 1);
}
