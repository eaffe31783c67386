//! What kubectl has saved, as the guide to backups says it, is applied to another cluster.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use roomkeeper::api::Phase;
use serde_json::json;

use crate::docs::pages::page;
use crate::support::cluster::Cluster;
use crate::support::helm::said;
use crate::support::operator::Role;
use crate::support::process::{free_port, log_file};
use crate::support::run;
use crate::support::stage::{CLASS, Lent, PATIENCE, Place, Stage, ask, set_credentials};
use crate::support::tools::tool;

#[test]
fn what_kubectl_saved_makes_the_same_rooms_in_an_empty_cluster_with_the_same_links_where_they_have_an_id() {
    run(async {
        let before = Stage::start().await;
        let namespace = before.cluster.namespace().await;
        let people = json!([{"name": "ada", "role": "Presenter"}, {"name": "ben", "inviteGeneration": 2}]);
        let place = before.place_in(namespace.clone());
        place.apply("kept", json!({"id": "5f0c7f0e-3d0a-4f0b-8a45-6c1d0b2f9e77", "duration": "720h", "participants": people})).await;
        place.apply("plain", json!({"duration": "720h", "participants": people})).await;
        let (kept, plain) = (opened(&place, "kept").await, opened(&place, "plain").await);

        let files = log_file("saved").with_extension("d");
        fs::create_dir_all(&files).expect("a directory");
        let page = page("docs/guides/backup.md");
        let block = |start: &str| page.blocks.iter().find(|block| block.text.starts_with(start)).map(|block| block.text.as_str());
        typed(&before.cluster, &files, block("save()").expect("what saves the objects"));
        typed(&before.cluster, &files, block("kubectl --namespace roomkeeper-system get secret").expect("what saves the keys"));
        let restore = block("kubectl delete room clinic\n").expect("what restores").trim_start_matches("kubectl delete room clinic\n");

        let cluster = Lent::new().await;
        let admin = cluster.admin().await;
        assert!(cluster.kubectl(&["create", "namespace", &namespace], "").status.success());
        set_credentials(&admin, CLASS, &before.livekit.options.api_key, &before.livekit.options.api_secret).await;
        typed(&cluster, &files, restore);
        let port = free_port();
        let (controller, gateway) =
            (cluster.account_kubeconfig("roomkeeper-controller").await, cluster.account_kubeconfig("roomkeeper-gateway").await);
        let url = format!("http://127.0.0.1:{}", before.gateway.port);
        let (controller, gateway) = tokio::join!(Role::controller(&controller, &url), Role::gateway(&gateway, port));
        let Stage { controller: controller_before, gateway: gateway_before, livekit, .. } = before;
        let after = Stage { controller, gateway, livekit, admin, cluster };

        let place = after.place_in(namespace);
        assert_eq!(opened(&place, "kept").await, kept, "the links of before");
        let anew = opened(&place, "plain").await;
        assert_eq!(anew.len(), plain.len());
        assert!(anew.iter().all(|(name, invite)| plain[name] != *invite), "links of its own");
        for name in kept.keys() {
            for (invites, room) in [(&kept, "kept"), (&anew, "plain")] {
                assert_eq!(place.invite(room, name).await, invites[name]);
                assert_eq!(after.join(&invites[name]).await.status, 200, "{name} of {room}");
            }
            assert_eq!(after.join(&plain[name]).await.problem(), "invalid-invite", "{name} by the link of a Room that is another one now");
            let there = ask(gateway_before.port, "POST", "/v1/join", &anew[name], None).await.expect("an answer");
            assert_eq!(there.problem(), "invalid-invite", "{name} by a link that the old cluster does not know");
        }
        for name in ["kept", "plain"] {
            place.delete(name).await;
            place.until_gone(name, PATIENCE).await;
        }
        drop((controller_before, gateway_before));
    });
}

/// The invites of a Room, once it is open.
async fn opened(place: &Place<'_>, room: &str) -> BTreeMap<String, String> {
    place.until_phase(room, Phase::Open).await;
    place.invites(room).await
}

/// Types commands of the guide among the files of before.
fn typed(cluster: &Cluster, files: &Path, commands: &str) {
    let tools = tool("kubectl").parent().expect("a directory").display().to_string();
    let path = format!("{tools}:{}", std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("bash");
    shell.args(["-euc", commands]).current_dir(files).env("PATH", path).env("KUBECONFIG", cluster.admin_kubeconfig());
    said(&shell.output().expect("bash"));
}
