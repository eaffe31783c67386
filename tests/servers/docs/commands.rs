//! Runs what the pages tell people to type.

use super::pages::{Block, Needs, Page, pages, pages_in};
use super::reader::Reader;
use crate::support::dates::Checkout;
use crate::support::run;
use crate::support::stage::Stage;

#[test]
fn every_command_that_needs_no_pod_works_as_it_stands() {
    run(async {
        let mut stage = Stage::start().await;
        stage.cluster.retire();
        let checkout = Checkout::today();
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
            failures.extend(follow(&stage, &checkout, &page, namespace).await.err());
        }
        println!("{ran} blocks of commands were run; not run by any test:\n{}", left.join("\n"));
        assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
        assert!(ran > 30, "only {ran} blocks");
        assert!(left.len() <= 3, "every exception is one too many: {left:?}");
    });
}

#[test]
fn every_page_with_dates_works_in_ten_years() {
    run(async {
        let stage = Stage::shared().await;
        let checkout = Checkout::in_ten_years();
        let mut failures = Vec::new();
        let mut dated = Vec::new();
        for (today, page) in pages().into_iter().zip(pages_in(&checkout.root)) {
            if today.text == page.text {
                continue;
            }
            failures.extend(follow(stage, &checkout, &page, stage.place().await.namespace).await.err());
            dated.push(page.path);
        }
        assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
        for page in ["README.md", "docs/guides/kubectl.md", "docs/guides/windows.md"] {
            assert!(dated.iter().any(|path| path == page), "only {dated:?} have dates");
        }
    });
}

async fn follow(stage: &Stage, checkout: &Checkout, page: &Page, namespace: String) -> Result<(), String> {
    let reader = Reader { checkout, kubeconfig: stage.cluster.admin_kubeconfig(), namespace };
    reader.follow(page, |needs| *needs == Needs::Cluster).await
}
