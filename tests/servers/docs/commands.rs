//! Runs what the pages tell people to type.

use super::pages::{Block, Needs, pages};
use super::reader::Reader;
use crate::support::run;
use crate::support::stage::Stage;

#[test]
fn every_command_that_needs_no_pod_works_as_it_stands() {
    run(async {
        let mut stage = Stage::start().await;
        stage.cluster.retire();
        let mut failures = Vec::new();
        let (mut ran, mut left) = (0, Vec::new());
        for page in pages() {
            let commands: Vec<&Block> = page.blocks.iter().filter(|block| block.is_commands()).collect();
            ran += commands.iter().filter(|block| block.needs() == Needs::Cluster).count();
            for block in &commands {
                if let Needs::Reader(reason) = block.needs() {
                    left.push(format!("{}:{}: {reason}", page.path, block.line));
                }
            }
            if !commands.iter().any(|block| block.needs() == Needs::Cluster) {
                continue;
            }
            let namespace = page.path.replace(['/', '.'], "-").to_lowercase();
            let created = stage.cluster.kubectl(&["create", "namespace", &namespace], "");
            assert!(created.status.success(), "{created:?}");
            let reader = Reader { kubeconfig: stage.cluster.admin_kubeconfig(), namespace };
            failures.extend(reader.follow(&page, |needs| *needs == Needs::Cluster).await.err());
        }
        println!("{ran} blocks of commands were run; not run by any test:\n{}", left.join("\n"));
        assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
        assert!(ran > 30, "only {ran} blocks");
        assert!(left.len() <= 3, "every exception is one too many: {left:?}");
    });
}
