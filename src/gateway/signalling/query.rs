//! The query of a signalling request: the media token in it, and what is passed on to the media server.

use axum::http::StatusCode;
use reqwest::Url;

use crate::gateway::http::Problem;

/// Parameter with the media token.
const TOKEN: &str = "access_token";
/// Parameter by which LiveKit makes somebody a second identity, whom no list names.
const SECOND_IDENTITY: &str = "publish";

/// The media token in a query.
pub fn token_in(query: &str) -> Option<String> {
    parameters(query).find(|(key, _)| key == TOKEN).map(|(_, token)| token)
}

/// The address at the media server, with all of the query but the token.
pub fn address(upstream: &str, path: &str, query: &str) -> Result<Url, Problem> {
    let mut url = Url::parse(upstream).map_err(|_| Problem::UNAVAILABLE)?;
    url.set_path(path);
    let passed: Vec<_> = parameters(query).filter(|(key, _)| key != TOKEN).collect();
    if passed.iter().any(|(key, _)| key == SECOND_IDENTITY) {
        return Err(Problem::of_status(StatusCode::BAD_REQUEST));
    }
    if !passed.is_empty() {
        url.query_pairs_mut().extend_pairs(passed);
    }
    Ok(url)
}

/// The parameters of a query, decoded.
fn parameters(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    form_urlencoded::parse(query.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    mod fuzz;

    use super::*;

    #[test]
    fn all_of_the_query_but_the_token_is_passed_on() {
        let url = address("http://media:7880", "/rtc", "access_token=a%2Fb&sdk=js&name=A%20%C3%BC%2B&empty=").unwrap();
        assert_eq!(url.as_str(), "http://media:7880/rtc?sdk=js&name=A+%C3%BC%2B&empty=");
        assert_eq!(token_in("sdk=js&access_token=a%2Fb").as_deref(), Some("a/b"));
        assert_eq!(token_in("sdk=js&access%5Ftoken=other").as_deref(), Some("other"), "decoded first, as media servers do");
        assert_eq!(token_in("sdk=js"), None);
    }

    #[test]
    fn nobody_gets_a_second_identity_however_the_parameter_is_written() {
        for query in ["publish=x", "sdk=js&publish=", "%70ublish=x", "publish"] {
            assert!(address("http://media:7880", "/rtc", query).is_err(), "{query}");
        }
    }
}
