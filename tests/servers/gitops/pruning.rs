//! Taking a Room out of Git.

use kube::api::{DeleteParams, PropagationPolicy};
use roomkeeper::api::Phase;
use roomkeeper::backend::Backend;
use rstest::rstest;
use serde_json::json;

use crate::support::run;
use crate::support::stage::{PATIENCE, Stage, session};

// Argo CD deletes in the foreground unless told otherwise, Flux in the background.
#[rstest]
#[case::argo_cd(PropagationPolicy::Foreground)]
#[case::flux(PropagationPolicy::Background)]
fn a_pruned_room_ends_its_call_and_leaves_nothing(#[case] propagation_policy: PropagationPolicy) {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"duration": "1h", "participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        let room = place.until_phase("call", Phase::Open).await;
        let invite = place.invite("call", "ada").await;
        let ada = place.joined("call", "ada", &[]).await;
        let params = DeleteParams { propagation_policy: Some(propagation_policy), ..DeleteParams::default() };
        place.rooms().delete("call", &params).await.expect("the deletion is accepted");
        assert_eq!(ada.event("disconnected").await["reason"], "ROOM_DELETED");
        place.until_gone("call", PATIENCE).await;
        assert_eq!(place.secret_names().await, Vec::<String>::new());
        assert_eq!(stage.livekit.backend().observe(&session(&room)).await, Ok(None));
        assert_eq!(stage.join(&invite).await.problem(), "invalid-invite");
    });
}
