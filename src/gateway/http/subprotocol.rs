//! The media token as a WebSocket subprotocol. Browsers can set no header of a WebSocket but this one, and unlike the address it is in no
//! proxy's access log. Kubernetes takes bearer tokens from browsers in the same way.

use axum::http::HeaderMap;
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;

/// What a client offers, and is answered with, when its media token is among the subprotocols.
pub const SUBPROTOCOL: &str = "roomkeeper";
/// What comes before the token in a subprotocol of its own.
const BEARER: &str = "roomkeeper.bearer.";

/// The media token among the subprotocols that a client offers.
pub fn token_among_subprotocols(headers: &HeaderMap) -> Option<String> {
    offered(headers).find_map(|protocol| protocol.strip_prefix(BEARER)).map(str::to_owned)
}

/// Whether the client offers [`SUBPROTOCOL`]. Browsers fail a connection whose answer takes none of what was offered.
pub fn offers_subprotocol(headers: &HeaderMap) -> bool {
    offered(headers).any(|protocol| protocol == SUBPROTOCOL)
}

fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_is_found_wherever_it_stands_among_what_is_offered() {
        for (offers, token) in [
            (&["roomkeeper, roomkeeper.bearer.a.b-c._d"][..], Some("a.b-c._d")),
            (&["roomkeeper.bearer.a.b.c,roomkeeper"], Some("a.b.c")),
            (&["roomkeeper", "roomkeeper.bearer.a.b.c"], Some("a.b.c")),
            (&["roomkeeper, chat"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for offer in offers {
                headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(offer));
            }
            assert_eq!(token_among_subprotocols(&headers).as_deref(), token, "{offers:?}");
            assert_eq!(offers_subprotocol(&headers), !offers.is_empty(), "{offers:?}");
        }
    }
}
