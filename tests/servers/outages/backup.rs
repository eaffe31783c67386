//! etcd is put back to a moment of before, with everything else running on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::ResourceExt;
use kube::api::ListParams;
use roomkeeper::api::Phase;
use roomkeeper::backend::Backend;
use serde_json::{Value, json};

use crate::support::stage::{PATIENCE, Place, Stage, condition, in_seconds};
use crate::support::{eventually, now, run};

/// Within this time all is as the restored objects say, beside other tests.
const CONVERGES: Duration = Duration::from_secs(90);
/// The Rooms of the backup, each named by what happens to it afterwards.
const ROOMS: [&str; 6] = ["kept", "deleted", "pruned", "grown", "rotated", "ended"];
/// The Room whose window ends after the backup.
const LAPSED: &str = "lapsed";
/// From the backup to that end.
const UNTIL_THE_END: i64 = 15;

#[test]
fn after_etcd_was_restored_from_an_older_backup_all_is_as_the_restored_objects_say() {
    run(async {
        let mut stage = Stage::start().await;
        stage.cluster.retire();
        let namespace = stage.cluster.namespace().await;
        let place = stage.place_in(namespace.clone());
        for name in ROOMS {
            let mut spec = json!({"participants": people(&["ada", "ben"])});
            if name == "kept" {
                spec["id"] = "5f0c7f0e-3d0a-4f0b-8a45-6c1d0b2f9e77".into();
            }
            place.apply(name, spec).await;
        }
        for name in ROOMS {
            place.until_phase(name, Phase::Open).await;
        }
        let ada = place.joined("kept", "ada", &[]).await;
        // The last of what is written before the backup.
        place.until("kept", |status| status.counts.is_some_and(|counts| counts.joined == 1)).await;
        let invites = all_invites(&place).await;
        // Nobody has used it, so that no look at the media server shows what it lacks.
        let end = in_seconds(UNTIL_THE_END);
        let waiting = json!({"validUntil": end, "participants": people(&["ada"]), "session": {"provision": "OnFirstJoin"}});
        place.apply(LAPSED, waiting).await;
        place.until_phase(LAPSED, Phase::Open).await;
        drop(place);
        let backup = stage.cluster.back_up();
        assert!(now() < end.parse().expect("a moment"), "the backup is of before the end");

        let place = stage.place_in(namespace.clone());
        let forgotten = change(&stage, &place).await;
        drop(place);
        stage.cluster.restore(&backup).await;
        let restored_at = now();

        let place = stage.place_in(namespace);
        eventually(CONVERGES, async || is_as_restored(&stage, &place, &invites).await).await;
        println!("all is as the backup says {:.1} s after the API server is back", now().duration_since(restored_at).as_secs_f64());
        for invite in invites.values().flat_map(BTreeMap::values) {
            eventually(PATIENCE, async || match stage.join(invite).await {
                answer if answer.status == 200 => Ok(()),
                answer => Err(format!("{answer:?}")),
            })
            .await;
        }
        for invite in forgotten {
            // What the backup does not know. While a watch of the gateway's has not come back yet, it says that it cannot tell.
            eventually(PATIENCE, async || match stage.join(&invite).await {
                answer if answer.status == 200 => panic!("{answer:?}"),
                answer if answer.problem() == "invalid-invite" => Ok(()),
                answer => Err(format!("{answer:?}")),
            })
            .await;
        }
        assert!(!ada.events().iter().any(|event| event["event"] == "disconnected"), "{:?}", ada.events());
        // And what is done from now on is done.
        place.edit("grown", json!({"participants": people(&["ben"])})).await;
        place.until("grown", |status| status.participants.len() == 1).await;
        place.delete("pruned").await;
        place.until_gone("pruned", PATIENCE).await;
    });
}

fn people(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| json!({"name": name})).collect()
}

/// All that happens after the backup; the invites that it does not know.
async fn change(stage: &Stage, place: &Place<'_>) -> Vec<String> {
    place.apply("made", json!({"participants": people(&["ada"])})).await;
    place.delete("deleted").await;
    place.edit("pruned", json!({"participants": people(&["ada"])})).await;
    place.edit("grown", json!({"participants": people(&["ada", "ben", "cyd"])})).await;
    place.edit("rotated", json!({"participants": [{"name": "ada", "inviteGeneration": 1}, {"name": "ben"}]})).await;
    place.edit("ended", json!({"validUntil": in_seconds(0)})).await;
    place.until_gone("deleted", PATIENCE).await;
    place.until_phase("made", Phase::Open).await;
    for name in ["ended", LAPSED] {
        place.until_phase(name, Phase::Expired).await;
    }
    place.until("pruned", |status| status.participants.len() == 1).await;
    place.until("grown", |status| status.participants.len() == 3).await;
    place.until("rotated", |status| status.participants.iter().any(|entry| entry.invite_generation == 1)).await;
    let unknown = [place.invite("made", "ada").await, place.invite("grown", "cyd").await, place.invite("rotated", "ada").await];
    for invite in &unknown {
        assert_eq!(stage.join(invite).await.status, 200);
    }
    unknown.into()
}

async fn all_invites(place: &Place<'_>) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for name in ROOMS {
        all.insert(name.to_owned(), place.invites(name).await);
    }
    all
}

/// Whether Rooms, invites and sessions are those of the backup, and no others.
async fn is_as_restored(stage: &Stage, place: &Place<'_>, invites: &BTreeMap<String, BTreeMap<String, String>>) -> Result<(), String> {
    let rooms = place.rooms().list(&ListParams::default()).await.map_err(|error| error.to_string())?;
    let names: BTreeSet<String> = rooms.items.iter().map(ResourceExt::name_any).collect();
    if names != ROOMS.into_iter().chain([LAPSED]).map(str::to_owned).collect() {
        return Err(format!("the Rooms are {names:?}"));
    }
    let mut recorded = BTreeSet::new();
    for room in &rooms.items {
        let status = room.status.clone().unwrap_or_default();
        let is_current = status.observed_generation == room.metadata.generation && room.metadata.deletion_timestamp.is_none();
        let phase = if room.name_any() == LAPSED { Phase::Expired } else { Phase::Open };
        if !is_current || status.phase != phase || condition(&status, "Ready").0 != "True" {
            return Err(format!("{}: {:?}", room.name_any(), serde_json::to_string(&status)));
        }
        recorded.extend(status.session.filter(|session| session.ended_at.is_none()).map(|session| session.id));
    }
    if all_invites(place).await != *invites || !place.invites(LAPSED).await.is_empty() {
        return Err("the invites are not those of the backup".into());
    }
    let living = stage.livekit.backend().list_sessions("rk-").await.map_err(|failure| failure.to_string())?;
    let living: BTreeSet<String> = living.into_iter().map(|session| session.id).collect();
    if living == recorded { Ok(()) } else { Err(format!("sessions {living:?}, recorded {recorded:?}")) }
}
