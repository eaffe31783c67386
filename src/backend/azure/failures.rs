//! What the answers of Azure Communication Services mean.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;

use crate::api::Reason;
use crate::domain::{Failure, FailureClass};
use crate::tls;

/// How far the clocks may be apart before a signature is refused for that: the service allows 15 minutes.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(10);

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Refused {
    pub status: StatusCode,
    /// Header `Retry-After`.
    pub retry_after: Option<Duration>,
    /// Header `Date`.
    pub date: Option<Timestamp>,
}

/// Classifies a refusal, which came at `now`. Whatever is not known is tried again.
pub(super) fn classify(refused: &Refused, now: Timestamp) -> Failure {
    match refused.status {
        StatusCode::UNAUTHORIZED if refused.date.is_some_and(|date| now.duration_since(date).abs() > CLOCKS_APART) => {
            Failure::unauthorized(
                "Azure Communication Services refuses the signature, because the clock of Roomkeeper's node is wrong by more than ten minutes",
            )
        }
        StatusCode::UNAUTHORIZED => Failure::unauthorized("Azure Communication Services refuses the access key or identity of the class"),
        StatusCode::FORBIDDEN => {
            Failure::unauthorized("Azure Communication Services forbids this to the access key or identity of the class")
        }
        StatusCode::TOO_MANY_REQUESTS => {
            let failure = transient("Azure Communication Services asks for fewer requests");
            Failure { class: FailureClass::Transient { after: refused.retry_after }, ..failure }
        }
        StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED | StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::PAYLOAD_TOO_LARGE => {
            Failure::rejected(Reason::Rejected, "Azure Communication Services refuses the request")
        }
        status if status.is_server_error() => {
            let failure = transient("Azure Communication Services met an error of its own");
            Failure { class: FailureClass::Transient { after: refused.retry_after }, ..failure }
        }
        _ => transient("Azure Communication Services answers with something that is not known"),
    }
}

/// No answer to a request.
pub(super) fn unanswered(error: &reqwest::Error) -> Failure {
    transient(match tls::certificate_error(error) {
        Some(_) => "the certificate of the endpoint is not trusted",
        None => "Azure Communication Services cannot be reached",
    })
}

/// The answer that there is no such thing, where there always is one.
pub(super) fn nothing_there() -> Failure {
    transient("there is no Azure Communication Services at the endpoint of the class")
}

/// An answer of another shape than the documented one.
pub(super) fn malformed() -> Failure {
    transient("the endpoint answers with something that is not the API of Azure Communication Services")
}

pub(super) fn transient(message: &str) -> Failure {
    Failure::transient(Reason::Unreachable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(status: u16) -> FailureClass {
        let status = StatusCode::from_u16(status).unwrap();
        classify(&Refused { status, retry_after: Some(Duration::from_secs(7)), date: None }, Timestamp::UNIX_EPOCH).class
    }

    #[test]
    fn every_status_has_the_class_that_fits_it() {
        let after = Some(Duration::from_secs(7));
        for (statuses, expected) in [
            (&[401, 403][..], FailureClass::Unauthorized),
            (&[400, 405, 413, 415], FailureClass::Rejected),
            (&[429, 500, 503], FailureClass::Transient { after }),
            (&[302, 409, 418], FailureClass::Transient { after: None }),
        ] {
            for status in statuses {
                assert_eq!(class_of(*status), expected, "{status}");
            }
        }
    }

    #[test]
    fn a_clock_that_is_wrong_is_told_from_a_wrong_key() {
        let now = Timestamp::from_second(10_000).unwrap();
        let message = |apart: i64| {
            let date = Some(Timestamp::from_second(10_000 + apart).unwrap());
            classify(&Refused { status: StatusCode::UNAUTHORIZED, retry_after: None, date }, now).message
        };
        assert!(message(1200).contains("clock") && message(-1200).contains("clock"));
        assert!(message(20).contains("access key"));
    }
}
