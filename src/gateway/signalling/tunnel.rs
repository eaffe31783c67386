//! Carries the bytes of one connection.

use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, copy_buf, split};
use tokio::time::timeout;

/// Bytes that are read at once in each direction. Signalling is small, and most connections are idle.
const CHUNK: usize = 4096;
/// How long the rest of one direction may take when the other has ended.
const FAREWELL: Duration = Duration::from_secs(2);

/// Carries bytes both ways until one side ends, or `cut` returns.
pub async fn tunnel(client: impl AsyncRead + AsyncWrite, server: impl AsyncRead + AsyncWrite, cut: impl Future<Output = ()>) {
    let (from_client, mut to_client) = split(client);
    let (from_server, mut to_server) = split(server);
    let (mut from_client, mut from_server) = (BufReader::with_capacity(CHUNK, from_client), BufReader::with_capacity(CHUNK, from_server));
    let carried = async {
        let up = async {
            let _ = copy_buf(&mut from_client, &mut to_server).await;
            let _ = to_server.shutdown().await;
        };
        let down = async {
            let _ = copy_buf(&mut from_server, &mut to_client).await;
            let _ = to_client.shutdown().await;
        };
        let (mut up, mut down) = (pin!(up), pin!(down));
        // A client that is gone never ends its direction by itself.
        tokio::select! {
            () = &mut up => drop(timeout(FAREWELL, down).await),
            () = &mut down => drop(timeout(FAREWELL, up).await),
        }
    };
    tokio::select! {
        () = carried => {}
        () = cut => {}
    }
}
