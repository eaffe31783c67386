//! What it costs to judge invites that nobody has issued.

use roomkeeper::domain::{Invite, KeyRing, generate_key};

use crate::spread::{self, Unit};
use crate::support::now;

/// Invites that nobody was given, each a little different from one that somebody was.
pub fn invites() {
    let (ours, theirs) = (generate_key("1"), generate_key("1"));
    let ring = |(name, pem): &(String, String)| KeyRing::read([(name.as_str(), pem.as_bytes())], None).0.expect("a key");
    let (ours, theirs) = (ring(&ours), ring(&theirs));
    let (mut accepted, mut took) = (0, Vec::new());
    for number in 0..100_000_usize {
        let invite = Invite {
            namespace: "board".into(),
            room: "board-meeting".into(),
            id: "11111111-2222-3333-4444-555555555555".into(),
            participant: format!("person-{number}"),
            generation: 0,
            signed_by: None,
        };
        let good = ours.sign(&invite).expect("an invite");
        let token = match number % 5 {
            0 => theirs.sign(&invite).expect("an invite"),
            // One character of payload or signature.
            1 => {
                let at = "v4.public.".len() + number % (good.len() - "v4.public.".len() - 20);
                let other = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
                format!("{}{other}{}", &good[..at], &good[at + 1..])
            }
            2 => good[..good.len() - 1 - number % 40].to_owned(),
            3 => good.replace("v4.public", "v4.local"),
            _ => format!("{number:x}").repeat(20),
        };
        let started = now();
        accepted += usize::from(ours.verify(&token).is_ok());
        took.push(now().duration_since(started));
    }
    println!("100,000 forged or near-miss invites: {accepted} accepted");
    spread::print("  one judgement", took, Unit::Micros);
}
