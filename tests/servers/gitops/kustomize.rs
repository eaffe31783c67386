//! The example of a series of calls, rendered by kubectl's own kustomize.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use jiff::ToSpan;
use roomkeeper::api::Phase;
use rstest::rstest;
use serde_json::{Value, json};

use super::printed;
use crate::support::cluster::kubectl;
use crate::support::dates::Checkout;
use crate::support::helm::objects;
use crate::support::process::log_file;
use crate::support::run;
use crate::support::stage::Stage;

#[rstest]
#[case::today(Checkout::today)]
#[case::in_ten_years(Checkout::in_ten_years)]
fn an_overlay_gives_each_call_its_time_and_its_people(#[case] checkout: fn() -> Checkout) {
    run(async {
        let stage = Stage::shared().await;
        let (place, checkout) = (stage.place().await, checkout());
        let examples = log_file("examples").with_extension("d");
        checkout.copy("examples/kustomize", &examples);
        let overlay = examples.join("overlays/january").display().to_string();
        let kubectl = |arguments: &[&str]| printed(&stage.cluster.kubectl(arguments, ""));
        let applied = kubectl(&["apply", "-n", &place.namespace, "-k", &overlay]);
        assert_eq!(applied.lines().count(), 2, "{applied}");
        for (days, opens, people) in [(7, "09:00:00", 3), (21, "14:00:00", 4)] {
            let day = checkout.dates.read + days.days();
            let name = format!("review-{day}");
            let room = place.until_phase(&name, Phase::Scheduled).await;
            let status = room.status.expect("a status");
            let seen = (status.valid_from.expect("a start").0.to_string(), status.participants.len());
            assert_eq!(seen, (format!("{day}T{opens}Z"), people), "{name}");
        }
        assert_eq!(kubectl(&["diff", "-n", &place.namespace, "-k", &overlay]), "", "nothing is left to be applied");
    });
}

#[test]
fn names_in_other_objects_follow_the_names_that_an_overlay_changes() {
    let examples = log_file("examples").with_extension("d");
    Checkout::today().copy("examples/kustomize", &examples);
    let class = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomClass", "metadata": {"name": "large"}, "spec": {}});
    let guest = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomGuest", "metadata": {"name": "interpreter"},
        "spec": {"roomName": "review", "displayName": "Irina", "role": "Attendee"}});
    fs::write(examples.join("base/more.yaml"), format!("{class}\n---\n{guest}\n")).expect("a file");
    let append = |file: &str, text: &str| {
        let mut file = OpenOptions::new().append(true).open(examples.join("base").join(file)).expect("a file of the example");
        file.write_all(text.as_bytes()).expect("a file");
    };
    append("review.yaml", "  roomClassName: large\n");
    let file = examples.join("base/kustomization.yaml");
    let with_more = fs::read_to_string(&file).expect("a file").replace("  - review.yaml\n", "  - review.yaml\n  - more.yaml\n");
    fs::write(&file, with_more).expect("a file");
    let overlay = examples.join("overlays/january/first").display().to_string();
    let objects = objects(&printed(&kubectl(Path::new("/dev/null"), &["kustomize", &overlay], "")));
    let of = |kind: &str| -> &Value { objects.iter().find(|object| object["kind"] == kind).expect("an object") };
    let [room, class, guest] = ["Room", "RoomClass", "RoomGuest"].map(of);
    assert_ne!(room["metadata"]["name"], "review");
    assert_eq!(guest["spec"]["roomName"], room["metadata"]["name"]);
    assert_ne!(class["metadata"]["name"], "large");
    assert_eq!(room["spec"]["roomClassName"], class["metadata"]["name"]);
}
