//! Secrets outside of Roomkeeper's own namespace: nobody with the token of one of its accounts sees or changes one that is no invite, and
//! the controller itself touches none that is not its Room's. How far that holds by RBAC alone, and how far by the admission policy.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, stream};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::client::Body;
use kube::{Api, Client, ResourceExt};
use roomkeeper::api::{Phase, RoomStatus};
use serde_json::{Value, json};

use super::odd_requests::{Odd, odd_requests};
use crate::support::cluster::{client, install};
use crate::support::operator::Role;
use crate::support::stage::{PATIENCE, Place, Stage, condition, value};
use crate::support::{eventually, run};

/// What only its owner may see. It is a value, an annotation and a label of each foreign Secret.
const CANARY: &str = "Canary7f3a91d2c4";
/// Name of the policy and its binding, as the chart gives it.
const POLICY: &str = "roomkeeper-controller-secrets";
/// A foreign Secret that has a finalizer, so that a deletion is answered with it.
const HELD: &str = "held";
/// Requests under way at the same time.
const AT_ONCE: usize = 12;

/// Secrets of somebody else, of every kind that there is a special rule for.
async fn make_foreign(admin: &Client, namespace: &str) {
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer"}});
    let accounts = Api::<ServiceAccount>::namespaced(admin.clone(), namespace);
    accounts.create(&PostParams::default(), &serde_json::from_value(account).expect("an account")).await.expect("the account");
    let tls = json!({"tls.crt": STANDARD.encode(CANARY), "tls.key": STANDARD.encode(CANARY)});
    let password = json!({"password": STANDARD.encode(CANARY)});
    for (name, kind, data, more) in [
        ("password", "Opaque", &password, json!({})),
        ("sealed", "Opaque", &password, json!({"immutable": true})),
        (HELD, "Opaque", &password, json!({})),
        ("certificate", "kubernetes.io/tls", &tls, json!({})),
        ("token", "kubernetes.io/service-account-token", &password, json!({})),
    ] {
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "data": data, "metadata": {"name": name,
            "labels": {"example.org/note": CANARY}, "annotations": {"example.org/note": CANARY, "kubernetes.io/service-account.name": "deployer"},
            "finalizers": if name == HELD { json!(["example.org/held"]) } else { json!([]) }}});
        secret.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let secrets = Api::<Secret>::namespaced(admin.clone(), namespace);
        secrets.create(&PostParams::default(), &serde_json::from_value(secret).expect("a Secret")).await.expect("the Secret");
    }
}

/// The foreign Secrets by name, as they are at the moment.
async fn foreign(admin: &Client, namespace: &str) -> BTreeMap<String, Secret> {
    let secrets = Api::<Secret>::namespaced(admin.clone(), namespace).list(&ListParams::default()).await.expect("the Secrets");
    let is_foreign = |secret: &Secret| secret.annotations().contains_key("example.org/note");
    secrets.items.into_iter().filter(is_foreign).map(|secret| (secret.name_any(), secret)).collect()
}

/// The answer to a request: its status, and all of it as text.
async fn answer(client: &Client, odd: &Odd) -> (u16, String) {
    let request = odd
        .headers
        .iter()
        .fold(axum::http::Request::builder().method(odd.method).uri(&odd.path), |request, (name, value)| request.header(*name, *value));
    let request = request.body(Body::from(odd.body.clone())).expect("a request");
    match client.send(request).await {
        Ok(response) => {
            let (head, body) = response.into_parts();
            let body = body.collect_bytes().await.map(|body| body.to_vec()).unwrap_or_default();
            (head.status.as_u16(), format!("{head:?} {}", String::from_utf8_lossy(&body)))
        }
        Err(error) => (0, format!("{error:?}")),
    }
}

fn shows_the_canary(answer: &str) -> bool {
    answer.contains(CANARY) || answer.contains(&STANDARD.encode(CANARY))
}

/// What RBAC alone does not keep from whoever may update and delete Secrets: only what says that it is an invite replaces no other Secret,
/// and a deletion in the foreground, or of what has a finalizer, is answered with the Secret.
fn needs_the_policy(odd: &Odd) -> bool {
    let text = format!("{} {}", odd.path, String::from_utf8_lossy(&odd.body));
    let shows = text.contains("Foreground") || text.contains("rphan") || odd.target == HELD;
    match odd.method {
        "PUT" => !odd.is_dry && !text.contains("roomkeeper.io/invite"),
        "DELETE" => odd.path.contains("/secrets/") && (!odd.is_dry || shows),
        _ => false,
    }
}

/// Sends requests, and fails if an answer shows a foreign Secret, or one is not what it was.
async fn none_shows_or_changes(admin: &Client, account: &Client, namespace: &str, sent: impl Fn(&Odd) -> bool) {
    let before = foreign(admin, namespace).await;
    assert_eq!(before.len(), 5);
    let targets: Vec<(String, String)> = before.values().map(|secret| (secret.name_any(), secret.uid().expect("a UID"))).collect();
    let requests: Vec<Odd> = odd_requests(namespace, &targets).into_iter().filter(sent).collect();
    assert!(requests.len() > 1000, "only {} requests", requests.len());
    let answers: Vec<(Odd, u16, String)> = stream::iter(requests)
        .map(|odd| async move {
            let (status, text) = answer(account, &odd).await;
            (odd, status, text)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let shown: Vec<_> = answers.iter().filter(|(_, _, text)| shows_the_canary(text)).collect();
    assert!(shown.is_empty(), "{} answers show a Secret, such as {:#?}", shown.len(), shown.iter().take(3).collect::<Vec<_>>());
    let answered = answers.iter().filter(|(_, status, _)| *status != 0 && *status != 429).count();
    assert!(answered * 100 > answers.len() * 99, "only {answered} of {} requests were answered", answers.len());
    assert_eq!(foreign(admin, namespace).await, before);
}

/// Exactly what the documentation says that RBAC alone leaves open, each of it refused with the policy.
async fn what_needs_the_policy(admin: &Client, thief: &Client, namespace: &str, policy: bool) {
    let secret = |name: &str| format!("/api/v1/namespaces/{namespace}/secrets/{name}");
    let overwritten = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "password"}, "stringData": {"password": "mine"}});
    let token = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "minted", "annotations": {"kubernetes.io/service-account.name": "deployer"}}});
    let attempts = [
        ("DELETE", format!("{}?dryRun=All&propagationPolicy=Foreground", secret("certificate")), Value::Null, true),
        ("DELETE", format!("{}?dryRun=All&propagationPolicy=Orphan", secret("sealed")), Value::Null, true),
        ("DELETE", format!("{}?dryRun=All", secret(HELD)), Value::Null, true),
        ("PUT", secret("password"), overwritten, false),
        ("DELETE", secret("password"), Value::Null, false),
        ("POST", secret("").trim_end_matches('/').to_owned(), token, false),
    ];
    for (method, path, body, shows) in attempts {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let odd = Odd { method, path, headers: vec![("content-type", "application/json")], body, target: String::new(), is_dry: false };
        let (status, text) = answer(thief, &odd).await;
        assert_eq!((status == 422, (200..300).contains(&status)), (policy, !policy), "{odd:?}: {text}");
        assert_eq!(shows_the_canary(&text), shows && !policy, "{odd:?}: {text}");
    }
    let secrets = Api::<Secret>::namespaced(admin.clone(), namespace);
    for name in ["password", "minted"] {
        let there = secrets.get_opt(name).await.expect("the API server answers").is_some();
        assert_eq!(there, (name == "password") == policy, "{name}");
    }
}

/// Waits until the policy is in force, or is not any more.
async fn until_policy(admin: &Client, thief: &Client, namespace: &str, wanted: bool) {
    let secrets = Api::<Secret>::namespaced(thief.clone(), namespace);
    let other: Secret = serde_json::from_value(json!({"metadata": {"generateName": "other-"}, "type": "Opaque"})).expect("a Secret");
    eventually(PATIENCE, async || {
        let refused = secrets.create(&PostParams { dry_run: true, ..PostParams::default() }, &other).await.is_err();
        if refused == wanted { Ok(()) } else { Err(format!("refused: {refused}")) }
    })
    .await;
    let policies = Api::<ValidatingAdmissionPolicy>::all(admin.clone());
    assert_eq!(policies.get_opt(POLICY).await.expect("the API server answers").is_some(), wanted);
}

/// Takes the policy away, as an installation with `admissionPolicy.enabled=false` has none.
async fn without_policy(stage: &Stage) {
    let delete = DeleteParams::default();
    Api::<ValidatingAdmissionPolicyBinding>::all(stage.admin.clone()).delete(POLICY, &delete).await.expect("the binding");
    Api::<ValidatingAdmissionPolicy>::all(stage.admin.clone()).delete(POLICY, &delete).await.expect("the policy");
}

async fn until_logged(role: &Role, line: &str) {
    eventually(PATIENCE, async || if role.log().contains(line) { Ok(()) } else { Err(format!("not logged: {line}")) }).await;
}

/// A Secret of the type of invites in the way of a Room.
async fn in_the_way(place: &Place<'_>, name: &str, more: Value) -> Secret {
    let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "roomkeeper.io/invite", "metadata": {"name": name},
        "data": {"invite": STANDARD.encode(CANARY)}});
    secret.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    place.secrets().create(&PostParams::default(), &serde_json::from_value(secret).expect("a Secret")).await.expect("a Secret")
}

/// The message of the Room's condition InvitesReady, which is false for this reason.
async fn refused(place: &Place<'_>, room: &str, reason: &str) -> String {
    let status = place.until_not(room, "InvitesReady", reason).await.status.expect("a status");
    status.conditions.iter().find(|condition| condition.type_ == "InvitesReady").expect("the condition").message.clone()
}

/// The controller touches no Secret that is not the Room's, whatever stands in its way and whatever it has forgotten.
async fn the_controller_keeps_to_its_own(stage: &Stage) {
    let place = stage.place().await;
    let of_another =
        json!({"metadata": {"name": "late-invite-ben", "labels": {"roomkeeper.io/room-uid": "00000000-0000-4000-8000-000000000000"}}});
    let strangers = [
        ("late-invite-ada", json!({"type": "Opaque"}), "NameConflict", "exists and is no invite"),
        ("late-invite-ben", of_another, "NameConflict", "label roomkeeper.io/room-uid does not name this Room"),
        ("late-invite-cy", json!({}), "NameConflict", "label roomkeeper.io/room-uid does not name this Room"),
        ("late-invite-dee", json!({"immutable": true}), "Refused", "is immutable"),
    ];
    for (name, more, reason, message) in strangers {
        let kept = in_the_way(&place, name, more).await;
        let person = name.rsplit('-').next().expect("a name");
        place.apply("late", json!({"participants": [{"name": person}]})).await;
        let told = refused(&place, "late", reason).await;
        assert!(told.contains(name) && told.contains(message), "{name}: {told}");
        place.delete("late").await;
        place.until_gone("late", PATIENCE).await;
        assert_eq!(place.secrets().get(name).await.expect("it is still there"), kept);
    }
    // Two Rooms whose invites have the same name.
    place.apply("a", json!({"participants": [{"name": "b-invite-c"}]})).await;
    place.until_phase("a", Phase::Open).await;
    let first = place.invite_secret("a", "b-invite-c").await.expect("an invite");
    place.apply("a-invite-b", json!({"participants": [{"name": "c"}]})).await;
    refused(&place, "a-invite-b", "NameConflict").await;
    place.delete("a-invite-b").await;
    place.until_gone("a-invite-b", PATIENCE).await;
    assert_eq!(place.invite_secret("a", "b-invite-c").await, Some(first));
}

/// What a reconciliation that did not live to record it has made is found again, renewed and deleted, by way of a dry run.
async fn what_was_not_recorded_is_found_again(stage: &Stage) {
    let place = stage.place().await;
    let forget = async |participants: Value| {
        let status = Patch::Merge(json!({"status": {"participants": participants}}));
        place.rooms().patch_status("call", &PatchParams::default(), &status).await.expect("the status is written");
    };
    let another = |name: &str| {
        let uid = "00000000-0000-4000-8000-000000000000";
        json!([{"name": name, "role": "Attendee", "inviteGeneration": 0, "secretName": format!("call-invite-{name}"), "secretUID": uid}])
    };
    place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
    place.until_phase("call", Phase::Open).await;
    let made = place.invite_secret("call", "ada").await.expect("an invite");
    let is_renewed = async |role: &str| {
        let room = place.until("call", |status: &RoomStatus| condition(status, "InvitesReady").0 == "True").await;
        let renewed = place.invite_secret("call", "ada").await.expect("an invite");
        assert_eq!((renewed.uid(), value(&renewed, "role")), (made.uid(), role.to_owned()));
        assert_eq!(room.status.expect("a status").participants[0].secret_uid, made.uid().expect("a UID"));
    };
    // Made and not recorded, then recorded by a UID that it does not have.
    forget(json!([])).await;
    place.edit("call", json!({"participants": [{"name": "ada", "role": "Presenter"}]})).await;
    is_renewed("Presenter").await;
    forget(another("ada")).await;
    place.edit("call", json!({"participants": [{"name": "ada", "role": "Consumer"}]})).await;
    is_renewed("Consumer").await;
    forget(another("ada")).await;
    place.edit("call", json!({"participants": []})).await;
    place.until("call", |status| status.participants.is_empty()).await;
    assert_eq!(place.secret_names().await, Vec::<String>::new());
    // Not recorded at all when the Room is deleted.
    place.edit("call", json!({"participants": [{"name": "ben"}]})).await;
    place.until("call", |status| status.participants.len() == 1).await;
    let kept = in_the_way(&place, "call-invite-cy", json!({})).await;
    forget(json!([])).await;
    place.edit("call", json!({"participants": [{"name": "ben"}, {"name": "cy"}]})).await;
    refused(&place, "call", "NameConflict").await;
    forget(json!([])).await;
    place.delete("call").await;
    place.until_gone("call", PATIENCE).await;
    assert_eq!(place.secrets().get("call-invite-cy").await.expect("it is still there"), kept);
    assert_eq!(place.secret_names().await, ["call-invite-cy"]);
}

#[test]
fn no_request_of_an_account_shows_or_changes_a_foreign_secret_with_the_policy_and_without_it_only_what_is_documented() {
    run(async {
        let mut stage = Stage::start().await;
        let account = async |name: &str| client(&stage.cluster.account_kubeconfig(name).await).await;
        let (controller, gateway) = (account("roomkeeper-controller").await, account("roomkeeper-gateway").await);
        let namespace = stage.cluster.namespace().await;
        make_foreign(&stage.admin, &namespace).await;

        without_policy(&stage).await;
        until_policy(&stage.admin, &controller, &namespace, false).await;
        stage.restart_controller().await;
        none_shows_or_changes(&stage.admin, &gateway, &namespace, |_| true).await;
        none_shows_or_changes(&stage.admin, &controller, &namespace, |odd| !needs_the_policy(odd)).await;
        the_controller_keeps_to_its_own(&stage).await;
        what_was_not_recorded_is_found_again(&stage).await;
        until_logged(&stage.controller, "no admission policy holds the controller's account to invites").await;

        install(&stage.admin).await;
        until_policy(&stage.admin, &controller, &namespace, true).await;
        stage.restart_controller().await;
        none_shows_or_changes(&stage.admin, &gateway, &namespace, |_| true).await;
        none_shows_or_changes(&stage.admin, &controller, &namespace, |_| true).await;
        what_needs_the_policy(&stage.admin, &controller, &namespace, true).await;
        the_controller_keeps_to_its_own(&stage).await;
        what_was_not_recorded_is_found_again(&stage).await;
        until_logged(&stage.controller, "the admission policy holds the controller's account to invites").await;

        // Last, because of these Secrets some are gone after it.
        without_policy(&stage).await;
        until_policy(&stage.admin, &controller, &namespace, false).await;
        what_needs_the_policy(&stage.admin, &controller, &namespace, false).await;
        let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        let secrets = Api::<Secret>::namespaced(stage.admin.clone(), &namespace);
        secrets.patch(HELD, &PatchParams::default(), &free).await.expect("freed");
    });
}

#[test]
fn the_policy_keeps_the_invites_of_one_room_from_being_written_as_those_of_another() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let kept = place.invite_secret("call", "ada").await.expect("an invite");
        let controller = client(&stage.cluster.account_kubeconfig("roomkeeper-controller").await).await;
        until_policy(&stage.admin, &controller, &place.namespace, true).await;
        let secrets = Api::<Secret>::namespaced(controller, &place.namespace);
        for labels in [json!({}), json!({"roomkeeper.io/room-uid": "00000000-0000-4000-8000-000000000000"})] {
            for uid in [None, kept.uid()] {
                let metadata = json!({"name": "call-invite-ada", "labels": labels, "uid": uid});
                let other: Secret =
                    serde_json::from_value(json!({"metadata": metadata, "type": "roomkeeper.io/invite"})).expect("a Secret");
                let refusal = secrets.replace("call-invite-ada", &PostParams::default(), &other).await.expect_err("it is refused");
                assert!(refusal.to_string().contains("may not change an invite of another Room"), "{refusal}");
            }
        }
        assert_eq!(place.invite_secret("call", "ada").await, Some(kept));
    });
}

#[test]
fn a_controller_with_the_role_of_the_version_before_says_so_and_goes_on_with_the_role_of_its_own() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let (ada, before) = (place.joined("call", "ada", &[]).await, place.invite("call", "ben").await);
        // As it was: `patch` in place of `update`.
        let api = Api::<ClusterRole>::all(stage.admin.clone());
        let mut role = api.get("roomkeeper-controller").await.expect("the role");
        let secrets = role
            .rules
            .iter_mut()
            .flatten()
            .find(|rule| rule.resources.as_deref() == Some(&["secrets".to_owned()]))
            .expect("the rule for Secrets");
        secrets.verbs = ["create", "patch", "delete"].map(str::to_owned).to_vec();
        role.metadata.managed_fields = None;
        api.replace("roomkeeper-controller", &PostParams::default(), &role).await.expect("the role of before");
        // What is to be written waits; what is to be taken away is.
        place.edit("call", json!({"duration": "2h", "participants": [{"name": "ben"}, {"name": "cy"}]})).await;
        let told = refused(&place, "call", "Refused").await;
        assert!(told.contains("the controller's role does not allow to update Secrets"), "{told}");
        ada.event("disconnected").await;
        assert_eq!(place.secret_names().await, ["call-invite-ben", "call-invite-cy"]);
        assert_eq!(stage.join(&before).await.status, 200, "an invite that is not up to date is good");
        install(&stage.admin).await;
        place.edit("call", json!({"displayName": "Upgraded"})).await;
        place.until_phase("call", Phase::Open).await;
        assert_eq!(place.invite("call", "ben").await, before);
    });
}
