//! The example of a series of calls, rendered by kubectl's own kustomize.

use roomkeeper::api::Phase;

use super::{in_repository, printed};
use crate::support::run;
use crate::support::stage::Stage;

#[test]
fn an_overlay_gives_each_call_its_time_and_its_people() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        let overlay = in_repository("examples/kustomize/overlays/january").display().to_string();
        let kubectl = |arguments: &[&str]| printed(&stage.cluster.kubectl(arguments, ""));
        let applied = kubectl(&["apply", "-n", &place.namespace, "-k", &overlay]);
        assert_eq!(applied.lines().count(), 2, "{applied}");
        for (name, opens, people) in [("review-2027-01-08", "2027-01-08T09:00:00Z", 3), ("review-2027-01-22", "2027-01-22T14:00:00Z", 4)] {
            let room = place.until_phase(name, Phase::Scheduled).await;
            let status = room.status.expect("a status");
            assert_eq!((status.valid_from.expect("a start").0.to_string().as_str(), status.participants.len()), (opens, people), "{name}");
        }
        assert_eq!(kubectl(&["diff", "-n", &place.namespace, "-k", &overlay]), "", "nothing is left to be applied");
    });
}
