//! Why the API server refuses to write an invite Secret, as stable text that quotes nothing of the Secret.

use kube::Error;
use kube::core::Status;

use crate::api::{LABEL_ROOM_UID, Reason};
use crate::controller::request::failure_of;
use crate::domain::Failure;

/// What the admission policy of the chart says when it keeps an invite of another Room from being changed.
const POLICY_OF_THE_CHART: &str = "may not change an invite of another Room";

/// A refusal.
pub struct Refused {
    pub failure: Failure,
    /// Whether the Secret may be this Room's.
    pub is_ours: bool,
}

impl Refused {
    /// There is an invite of that name, and it is another Room's.
    pub fn of_another_room(name: &str) -> Self {
        let message = format!("the Secret \"{name}\" exists and its label {LABEL_ROOM_UID} does not name this Room; it is left untouched");
        Self { failure: Failure::rejected(Reason::NameConflict, message), is_ours: false }
    }

    fn of_another_type(name: &str) -> Self {
        let message = format!("the Secret \"{name}\" exists and is no invite; it is left untouched");
        Self { failure: Failure::rejected(Reason::NameConflict, message), is_ours: false }
    }

    fn because(message: String) -> Self {
        Self { failure: Failure::rejected(Reason::Refused, message), is_ours: true }
    }
}

/// Why the Secret of that name could not be written.
pub fn refused(name: &str, error: &Error) -> Refused {
    let told = match error {
        Error::Api(status) if matches!(status.code, 400 | 403 | 422) => told(name, status),
        _ => None,
    };
    told.unwrap_or_else(|| Refused { failure: failure_of(error), is_ours: true })
}

fn told(name: &str, status: &Status) -> Option<Refused> {
    let message = status.message.as_str();
    if message.contains(POLICY_OF_THE_CHART) {
        return Some(Refused::of_another_room(name));
    }
    let because = |why: String| Some(Refused::because(why));
    if let Some(policy) = quoted(message, "ValidatingAdmissionPolicy '", "'") {
        return because(format!("the admission policy \"{policy}\" does not allow the Secret \"{name}\""));
    }
    if let Some(webhook) = quoted(message, "admission webhook \"", "\"") {
        return because(format!("the admission webhook \"{webhook}\" does not allow the Secret \"{name}\""));
    }
    if let Some(quota) = quoted(message, "exceeded quota: ", ",") {
        return because(format!("the ResourceQuota \"{quota}\" has no room for the Secret \"{name}\""));
    }
    if let Some(verb) = quoted(message, "cannot ", " resource \"secrets\"") {
        return because(format!("the controller's role does not allow to {verb} Secrets; it must be that of the controller's version"));
    }
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    let fields: Vec<&str> = causes.iter().map(|cause| cause.field.as_str()).filter(|field| !field.is_empty()).collect();
    if fields.contains(&"type") {
        return Some(Refused::of_another_type(name));
    }
    if causes.iter().any(|cause| cause.message.contains("when `immutable` is set")) {
        // Whether it is this Room's cannot be found out without changing it.
        let message = format!("the Secret \"{name}\" exists and is immutable, so it cannot be brought up to date; delete it");
        return Some(Refused { is_ours: false, ..Refused::because(message) });
    }
    let field = fields.first()?;
    because(format!("the API server does not accept \"{}\" of the Secret \"{name}\"", field_of(field)))
}

/// A field without the keys in it, which may be long.
fn field_of(path: &str) -> &str {
    path.split('[').next().unwrap_or(path)
}

/// What stands between two texts, if it looks like the name of an object or a verb: other parts of an answer may quote the Secret.
fn quoted<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    let (name, _) = rest.split_once(after)?;
    let is_name = |character: char| character.is_ascii_alphanumeric() || "-._:".contains(character);
    (name.len() <= 253 && !name.is_empty() && name.chars().all(is_name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn answer(code: u16, message: &str, causes: &[(&str, &str)]) -> Error {
        let causes: Vec<_> = causes.iter().map(|(field, message)| json!({"field": field, "message": message})).collect();
        let status = json!({"code": code, "message": message, "reason": "Invalid", "details": {"causes": causes}});
        Error::Api(serde_json::from_value(status).unwrap())
    }

    const IMMUTABLE: &str = "Forbidden: field is immutable when `immutable` is set";

    #[rstest]
    #[case::type_and_more(422, "", &[("type", "field is immutable"), ("data", IMMUTABLE)], "NameConflict: the Secret \"s\" exists and is no invite; it is left untouched")]
    #[case::immutable(422, "", &[("data", IMMUTABLE)], "Refused: the Secret \"s\" exists and is immutable, so it cannot be brought up to date; delete it")]
    #[case::our_policy(
        422,
        "secrets \"s\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: the controller of Roomkeeper may not change an invite of another Room",
        &[],
        "NameConflict: the Secret \"s\" exists and its label roomkeeper.io/room-uid does not name this Room; it is left untouched"
    )]
    #[case::another_policy(
        422,
        "secrets \"s\" is forbidden: ValidatingAdmissionPolicy 'team-label' with binding 'b' denied request: not with url=https://secret",
        &[("", "not with url=https://secret")],
        "Refused: the admission policy \"team-label\" does not allow the Secret \"s\""
    )]
    #[case::webhook(403, "admission webhook \"kyverno.svc\" denied the request: x", &[], "Refused: the admission webhook \"kyverno.svc\" does not allow the Secret \"s\"")]
    #[case::quota(
        403,
        "secrets \"s\" is forbidden: exceeded quota: few, requested: secrets=1, used: secrets=5, limited: secrets=5",
        &[],
        "Refused: the ResourceQuota \"few\" has no room for the Secret \"s\""
    )]
    #[case::role_of_another_version(
        403,
        "secrets \"s\" is forbidden: User \"c\" cannot update resource \"secrets\" in API group \"\" in the namespace \"n\"",
        &[],
        "Refused: the controller's role does not allow to update Secrets; it must be that of the controller's version"
    )]
    #[case::a_field(422, "", &[("metadata.annotations[long]", "Too long")], "Refused: the API server does not accept \"metadata.annotations\" of the Secret \"s\"")]
    #[case::nothing_known(422, "what?", &[], "Refused: the API server refused a request with status 422 Invalid")]
    #[case::a_name_that_is_none(422, "ValidatingAdmissionPolicy 'a secret' denied", &[], "Refused: the API server refused a request with status 422 Invalid")]
    fn a_refusal_says_its_true_reason_and_nothing_of_the_secret(
        #[case] code: u16,
        #[case] message: &str,
        #[case] causes: &[(&str, &str)],
        #[case] told: &str,
    ) {
        let Refused { failure, is_ours } = refused("s", &answer(code, message, causes));
        assert_eq!(failure.to_string(), told);
        assert!(failure.needs_change());
        assert_eq!(is_ours, failure.reason == Reason::Refused && !told.contains("immutable"));
    }

    #[test]
    fn an_api_server_that_cannot_answer_is_asked_again() {
        assert!(!refused("s", &answer(503, "ValidatingAdmissionPolicy 'p' is not ready", &[])).failure.needs_change());
    }
}
