//! Roomkeeper on a real node: its own image, installed by its chart, under the real kubelet.

mod bad_input;
mod documentation;
mod failover;
mod harness;
mod image;
mod install;
mod ipv6;
mod media;
mod own_livekit;
mod site;
mod uninstall;
mod upgrade;
