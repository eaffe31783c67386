//! Invite Secrets: whose they are, and what brings them back.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use roomkeeper::api::Phase;
use roomkeeper::domain::generate_key;
use serde_json::json;

use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::stage::{PATIENCE, Stage};
use crate::support::{eventually, run};

#[test]
fn a_secret_of_the_same_name_that_is_not_ours_is_left_untouched_until_it_goes_away() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let metadata = ObjectMeta { name: Some("call-invite-ada".into()), ..ObjectMeta::default() };
        let foreign = Secret { metadata, string_data: Some([("password".into(), "theirs".into())].into()), ..Secret::default() };
        let foreign = place.secrets().create(&PostParams::default(), &foreign).await.expect("a Secret");
        place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        let room = place.until_not("call", "InvitesReady", "NameConflict").await;
        let status = room.status.expect("a status");
        assert_eq!(crate::support::stage::condition(&status, "Stalled").0, "True");
        assert_eq!(status.participants.len(), 1, "the other person's invite is issued");
        assert_eq!(place.invite_secret("call", "ada").await, Some(foreign));
        place.secrets().delete("call-invite-ada", &DeleteParams::default()).await.expect("deleted");
        place.until_phase("call", Phase::Open).await;
        assert_eq!(stage.join(&place.invite("call", "ada").await).await.status, 200);
    });
}

#[test]
fn a_foreign_secret_survives_the_end_and_the_deletion_of_the_room() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let metadata = ObjectMeta { name: Some("call-invite-ada".into()), ..ObjectMeta::default() };
        let foreign = place.secrets().create(&PostParams::default(), &Secret { metadata, ..Secret::default() }).await.expect("a Secret");
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_not("call", "InvitesReady", "NameConflict").await;
        place.delete("call").await;
        place.until_gone("call", PATIENCE).await;
        assert_eq!(place.invite_secret("call", "ada").await, Some(foreign));
    });
}

#[test]
fn deleted_invites_are_back_with_the_same_links_when_the_room_is_asked_for_them() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let invite = place.invite("call", "ada").await;
        place.secrets().delete("call-invite-ada", &DeleteParams::default()).await.expect("deleted");
        for again in ["once", "twice"] {
            let patch = Patch::Merge(json!({"metadata": {"annotations": {"roomkeeper.io/reissue-invites": again}}}));
            place.rooms().patch("call", &PatchParams::default(), &patch).await.expect("annotated");
            eventually(PATIENCE, async || place.invite_secret("call", "ada").await.ok_or("no invite")).await;
            assert_eq!(place.invite("call", "ada").await, invite);
            place.secrets().delete("call-invite-ada", &DeleteParams::default()).await.expect("deleted");
        }
    });
}

#[test]
fn the_template_of_a_room_reaches_and_leaves_its_invites() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let template = json!({"metadata": {"labels": {"team": "cardiology"}, "annotations": {"example.org/mail": "yes"}}});
        place.apply("call", json!({"inviteTemplate": template, "participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let secret = place.invite_secret("call", "ada").await.expect("an invite").metadata;
        assert_eq!(secret.labels.as_ref().and_then(|labels| labels.get("team")).map(String::as_str), Some("cardiology"));
        assert_eq!(secret.labels.as_ref().and_then(|labels| labels.get("roomkeeper.io/room")).map(String::as_str), Some("call"));
        assert_eq!(secret.annotations.and_then(|all| all.get("example.org/mail").cloned()).as_deref(), Some("yes"));
        place.edit("call", json!({"inviteTemplate": null})).await;
        place.until_phase("call", Phase::Open).await;
        let secret = place.invite_secret("call", "ada").await.expect("an invite").metadata;
        assert!(!secret.labels.unwrap_or_default().contains_key("team"));
        assert!(secret.annotations.unwrap_or_default().is_empty());
    });
}

#[test]
fn the_newest_signing_key_signs_and_older_ones_verify_until_they_are_removed() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let old = place.invite("call", "ada").await;
        let keys = Api::<Secret>::namespaced(stage.admin.clone(), OPERATOR_NAMESPACE);
        let first = keys.get("roomkeeper-invite-keys").await.expect("made at the first start").data.expect("a key");
        let (name, pem) = generate_key("99991231000000");
        let patch = Patch::Merge(json!({"stringData": {name: pem}}));
        keys.patch("roomkeeper-invite-keys", &PatchParams::default(), &patch).await.expect("patched");
        let new = eventually(PATIENCE, async || {
            let invite = place.invite("call", "ada").await;
            if invite == old { Err("the old invite") } else { Ok(invite) }
        })
        .await;
        assert_eq!((stage.join(&old).await.status, stage.join(&new).await.status), (200, 200));
        let removed: serde_json::Map<_, _> = first.keys().map(|name| (name.clone(), serde_json::Value::Null)).collect();
        keys.patch("roomkeeper-invite-keys", &PatchParams::default(), &Patch::Merge(json!({"data": removed}))).await.expect("patched");
        eventually(PATIENCE, async || match stage.join(&old).await.problem() {
            "invalid-invite" => Ok(()),
            other => Err(other.to_owned()),
        })
        .await;
        assert_eq!(stage.join(&new).await.status, 200);
    });
}
