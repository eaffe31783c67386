//! What one join takes.

use roomkeeper::api::Phase;
use serde_json::json;

use crate::people;
use crate::spread::{self, Unit};
use crate::support::now;
use crate::support::stage::Stage;

/// `POST /v1/join`, one after the other.
pub async fn one_after_the_other(stage: &Stage) {
    let place = stage.place().await;
    place.apply("call", json!({"participants": people(250)})).await;
    place.until_phase("call", Phase::Open).await;
    let mut took = Vec::new();
    for number in 0..500 {
        let invite = place.invite("call", &format!("person-{}", number % 250)).await;
        let started = now();
        let answer = stage.join(&invite).await;
        took.push(now().duration_since(started));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    spread::print("join, 500 times", took, Unit::Micros);
}
