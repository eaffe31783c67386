//! What people see through kubectl.

// Clippy takes only functions marked as tests for tests, and these are their parts.
#![allow(clippy::expect_used)]

use std::path::Path;

use kube::ResourceExt;
use rstest::rstest;
use serde_json::json;

use super::objects::Objects;
use crate::support::cluster::Cluster;
use crate::support::run;

const CONSULTATION: &str = "
apiVersion: roomkeeper.io/v1alpha1
kind: Room
metadata:
  name: consultation
spec:
  duration: 45m
  participants:
    - name: doctor
      role: Presenter
    - name: patient
";

/// Runs kubectl: whether it succeeded, and what it printed, with every run of blanks as one.
async fn kubectl(arguments: &[&str], input: &str) -> (bool, String) {
    let ran = Cluster::shared().await.kubectl(arguments, input);
    let printed = format!("{}\n{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let lines = printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|line| !line.is_empty());
    (ran.status.success(), lines.collect::<Vec<_>>().join("\n"))
}

/// Runs kubectl, which must succeed.
async fn works(arguments: &[&str], input: &str) -> String {
    let (success, printed) = kubectl(arguments, input).await;
    assert!(success, "kubectl {arguments:?} failed: {printed}");
    printed
}

fn in_repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

#[test]
fn an_unknown_field_is_refused_by_name() {
    run(async {
        let rooms = Objects::rooms().await;
        for (field, typo) in [("spec.dration", "\n  dration: 1h"), ("spec.participants[1].rol", "\n      rol: Consumer")] {
            let (success, printed) =
                kubectl(&["apply", "-n", &rooms.namespace, "-f", "-"], &format!("{}{typo}", CONSULTATION.trim_end())).await;
            assert!(!success && printed.contains(&format!("unknown field \"{field}\"")), "{printed}");
        }
    });
}

#[test]
fn applying_the_same_manifest_again_changes_nothing() {
    run(async {
        let namespace = Objects::rooms().await.namespace;
        for options in [&[][..], &["--server-side"]] {
            let apply = [&["apply", "-n", &namespace, "-f", "-"], options].concat();
            works(&apply, CONSULTATION).await;
            let version =
                ["get", "mroom", "-n", &namespace, "consultation", "-o", "jsonpath={.metadata.generation} {.metadata.resourceVersion}"];
            let before = works(&version, "").await;
            works(&apply, CONSULTATION).await;
            assert_eq!(works(&version, "").await, before, "{options:?}");
            assert_eq!(works(&[&["diff", "-n", &namespace, "-f", "-"], options].concat(), CONSULTATION).await, "", "{options:?}");
        }
    });
}

#[test]
fn a_list_of_rooms_says_when_they_open_and_close_and_who_is_there() {
    run(async {
        let namespace = Objects::rooms().await.namespace;
        works(&["apply", "-n", &namespace, "-f", "-"], CONSULTATION).await;
        let get = |options: &'static [&str]| [&["get", "mroom", "-n", &namespace], options].concat();
        let list = works(&get(&[]), "").await;
        let mut lines = list.lines();
        assert_eq!(lines.next(), Some("NAME PHASE READY OPENS CLOSES JOINED AGE"));
        assert!(lines.next().expect("a Room").starts_with("consultation Pending Unknown "), "{list}");
        let wide = works(&get(&["-o", "wide"]), "").await;
        assert_eq!(wide.lines().next(), Some("NAME PHASE READY OPENS CLOSES JOINED CLASS REASON AGE"));
    });
}

#[test]
fn the_category_lists_both_kinds() {
    run(async {
        let namespace = Objects::rooms().await.namespace;
        works(&["apply", "-n", &namespace, "-f", "-"], CONSULTATION).await;
        let backend = json!({"liveKit": {"url": "http://livekit:7880", "credentialsSecretRef": {"name": "livekit"}}});
        let class = Objects::classes().await.accepts(json!({"backend": backend})).await.name_any();
        let names = works(&["get", "roomkeeper", "-n", &namespace, "-o", "name"], "").await;
        for name in ["room.roomkeeper.io/consultation".to_owned(), format!("roomclass.roomkeeper.io/{class}")] {
            assert!(names.lines().any(|line| line == name), "{name} is not in: {names}");
        }
    });
}

#[rstest]
#[case("room", &["A call that only invited people can join"])]
#[case("room.spec.participants", &["<[]Object>", "The invited people, at most 350", "Stable identity of the person", "-required-"])]
#[case("room.spec.participants.role", &["ENUM: Presenter Collaborator Attendee Consumer", "What the person may do.", "Consumer: only hear and see"])]
#[case("room.status.phase", &["ENUM: Pending Scheduled Open Suspended Expired", "Where the Room is in its life", "Scheduled: before its window"])]
#[case("roomclass.spec.backend.liveKit", &["A LiveKit server or cluster, version 1.9.11 or later", "Address of LiveKit's WebSocket as clients reach it"])]
#[case("roomclass.spec.allowedNamespaces.from", &["ENUM: All Selector", "All: every namespace."])]
fn explain_reads_like_a_manual(#[case] path: &str, #[case] words: &[&str]) {
    run(async {
        let explained = works(&["explain", path], "").await.replace('\n', " ");
        for words in words {
            assert!(explained.contains(words), "{words:?} is not in: {explained}");
        }
    });
}

#[test]
fn every_example_is_accepted_and_kept_as_it_is_written() {
    run(async {
        let namespace = Objects::rooms().await.namespace;
        let examples = in_repository("examples");
        // `kustomize` is a folder of its own, with a test of its own.
        let files = std::fs::read_dir(&examples).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file()).count();
        let applied = works(&["apply", "-n", &namespace, "-f", &examples], "").await;
        assert!(files >= 4 && applied.lines().count() >= files, "{applied}");
        assert_eq!(works(&["diff", "-n", &namespace, "-f", &examples], "").await, "");
    });
}

#[test]
fn the_crd_files_can_be_applied_as_they_are() {
    run(async {
        let crds = in_repository("crds");
        works(&["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", &crds], "").await;
    });
}
