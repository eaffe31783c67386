//! What must be there in the end, and what must not have happened on the way.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::ListParams;
use roomkeeper::api::Room;
use roomkeeper::backend::Backend;
use serde_json::Value;

use super::scenarios::After;
use crate::support::stage::{Place, Stage, condition, value};

/// The Room of every plan.
pub const ROOM: &str = "call";

/// Whether all is there that must be, and nothing else.
pub async fn is_as(stage: &Stage, place: &Place<'_>, uid: &str, after: &After) -> Result<(), String> {
    let room = place.rooms().get_opt(ROOM).await.map_err(|error| error.to_string())?;
    let uid = room.as_ref().and_then(ResourceExt::uid).unwrap_or_else(|| uid.to_owned());
    is_room(room.as_ref(), after)?;
    let secrets = place.secrets().list(&ListParams::default()).await.map_err(|error| error.to_string())?;
    let mut found: Vec<(String, String)> =
        secrets.items.iter().map(|secret| (value(secret, "participant"), value(secret, "role"))).collect();
    found.sort();
    let mut wanted: Vec<_> = after.invites.iter().map(|(name, role, _)| ((*name).to_owned(), (*role).to_owned())).collect();
    wanted.sort();
    if found != wanted {
        return Err(format!("invites of {found:?}"));
    }
    let sessions = stage.livekit.backend().list_sessions("rk-").await.map_err(|failure| failure.to_string())?;
    let ours: Vec<String> = sessions.into_iter().map(|session| session.id).filter(|id| !uid.is_empty() && id.contains(&uid)).collect();
    let recorded = room.and_then(|room| room.status).and_then(|status| status.session).filter(|session| session.ended_at.is_none());
    let recorded: Vec<String> = recorded.into_iter().map(|session| session.id).collect();
    if ours.len() != usize::from(after.session) || ours != recorded {
        return Err(format!("sessions {ours:?}, recorded {recorded:?}"));
    }
    Ok(())
}

/// How often each Secret and each Room of a namespace was made, and how often deleted.
pub fn deeds(stage: &Stage, place: &Place<'_>) -> BTreeMap<String, usize> {
    let mut deeds = BTreeMap::<String, usize>::new();
    for event in stage.cluster.audit() {
        let (verb, object) = (text(&event["verb"]), &event["objectRef"]);
        let done = event["responseStatus"]["code"].as_u64().is_some_and(|code| code < 300);
        let is_dry = event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun"));
        let counts = ["create", "delete"].contains(&verb) && ["secrets", "rooms"].contains(&text(&object["resource"]));
        if counts && done && !is_dry && object["namespace"] == place.namespace.as_str() && event["stage"] == "ResponseComplete" {
            *deeds.entry(format!("{verb} {} {}", text(&object["resource"]), text(&object["name"]))).or_default() += 1;
        }
    }
    deeds
}

fn is_room(room: Option<&Room>, after: &After) -> Result<(), String> {
    let (Some(room), Some(phase)) = (room, after.phase) else {
        return if room.is_some() == after.phase.is_some() { Ok(()) } else { Err(format!("the Room: {room:?}")) };
    };
    let status = room.status.clone().unwrap_or_default();
    let ledger: Vec<_> = status.participants.iter().map(|entry| (entry.name.as_str(), entry.invite_generation)).collect();
    let wanted: Vec<_> = after.invites.iter().map(|(name, _, generation)| (*name, *generation)).collect();
    let is_current = status.observed_generation == room.metadata.generation && condition(&status, "Ready").0 == "True";
    if is_current && format!("{:?}", status.phase) == phase && ledger == wanted { Ok(()) } else { Err(format!("{status:?}")) }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
