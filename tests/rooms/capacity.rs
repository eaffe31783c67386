//! Places in a call, under rush.

use futures::future::join_all;
use roomkeeper::api::Phase;
use serde_json::{Value, json};

use crate::support::livekit::Client;
use crate::support::run;
use crate::support::stage::{Answer, Place, Stage};

/// A Room with so many people; their invites.
async fn invited(place: &Place<'_>, people: usize, places: usize) -> Vec<String> {
    let names: Vec<String> = (0..people).map(|number| format!("person-{number:03}")).collect();
    let list: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    place.apply("call", json!({"maxParticipants": places, "participants": list})).await;
    place.until_phase("call", Phase::Open).await;
    join_all(names.iter().map(|name| place.invite("call", name))).await
}

fn got_in(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status == 200).count()
}

#[test]
fn of_a_hundred_people_who_come_at_the_same_moment_exactly_as_many_get_in_as_there_are_places() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let invites = invited(&place, 100, 10).await;
        let answers = join_all(invites.iter().map(|invite| stage.join(invite))).await;
        assert_eq!(got_in(&answers), 10);
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.problem() == "full"), "{answers:?}");
        let clients = join_all(answers.iter().filter(|answer| answer.status == 200).map(async |answer| {
            let admission = answer.admission();
            Client::join(&admission, &[]).await.expect("in the call")
        }))
        .await;
        let answers = join_all(invites.iter().map(|invite| stage.join(invite))).await;
        assert_eq!(got_in(&answers), 10, "those who are in may come again, and nobody else");
        join_all(clients.into_iter().map(Client::close)).await;
    });
}

#[test]
fn three_hundred_and_fifty_invited_people_all_get_their_tickets() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let invites = invited(&place, 350, 350).await;
        let answers = join_all(invites.iter().map(|invite| stage.join(invite))).await;
        assert_eq!(got_in(&answers), 350);
    });
}
