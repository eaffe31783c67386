//! All plans: each request of each scenario, each with every fault.

use std::time::Duration;

use tokio::time::sleep;

use super::attack::{Attack, Ended, plan};
use super::{is_tried, scenarios};
use crate::support::fault_proxy::Fault;
use crate::support::{all_faults, run_heavy};

/// What can go wrong with a request.
const FAULTS: [Fault; 12] = [
    Fault::Lost,
    Fault::Unanswered,
    Fault::Reset,
    Fault::ResetAfter,
    Fault::Truncated,
    Fault::Status(401),
    Fault::Status(403),
    Fault::Status(409),
    Fault::Status(422),
    Fault::Status(429),
    Fault::Status(500),
    Fault::Status(503),
];
/// More requests than any scenario has.
const MOST: usize = 30;

/// Of so many plans a short run takes one: a number that shares no factor with the number of faults, so that each comes up.
const SHORT: usize = 29;

#[test]
fn whatever_goes_wrong_with_whichever_request_a_room_comes_to_be_as_it_says_and_then_is_quiet() {
    run_heavy(async {
        let mut attack = Attack::start().await;
        let (mut next, mut total) = (0, 0);
        for scenario in scenarios::all() {
            let mut held = 0;
            'plans: for number in 1..=MOST {
                for fault in FAULTS {
                    next += 1;
                    if is_tried(&plan(&scenario, number, fault), next, SHORT) {
                        if attack.attempt(&scenario, number, fault).await == Ended::NotReached {
                            break 'plans;
                        }
                        held += 1;
                    }
                }
            }
            println!("{held:4} plans held: {}", scenario.name);
            total += held;
        }
        println!("{total:4} plans held in all");
        let quiet = if all_faults() { Duration::from_mins(1) } else { Duration::from_secs(5) };
        let before = attack.faults.changes();
        // What is promised is that nothing happens in this time.
        sleep(quiet).await;
        assert_eq!(attack.faults.changes(), before, "nothing is written any more");
    });
}
