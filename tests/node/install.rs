//! One step gives a working system.

use crate::site::{Site, seconds_since};
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::helm::chart;
use crate::support::{now, run};

#[test]
fn one_helm_install_gives_rooms_that_can_be_joined() {
    run(async {
        let Some(site) = Site::take().await else { return };
        let began = now();
        let notes = site.helm(&["install", "roomkeeper", &chart().display().to_string(), "--create-namespace"]);
        site.consultation().await;
        let ready = seconds_since(began);
        let (_forward, host) = site.forward().await;
        let doctor = site.join(&host, "doctor", &["microphone", "camera"]).await;
        let joined = seconds_since(began);
        let patient = site.join(&host, "patient", &["microphone"]).await;
        doctor.event("media-received").await;
        patient.event("media-received").await;
        println!("from helm install to a Ready Room {ready:.1} s, to the first person in its call {joined:.1} s");

        assert!(notes.contains("kubectl port-forward -n roomkeeper-system svc/roomkeeper-gateway 8080:80"), "{notes}");
        let tested = site.helm(&["test", "roomkeeper", "--logs"]);
        assert!(tested.contains("Succeeded"), "{tested}");
        assert_eq!(site.kubectl(&["get", "rooms", "-n", OPERATOR_NAMESPACE, "-o", "name"]), "", "the Room of the test is deleted");

        for component in ["controller", "gateway"] {
            let sizes: Vec<String> =
                site.pods(component).await.iter().map(|pod| format!("{} kB", site.resident_bytes(pod) / 1000)).collect();
            assert_eq!(sizes.len(), 2, "replicas of the {component}");
            println!("resident memory of the {component}s: {}", sizes.join(", "));
        }
        // The network of this node knows no policies: that they let everything through that is needed cannot be seen here.
        let policies = site.kubectl(&["get", "networkpolicies", "-n", OPERATOR_NAMESPACE, "-o", "name"]);
        assert_eq!(policies.lines().count(), 3, "{policies}");
    });
}
