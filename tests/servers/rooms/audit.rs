//! The audit log: a line for each join, refusal, removal, change of role and end.

use roomkeeper::api::Phase;
use serde_json::json;

use crate::support::livekit::Client;
use crate::support::operator::Role;
use crate::support::stage::{PATIENCE, Stage, in_seconds};
use crate::support::{eventually, run};

/// Waits for a line of the audit log that says all of this.
async fn says(role: &Role, words: &[&str]) {
    eventually(PATIENCE, async || {
        let log = std::fs::read_to_string(role.process.log()).map_err(|error| error.to_string())?;
        let found = log.lines().any(|line| line.contains("roomkeeper::audit") && words.iter().all(|word| line.contains(word)));
        if found { Ok(()) } else { Err(format!("no line says {words:?}")) }
    })
    .await;
}

#[test]
fn joins_refusals_removals_changes_of_role_and_ends_are_written_down() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let here = format!("namespace=\"{}\"", place.namespace);
        place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let (ada, ben) = (place.invite("call", "ada").await, place.invite("call", "ben").await);
        let client = Client::join(&stage.credentials(&ada).await, &[]).await.expect("in the call");
        says(&stage.gateway, &["event=\"join\"", &here, "participant=\"ada\"", "result=\"joined\""]).await;
        stage.post("/v1/end", &ben, None).await;
        says(&stage.gateway, &["event=\"end\"", &here, "participant=\"ben\"", "result=\"not-allowed\""]).await;
        place.edit("call", json!({"participants": [{"name": "ada", "role": "Consumer"}, {"name": "ben"}]})).await;
        says(&stage.controller, &["event=\"role changed\"", &here, "participant=\"ada\"", "role=Consumer"]).await;
        place.edit("call", json!({"participants": [{"name": "ben"}]})).await;
        client.event("disconnected").await;
        says(&stage.controller, &["event=\"removed\"", &here, "participant=\"ada\""]).await;
        stage.join(&ada).await;
        says(&stage.gateway, &["event=\"join\"", &here, "participant=\"ada\"", "result=\"invalid-invite\""]).await;
        place.edit("call", json!({"validUntil": in_seconds(0)})).await;
        says(&stage.controller, &["event=\"ended\"", &here, "room=\"call\""]).await;
    });
}
