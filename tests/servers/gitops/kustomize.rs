//! The example of a series of calls, rendered by kubectl's own kustomize.

use jiff::ToSpan;
use roomkeeper::api::Phase;
use rstest::rstest;

use super::printed;
use crate::support::dates::Checkout;
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
