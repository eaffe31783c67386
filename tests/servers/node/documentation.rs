//! The pages of the documentation that need Pods, followed from top to bottom on the node. `tests/servers/docs` has all else about them.

use std::thread;

use super::site::Site;
use crate::docs::pages::{Needs, Page, pages};
use crate::docs::reader::Reader;
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::dates::Checkout;
use crate::support::run;

/// Commands that install Roomkeeper.
const INSTALLATIONS: [&str; 2] = ["helm install roomkeeper", "kubectl apply --server-side --force-conflicts -f roomkeeper.yaml"];

fn needs_pods(page: &Page) -> bool {
    page.blocks.iter().any(|block| block.is_commands() && block.needs() == Needs::Node)
}

fn installs(page: &Page) -> bool {
    page.blocks.iter().any(|block| INSTALLATIONS.iter().any(|command| block.text.contains(command)))
}

/// Follows pages one after the other on one node, with Roomkeeper installed if they do not do that themselves, and gives what went wrong.
async fn follow(checkout: &Checkout, pages: &[Page], install: bool) -> Vec<String> {
    let Some(site) = Site::take().await else { return Vec::new() };
    if install {
        site.install(&[]);
        site.kubectl(&["wait", "--for=create", "--timeout=60s", "roomclass/livekit"]);
        site.kubectl(&["wait", "--for=condition=Ready", "--timeout=120s", "roomclass/livekit"]);
    } else {
        site.kubectl(&["delete", "namespace", OPERATOR_NAMESPACE, "--timeout=120s"]);
    }
    let mut failures = Vec::new();
    for page in pages {
        let namespace = page.path.replace(['/', '.'], "-").to_lowercase();
        site.kubectl(&["create", "namespace", &namespace]);
        let reader = Reader { checkout, kubeconfig: site.node.admin_kubeconfig(), namespace };
        // In the node's network, because pages name ports of loopback, which only one of them can have at a time.
        let shell = site.node.command("bash");
        failures.extend(reader.follow_in(shell, page, |needs| !matches!(needs, Needs::Reader(_))).await.err());
    }
    failures
}

#[test]
fn every_command_of_the_pages_that_need_pods_works_as_it_stands() {
    let checkout = Checkout::today();
    let pages: Vec<Page> = pages().into_iter().filter(needs_pods).collect();
    assert!(pages.len() > 4, "only {} pages", pages.len());
    let (install, use_it): (Vec<Page>, Vec<Page>) = pages.into_iter().partition(installs);
    let failures = thread::scope(|scope| {
        let mut readers = vec![scope.spawn(|| run(follow(&checkout, &use_it, true)))];
        // Whoever installs Roomkeeper needs a node without it.
        readers.extend(install.chunks(1).map(|page| scope.spawn(|| run(follow(&checkout, page, false)))));
        readers.into_iter().flat_map(|reader| reader.join().expect("a reader")).collect::<Vec<_>>()
    });
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
}
