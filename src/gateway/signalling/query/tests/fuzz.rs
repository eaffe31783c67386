//! Queries as no client sends them.

use proptest::prelude::*;

use super::*;
use crate::fuzzing::{fuzz, mutated, mutations};

const QUERY: &str = "access_token=a.b-c._d&sdk=js&protocol=15&auto_subscribe=1&name=A%20%C3%BC%2B&empty=&version=2.0";
const OTHERS: [&str; 3] = ["publish=x", "access%5Ftoken=x&access_token=y", "sdk=js&%70ublish="];

#[test]
fn whatever_the_query_only_the_right_path_of_the_media_server_is_asked_and_for_one_identity_without_the_token() {
    let others = OTHERS.map(|query| query.as_bytes().to_vec());
    fuzz(&mutations(), |changes| {
        let query = String::from_utf8_lossy(&mutated(QUERY.as_bytes(), &others, &changes)).into_owned();
        let named: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let Ok(url) = address("http://media:7880", "/rtc", &query) else {
            prop_assert!(named.iter().any(|(key, _)| key == "publish"), "{}", query);
            return Ok(());
        };
        prop_assert_eq!((url.host_str(), url.port(), url.path(), url.fragment()), (Some("media"), Some(7880), "/rtc", None));
        prop_assert!(url.as_str().len() <= 32 + 9 * query.len() && url.as_str().is_ascii(), "{}", url);
        let passed: Vec<_> = url.query_pairs().into_owned().collect();
        prop_assert!(passed.iter().all(|(key, _)| key != "access_token" && key != "publish"), "{}", url);
        prop_assert_eq!(passed, named.iter().filter(|(key, _)| key != "access_token").cloned().collect::<Vec<_>>());
        prop_assert_eq!(token_in(&query), named.into_iter().find(|(key, _)| key == "access_token").map(|(_, token)| token));
        Ok(())
    });
}
