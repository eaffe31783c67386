//! Invites that were made, while the status that would tell of them was not written.

use std::time::Duration;

use roomkeeper::api::Phase;
use serde_json::json;

use super::controller_behind;
use crate::support::fault_proxy::Faults;
use crate::support::stage::Stage;
use crate::support::{eventually, run};

/// A request that is not answered is given up after ten seconds, and tried again.
const CONVERGES: Duration = Duration::from_secs(30);

#[test]
fn an_invite_that_no_status_could_tell_of_is_withdrawn_when_its_person_is_off_the_list() {
    run(async {
        let mut stage = Stage::start().await;
        let faults = Faults::default();
        let (_proxy, _) = controller_behind(&mut stage, &faults).await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;

        faults.silence(&["/call/status"]);
        place.edit("call", json!({"participants": [{"name": "ada"}, {"name": "eve"}]})).await;
        eventually(CONVERGES, async || if faults.waiting() > 0 { Ok(()) } else { Err("no status is written") }).await;
        assert!(place.invite_secret("call", "eve").await.is_some(), "her invite is made before");
        place.edit("call", json!({"participants": [{"name": "ada"}]})).await;
        faults.silence(&[]);
        eventually(CONVERGES, async || match place.secret_names().await {
            names if names == ["call-invite-ada"] => Ok(()),
            names => Err(format!("{names:?}")),
        })
        .await;
        place.until("call", |status| status.participants.len() == 1).await;
    });
}
