//! One address before several gateways, as a Service is: new connections go to those that are in, in turn; those that are
//! open stay where they are.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The balancer.
pub struct Balancer {
    /// Where people connect.
    pub port: u16,
    ports: Arc<Mutex<Vec<u16>>>,
    accepting: JoinHandle<()>,
}

impl Balancer {
    /// Listens for connections to the gateways at these ports.
    pub async fn start(ports: &[u16]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let ports = Arc::new(Mutex::new(ports.to_vec()));
        let (known, turn) = (ports.clone(), AtomicUsize::new(0));
        let accepting = tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.expect("a connection");
                let port = {
                    let ports = known.lock().expect("unharmed");
                    ports.get(turn.fetch_add(1, Ordering::Relaxed) % ports.len().max(1)).copied()
                };
                let Some(port) = port else { continue };
                tokio::spawn(async move {
                    if let Ok(mut gateway) = TcpStream::connect(("127.0.0.1", port)).await {
                        let _ = copy_bidirectional(&mut client, &mut gateway).await;
                    }
                });
            }
        });
        Self { port, ports, accepting }
    }

    /// Sends no more connections there.
    pub fn take_out(&self, port: u16) {
        self.ports.lock().expect("unharmed").retain(|known| *known != port);
    }

    /// Sends connections there from now on.
    pub fn put_in(&self, port: u16) {
        self.ports.lock().expect("unharmed").push(port);
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
