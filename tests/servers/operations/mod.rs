//! What operators of Roomkeeper rely on: several replicas, limits to namespaces, clear words at the start, metrics, logs, traces.

mod balancer;
mod gateways;
pub mod leader;
mod relist;
mod scope;
mod shards;
mod signals;
mod silence;
mod start;
pub mod traces;
mod two_leaders;
