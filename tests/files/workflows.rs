//! The workflows: what checks a change, and what a release is made by.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::in_repository;

fn read(path: &str) -> String {
    fs::read_to_string(in_repository(path)).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"))
}

/// A workflow by its name.
fn workflow(name: &str) -> Value {
    serde_yaml::from_str(&read(&format!(".github/workflows/{name}.yml"))).expect("YAML")
}

/// The workflow that makes a release.
fn release() -> Value {
    workflow("release")
}

/// The steps of one of the jobs of a workflow.
fn steps<'a>(workflow: &'a Value, job: &str) -> &'a [Value] {
    workflow["jobs"][job]["steps"].as_array().unwrap_or_else(|| panic!("there is no job {job}"))
}

/// Whether a command runs all tests and checks.
fn is_all(command: &str) -> bool {
    command.split(' ').any(|word| word == ".ci/run")
}

/// What a step runs, line by line.
fn commands(step: &Value) -> Vec<&str> {
    step["run"].as_str().unwrap_or_default().lines().map(str::trim).collect()
}

#[test]
fn a_change_that_is_proposed_and_each_commit_of_main_get_all_tests_and_no_right_to_write() {
    let ci = workflow("ci");
    // By `pull_request_target` a stranger's code would run with the rights of the repository.
    let on: BTreeSet<&str> = ci["on"].as_object().expect("events").keys().map(String::as_str).collect();
    assert_eq!(on, BTreeSet::from(["pull_request", "push"]));
    assert_eq!(ci["on"]["pull_request"], Value::Null, "whatever it changes");
    assert_eq!(ci["on"]["push"], json!({"branches": ["main"]}));
    assert_eq!(ci["permissions"], json!({}), "a job has no right that it does not name");
    let jobs = ci["jobs"].as_object().expect("jobs");
    for (name, job) in jobs {
        assert_eq!(job["permissions"], json!({"contents": "read"}), "{name}");
    }
    let runs = jobs.keys().flat_map(|job| steps(&ci, job)).find(|step| commands(step).into_iter().any(is_all));
    let runs = runs.expect("a step that runs .ci/run");
    assert!(runs["if"].is_null() && runs["continue-on-error"].is_null(), "{runs}");
    assert!(!read(".github/workflows/ci.yml").contains("secrets."), "a check needs no secret");
}

#[test]
fn workflows_use_each_action_by_its_major_version() {
    let files = fs::read_dir(in_repository(".github/workflows")).expect("the workflows").map(|entry| entry.expect("an entry").path());
    let workflows: Vec<Value> =
        files.map(|file| serde_yaml::from_str(&fs::read_to_string(&file).expect("a workflow")).expect("YAML")).collect();
    let jobs = workflows.iter().flat_map(|workflow| workflow["jobs"].as_object().expect("jobs").values());
    let steps = jobs.flat_map(|job| job["steps"].as_array().expect("steps").iter().chain([job]));
    let actions: Vec<&str> = steps.filter_map(|step| step["uses"].as_str()).collect();
    assert!(actions.len() > 7, "only {actions:?}");
    let is_pinned = |action: &&str| {
        let (name, version) = action.split_once("@v").unwrap_or_default();
        name.split('/').count() == 2 && !version.is_empty() && version.chars().all(|c| c.is_ascii_digit())
    };
    let others: Vec<&str> = actions.into_iter().filter(|action| !is_pinned(action)).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn one_job_of_a_release_writes_and_it_uses_each_right_that_it_has() {
    let release = release();
    assert_eq!(release["permissions"], json!({}), "a job has no right that it does not name");
    for (name, job) in release["jobs"].as_object().expect("jobs") {
        assert!(name == "publish" || job["permissions"] == json!({"contents": "read"}), "{name} has {}", job["permissions"]);
    }
    let publish = &release["jobs"]["publish"];
    let rights = publish["permissions"].as_object().expect("permissions");
    assert!(rights.values().all(|level| *level == "write"), "{rights:?}");
    // What needs the right, as it stands in a command or in the name of an action.
    let needed_by = [
        ("attestations", "actions/attest-"),
        ("contents", "gh release create "),
        ("id-token", "cosign sign "),
        ("packages", "docker://$IMAGE:"),
    ];
    let steps = publish["steps"].to_string();
    for right in rights.keys() {
        let user = needed_by.iter().find(|(needed, _)| needed == right).map(|(_, user)| *user);
        assert!(user.is_some_and(|user| steps.contains(user)), "nothing needs {right}");
    }
}

#[test]
fn a_release_is_of_the_version_that_its_tag_says() {
    const CHART: &str = "charts/roomkeeper/Chart.yaml";
    let release = release();
    let steps = steps(&release, "image");
    let builds = |step: &Value| commands(step).iter().any(|command| command.starts_with("tools/image "));
    let built = steps.iter().position(builds).expect("a step that builds the image");
    let check: String = steps[..built].iter().filter_map(|step| step["run"].as_str()).collect();
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("release");
    fs::create_dir_all(place.join(CHART).parent().expect("a directory")).expect("a directory");
    let accepts = |tag: &str, cargo: &str, chart: &str| {
        fs::write(place.join("Cargo.toml"), cargo).expect("a file");
        fs::write(place.join(CHART), chart).expect("a file");
        // As GitHub runs it.
        let mut command = Command::new("bash");
        command.args(["-e", "-c", &check]).current_dir(&place).env("GITHUB_REF_NAME", tag);
        command.status().expect("bash").success()
    };
    let (cargo, chart) = (read("Cargo.toml"), read(CHART));
    let version = env!("CARGO_PKG_VERSION");
    let tag = format!("v{version}");
    assert!(accepts(&tag, &cargo, &chart), "the tag {tag} is refused");
    assert!(!accepts("v99.0.0", &cargo, &chart), "any tag is accepted");
    let other_binary = cargo.replacen(&format!("version = \"{version}\""), "version = \"99.0.0\"", 1);
    assert!(!accepts(&tag, &other_binary, &chart), "the version of the binary does not matter");
    for key in ["version: ", "appVersion: v"] {
        let other_chart = chart.replacen(&format!("\n{key}{version}"), &format!("\n{key}99.0.0"), 1);
        assert!(!accepts(&tag, &cargo, &other_chart), "{key} of the chart does not matter");
    }
}

#[test]
fn a_release_is_published_after_it_was_built_and_tested() {
    let release = release();
    let needs: BTreeSet<&str> =
        release["jobs"]["publish"]["needs"].as_array().expect("jobs").iter().map(|job| job.as_str().expect("a job")).collect();
    assert_eq!(needs, BTreeSet::from(["image", "test"]));
    assert!(steps(&release, "test").iter().flat_map(commands).any(is_all), "the tests are not run");
}

#[test]
fn a_release_is_signed_by_digest_and_has_its_bill_of_materials_attached() {
    let release = release();
    let publish = steps(&release, "publish");
    let all: Vec<&str> = publish.iter().flat_map(commands).collect();
    let signs = all.iter().filter(|command| command.starts_with("cosign sign "));
    let signed: Vec<&str> = signs.filter_map(|command| Some(command.split_once('"')?.1.trim_end_matches('"'))).collect();
    assert_eq!(signed, ["$IMAGE@$(<digest)", "$CHARTS/roomkeeper@$(sed -n 's/^Digest: //p' pushed)"]);

    // The digest of what was pushed under the tag, which is what the attestations are about, too.
    let image = publish.iter().find(|step| step["id"] == "image").expect("the step that pushes the image");
    for command in [
        r#"buildah manifest push --all --digestfile digest release "docker://$IMAGE:$GITHUB_REF_NAME""#,
        r#"echo "digest=$(<digest)" >>"$GITHUB_OUTPUT""#,
    ] {
        assert!(commands(image).contains(&command), "{image} does not: {command}");
    }
    for action in ["actions/attest-build-provenance@", "actions/attest-sbom@"] {
        let step = publish.iter().find(|step| step["uses"].as_str().is_some_and(|name| name.starts_with(action)));
        let with = &step.unwrap_or_else(|| panic!("no step uses {action}"))["with"];
        assert_eq!(with["subject-name"], "${{ env.IMAGE }}", "{action}");
        assert_eq!(with["subject-digest"], "${{ steps.image.outputs.digest }}", "{action}");
        if action.contains("sbom") {
            let bill = with["sbom-path"].as_str().expect("a file");
            // cargo-cyclonedx adds the ending itself.
            let made = format!(" --override-filename {}", bill.trim_end_matches(".json"));
            assert!(all.iter().any(|command| command.ends_with(&made)), "nothing makes {bill}");
            let released = |command: &&str| command.starts_with("gh release create ") && command.split(' ').any(|file| file == bill);
            assert!(all.iter().any(released), "{bill} is no file of the release");
        }
    }
}
