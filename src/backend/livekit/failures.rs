//! What LiveKit's errors mean.

use livekit_api::services::{ServerError, ServerErrorCode, ServiceError};
use rustls::CertificateError;

use crate::api::Reason;
use crate::domain::Failure;
use crate::tls;

/// No answer, or one that says it is the server's own trouble.
pub(super) fn unreachable() -> Failure {
    Failure::transient(Reason::Unreachable, "the media server cannot be reached")
}

/// No answer to a request: what is told apart is what somebody has to see to.
pub(super) fn unanswered(error: &reqwest::Error) -> Failure {
    match tls::certificate_error(error) {
        Some(error) => Failure::transient(Reason::Unreachable, refusal_of(error)),
        None => unreachable(),
    }
}

fn refusal_of(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::UnknownIssuer => {
            "the certificate of the media server is not trusted: it was issued by no authority that Roomkeeper knows"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate of the media server has expired",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate of the media server is not for the host of its URL"
        }
        _ => "the certificate of the media server is not trusted",
    }
}

/// An answer that LiveKit would not give: that of a proxy, or of something else at this address.
pub(super) fn foreign() -> Failure {
    Failure::transient(Reason::Unreachable, "the media server answered with something that is not LiveKit's API")
}

/// A refusal of the API key or secret.
pub(super) fn unauthorized() -> Failure {
    Failure::unauthorized("the media server refuses the API key and secret of the class")
}

/// Classifies an error of the API. Whatever is not known is tried again.
pub(super) fn classify(error: &ServiceError) -> Failure {
    match error {
        ServiceError::Twirp(ServerError::Twirp(answer)) => by_code(&answer.code),
        ServiceError::Twirp(ServerError::Prost(_)) => foreign(),
        error if lost_its_status(error) => foreign(),
        ServiceError::Twirp(ServerError::Request(error)) => unanswered(error),
        _ => unreachable(),
    }
}

/// Whether the server answered with an error that is not in the API's format, of which livekit-api drops status and text.
/// LiveKit itself answers so when it does not know the API key.
pub(super) fn lost_its_status(error: &ServiceError) -> bool {
    matches!(error, ServiceError::Twirp(ServerError::Request(error)) if error.is_decode())
}

/// Whether the room or person that was asked about does not exist.
pub(super) fn is_absent(error: &ServiceError) -> bool {
    matches!(error, ServiceError::Twirp(ServerError::Twirp(answer)) if answer.code == ServerErrorCode::NOT_FOUND)
}

/// Whether the server of a LiveKit cluster that has a room or a person did not answer to the one that was asked: it may be dead.
pub(super) fn is_unanswered(error: &ServiceError) -> bool {
    matches!(error, ServiceError::Twirp(ServerError::Twirp(answer)) if answer.code == ServerErrorCode::UNAVAILABLE)
}

fn by_code(code: &str) -> Failure {
    match code {
        ServerErrorCode::UNAUTHENTICATED | ServerErrorCode::PERMISSION_DENIED => unauthorized(),
        ServerErrorCode::INVALID_ARGUMENT
        | ServerErrorCode::MALFORMED
        | ServerErrorCode::OUT_OF_RANGE
        | ServerErrorCode::FAILED_PRECONDITION
        | ServerErrorCode::ALREADY_EXISTS
        | ServerErrorCode::UNIMPLEMENTED => Failure::rejected(Reason::Rejected, "the media server refuses the request"),
        ServerErrorCode::RESOURCE_EXHAUSTED => {
            Failure::transient(Reason::Unreachable, "the media server has no capacity left at the moment")
        }
        ServerErrorCode::BAD_ROUTE => foreign(),
        ServerErrorCode::INTERNAL | ServerErrorCode::UNKNOWN | ServerErrorCode::DATA_LOSS => {
            Failure::transient(Reason::Unreachable, "the media server met an error of its own")
        }
        _ => unreachable(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::domain::FailureClass;

    fn class_of(code: &str) -> FailureClass {
        let answer = ServerErrorCode { code: code.to_owned(), msg: "room rk-1 has no …".to_owned(), meta: HashMap::new() };
        let failure = classify(&ServiceError::Twirp(ServerError::Twirp(answer)));
        assert!(!failure.message.contains("rk-1"), "the server's own text is not repeated: {failure}");
        failure.class
    }

    #[test]
    fn a_refused_certificate_is_told_with_what_is_wrong_with_it() {
        for (error, wanted) in [
            (CertificateError::UnknownIssuer, "issued by no authority"),
            (CertificateError::Expired, "has expired"),
            (CertificateError::NotValidForName, "not for the host of its URL"),
            (CertificateError::BadSignature, "is not trusted"),
        ] {
            assert!(refusal_of(&error).contains(wanted), "{error:?}");
        }
    }

    #[test]
    fn refused_credentials_are_unauthorized() {
        assert_eq!(class_of("unauthenticated"), FailureClass::Unauthorized);
        assert_eq!(class_of("permission_denied"), FailureClass::Unauthorized);
    }

    #[test]
    fn requests_that_can_never_work_are_rejected() {
        for code in ["invalid_argument", "malformed", "out_of_range", "unimplemented", "failed_precondition"] {
            assert_eq!(class_of(code), FailureClass::Rejected, "{code}");
        }
    }

    #[test]
    fn everything_else_is_tried_again() {
        for code in
            ["unavailable", "deadline_exceeded", "resource_exhausted", "internal", "unknown", "aborted", "bad_route", "never heard of"]
        {
            assert_eq!(class_of(code), FailureClass::Transient { after: None }, "{code}");
        }
    }
}
