//! The pages of the documentation that need Pods, followed from top to bottom on the node. `tests/servers/docs` has all else about them.

use super::site::Site;
use crate::docs::pages::{Needs, Page, pages};
use crate::docs::reader::Reader;
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::dates::Checkout;
use crate::support::run;

#[test]
fn every_command_of_the_pages_that_need_pods_works_as_it_stands() {
    run(async {
        let checkout = Checkout::today();
        let mut failures = Vec::new();
        let needs_pods = |page: &Page| page.blocks.iter().any(|block| block.is_commands() && block.needs() == Needs::Node);
        let pages: Vec<Page> = pages().into_iter().filter(needs_pods).collect();
        assert!(pages.len() > 4, "only {} pages", pages.len());
        for page in pages {
            let Some(site) = Site::take().await else { return };
            // Whoever begins at the beginning has nothing yet; all others have Roomkeeper.
            let begins = ["helm install roomkeeper", "kubectl apply --server-side --force-conflicts -f roomkeeper.yaml"];
            if page.blocks.iter().any(|block| begins.iter().any(|command| block.text.contains(command))) {
                site.kubectl(&["delete", "namespace", OPERATOR_NAMESPACE, "--timeout=120s"]);
            } else {
                site.install(&[]);
                site.kubectl(&["wait", "--for=create", "--timeout=60s", "roomclass/livekit"]);
                site.kubectl(&["wait", "--for=condition=Ready", "--timeout=120s", "roomclass/livekit"]);
            }
            let namespace = page.path.replace(['/', '.'], "-").to_lowercase();
            site.kubectl(&["create", "namespace", &namespace]);
            let reader = Reader { checkout: &checkout, kubeconfig: site.node.admin_kubeconfig(), namespace };
            failures.extend(reader.follow(&page, |needs| !matches!(needs, Needs::Reader(_))).await.err());
        }
        assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
    });
}
