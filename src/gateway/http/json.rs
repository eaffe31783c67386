//! Bodies of requests: small, JSON, and nothing in them that is not known.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use crate::gateway::http::problem::Problem;

/// A body as a type, which should refuse fields that it does not know. An empty body is an empty object.
pub struct StrictJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for StrictJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = request.headers().get(CONTENT_TYPE).is_some_and(|value| {
            let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            essence.trim().eq_ignore_ascii_case("application/json")
        });
        let body = Bytes::from_request(request, state).await.map_err(|rejection| Problem::of_status(rejection.status()))?;
        if body.is_empty() {
            return read(b"{}");
        }
        if !is_json {
            return Err(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        read(&body)
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<StrictJson<T>, Problem> {
    // A list would pass for an object whose fields come in order.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::bad_request("The body is not a JSON object.".into()));
    }
    serde_json::from_slice(body).map(StrictJson).map_err(|error| Problem::bad_request(format!("The body cannot be read: {error}.")))
}

/// A name that others see: 1 to 128 characters, none of which controls anything.
pub fn display_name(given: Option<&str>) -> Result<String, Problem> {
    let name = given.unwrap_or_default().trim();
    let length = name.chars().count();
    if !(1..=LONGEST_NAME).contains(&length) {
        return Err(Problem::bad_request(format!("displayName: has {length} characters; 1 to {LONGEST_NAME} are needed.")));
    }
    if let Some(wrong) = name.chars().find(|character| controls(*character)) {
        let code = u32::from(wrong);
        return Err(Problem::bad_request(format!("displayName: the character U+{code:04X} is not allowed, because it is not seen.")));
    }
    Ok(name.to_owned())
}

/// Longest name, in characters, as in manifests.
const LONGEST_NAME: usize = 128;

/// Characters that are not seen themselves but change how what is around them looks: they would let one pass for another.
fn controls(character: char) -> bool {
    let invisible = matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    character.is_control() || invisible
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Ann", "Ann")]
    #[case("  Dr. Zoë Müller ", "Dr. Zoë Müller")]
    #[case("علي", "علي")]
    #[case("👩‍⚕️", "👩‍⚕️")]
    fn a_name_of_any_language_is_taken(#[case] given: &str, #[case] taken: &str) {
        assert_eq!(display_name(Some(given)).unwrap(), taken);
    }

    #[test]
    fn a_name_that_is_missing_too_long_or_not_seen_is_refused_by_name_and_limit() {
        let long = "x".repeat(129);
        for given in [None, Some(""), Some("   "), Some(long.as_str()), Some("a\u{202e}b"), Some("a\nb"), Some("\u{200b}"), Some("a\0")] {
            assert!(display_name(given).is_err(), "{given:?}");
        }
        assert_eq!(display_name(Some(&"ü".repeat(128))).unwrap().chars().count(), 128);
    }
}
