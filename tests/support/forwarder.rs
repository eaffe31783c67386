//! Passes connections on, and can freeze them: as a firewall does that forgets a connection and tells nobody.

use std::future::pending;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Passes connections on to a port of loopback, until it is dropped.
pub struct Forwarder {
    /// Where it listens.
    pub port: u16,
    freeze: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Forwarder {
    /// Passes connections on to this port.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let (freeze, frozen) = watch::channel(());
        let task = tokio::spawn(async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                // Of all that happens from now on.
                let mut frozen = frozen.clone();
                frozen.mark_unchanged();
                connections.spawn(pass(client, port, frozen));
            }
        });
        Self { port: own, freeze, task }
    }

    /// From now on nothing passes on the connections that are there. They stay open, and new ones are passed on.
    pub fn freeze(&self) {
        self.freeze.send_replace(());
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut client: TcpStream, port: u16, mut frozen: watch::Receiver<()>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let is_over = tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => true,
        changed = frozen.changed() => changed.is_err(),
    };
    if !is_over {
        pending::<()>().await;
    }
}
