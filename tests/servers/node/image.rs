//! The image of Roomkeeper.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tokio::sync::OnceCell;

use crate::support::node::{Node, buildah, run as finish};
use crate::support::process::log_file;
use crate::support::{at_full_length, run};

/// The largest image that may be built, in bytes.
const LARGEST: u64 = 40 << 20;

/// Builds the image as `make image` does, but for what takes long, and returns its name and its archive.
fn build() -> (String, PathBuf) {
    let archive = log_file("roomkeeper").with_extension("tar");
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/image"));
    // Those of the Cargo that runs this test are not meant for the one that `tools/image` runs.
    let kept = ["CARGO_HOME", "CARGO_BUILD_BUILD_DIR"];
    let is_of_this_test = |name: &str| name.starts_with("CARGO_") && !kept.contains(&name);
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_this_test(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    if !at_full_length() {
        // Optimisation across all crates takes five minutes of a core, and changes nothing that pods can tell.
        command.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    }
    let said = finish(buildah(command.arg(&archive)));
    (said.trim().to_owned(), archive)
}

/// The image that all tests share: its name and its archive.
pub async fn shared() -> &'static (String, PathBuf) {
    static SHARED: OnceCell<(String, PathBuf)> = OnceCell::const_new();
    SHARED.get_or_init(async || build()).await
}

#[test]
fn the_image_is_small_is_not_root_and_is_the_same_when_built_again() {
    run(async {
        if !Node::possible() {
            return;
        }
        let (name, archive) = shared().await;
        let inspect = || finish(buildah(&mut Command::new("buildah")).args(["inspect", "--type", "image", name]));
        let first: Value = serde_json::from_str(&inspect()).expect("JSON");
        build();
        let second: Value = serde_json::from_str(&inspect()).expect("JSON");
        let digest = &first["FromImageDigest"];
        assert!(digest.as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{first}");
        assert_eq!(digest, &second["FromImageDigest"], "two builds of the same source");

        let size = fs::metadata(archive).expect("the archive").len();
        assert!(size < LARGEST, "{size} bytes");
        println!("{name} {digest}: {} kB", size / 1000);
        let config = &first["OCIv1"]["config"];
        assert_eq!(config["User"], "65532:65532");
        assert_eq!(config["Entrypoint"], serde_json::json!(["/roomkeeper"]));
        let environment = config["Env"].as_array().expect("a list");
        assert!(environment.contains(&serde_json::json!("MALLOC_ARENA_MAX=1")), "{config}");
        for label in ["title", "description", "source", "licenses", "version", "revision"] {
            let value = &config["Labels"][format!("org.opencontainers.image.{label}")];
            assert!(value.as_str().is_some_and(|value| !value.is_empty()), "no label {label}: {config}");
        }
    });
}
