//! Places in a call, under rush.

use futures::future::join_all;
use futures::{StreamExt, stream};
use roomkeeper::api::Phase;
use serde_json::{Value, json};

use crate::support::livekit::Client;
use crate::support::stage::{Answer, Place, Stage};
use crate::support::{repetitions, run_heavy};

/// A Room with so many people; their invites.
async fn invited(place: &Place<'_>, people: usize, places: usize) -> Vec<String> {
    let names: Vec<String> = (0..people).map(|number| format!("person-{number:03}")).collect();
    let list: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    place.apply("call", json!({"maxParticipants": places, "participants": list})).await;
    place.until_phase("call", Phase::Open).await;
    let invites: Vec<String> = place.invites("call").await.into_values().collect();
    assert_eq!(invites.len(), people);
    invites
}

fn got_in(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status == 200).count()
}

#[test]
fn of_a_hundred_people_who_come_at_the_same_moment_exactly_as_many_get_in_as_there_are_places() {
    run_heavy(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let invites = invited(&place, 100, 10).await;
        let answers = join_all(invites.iter().map(|invite| stage.join(invite))).await;
        assert_eq!(got_in(&answers), 10);
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.problem() == "full"), "{answers:?}");
        let clients = join_all(answers.iter().filter(|answer| answer.status == 200).map(async |answer| {
            let credentials = answer.credentials();
            Client::join(&credentials, &[]).await.expect("in the call")
        }))
        .await;
        let answers = join_all(invites.iter().map(|invite| stage.join(invite))).await;
        assert_eq!(got_in(&answers), 10, "those who are in may come again, and nobody else");
        join_all(clients.into_iter().map(Client::close)).await;
    });
}

/// Real clients in the call, each a process of its own. Two cores carry all 350, but not beside the other tests.
const FOR_REAL: [usize; 2] = [40, 350];

/// How many of them connect at the same time.
const AT_ONCE: usize = 20;

#[test]
fn three_hundred_and_fifty_invited_people_all_get_their_tickets_and_many_join_for_real() {
    run_heavy(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let invites = invited(&place, 350, 350).await;
        let answers = join_all(invites.iter().map(|invite| stage.join(invite))).await;
        assert_eq!(got_in(&answers), 350);
        let join = async |answer: &Answer| Client::join(&answer.credentials(), &[]).await.expect("in the call");
        let [short, long] = FOR_REAL;
        let for_real = repetitions(short, long);
        let clients: Vec<Client> = stream::iter(&answers[..for_real]).map(join).buffer_unordered(AT_ONCE).collect().await;
        let joined = i32::try_from(for_real).expect("a small number");
        place.until("call", |status| status.counts.is_some_and(|counts| counts.joined == joined)).await;
        join_all(clients.into_iter().map(Client::close)).await;
    });
}
