//! The client that people build themselves: `examples/acs`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::page::build::succeed;

#[test]
fn the_client_builds_from_what_its_lock_file_names() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/acs");
    // Not in its own folder, which other tests copy, and whose lock file nothing may change.
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("acs-client");
    let _ = fs::remove_dir_all(&build);
    fs::create_dir_all(&build).expect("a directory");
    for file in ["client.ts", "index.html", "package.json", "package-lock.json", "tsconfig.json"] {
        fs::copy(source.join(file), build.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    let npm = || {
        let mut npm = Command::new("npm");
        npm.current_dir(&build);
        npm
    };
    succeed(npm().args(["ci", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"]));
    succeed(npm().args(["run", "--silent", "build"]));
    for file in ["client.js", "index.html"] {
        assert!(build.join("dist").join(file).is_file(), "dist/{file} is not there");
    }
}

#[test]
fn the_client_takes_no_other_versions_and_from_no_other_place_than_it_says() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/acs");
    let json = |file: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(source.join(file)).expect("a file")).unwrap_or_else(|error| panic!("{file}: {error}"))
    };
    let (package, lock) = (json("package.json"), json("package-lock.json"));
    for kind in ["dependencies", "devDependencies"] {
        for (name, version) in package[kind].as_object().expect("a table") {
            assert_eq!(version, &lock["packages"][format!("node_modules/{name}")]["version"], "{name} is not pinned");
        }
    }
    for (name, locked) in lock["packages"].as_object().expect("a table") {
        assert!(locked.get("resolved").is_none(), "{name} names a registry, which is that of who made the lock file");
    }
}
