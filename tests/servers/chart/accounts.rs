//! The accounts that the demo and most tests install, without Helm.

use std::path::Path;
use std::{env, fs};

use crate::support::cluster::ACCOUNTS;
use crate::support::helm;

#[test]
fn the_accounts_that_are_installed_without_helm_are_those_of_the_chart() {
    let rendered = helm::accounts(&[]);
    if env::var_os("UPDATE_GENERATED").is_some_and(|value| value == "1") {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/accounts.yaml"), &*rendered).expect("the accounts are written");
    } else {
        assert!(ACCOUNTS == &*rendered, "tests/support/accounts.yaml is not what the chart says: run `make chart`");
    }
}
