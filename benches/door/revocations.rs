//! How long somebody is in a call after they were taken off its list.

use roomkeeper::api::Phase;
use serde_json::json;

use crate::spread::{self, Unit};
use crate::support::livekit::Client;
use crate::support::now;
use crate::support::stage::Stage;

/// From the edit's answer to the client's disconnection.
pub async fn by_an_edit(stage: &Stage) {
    let place = stage.place().await;
    let mut took = Vec::new();
    for number in 0..20 {
        let name = format!("room-{number}");
        place.apply(&name, json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase(&name, Phase::Open).await;
        let ada = Client::join(&stage.join(&place.invite(&name, "ada").await).await.credentials(), &[]).await.expect("ada is in");
        let started = now();
        place.edit(&name, json!({"participants": []})).await;
        ada.event("disconnected").await;
        took.push(now().duration_since(started));
    }
    spread::print("taken off the list to disconnected, 20 times", took, Unit::Millis);
}
