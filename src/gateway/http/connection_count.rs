//! Counts connections by address, so that one address cannot take them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;

/// Connections by network.
#[derive(Clone, Default)]
pub struct ConnectionCount(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection, which counts as long as this lives.
pub struct CountedConnection {
    network: Option<IpAddr>,
    count: ConnectionCount,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionCount {
    /// Counts one more connection, unless its network has `most` already. Without a network it counts by the permit alone.
    pub fn add(&self, network: Option<IpAddr>, most: usize, permit: OwnedSemaphorePermit) -> Option<CountedConnection> {
        if let Some(network) = network {
            let mut counts = self.0.lock();
            let count = counts.entry(network).or_default();
            if *count >= most {
                return None;
            }
            *count += 1;
        }
        Some(CountedConnection { network, count: self.clone(), _permit: permit })
    }

    fn remove(&self, network: IpAddr) {
        let mut counts = self.0.lock();
        if let Some(count) = counts.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&network);
            }
        }
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        if let Some(network) = self.network {
            self.count.remove(network);
        }
    }
}
