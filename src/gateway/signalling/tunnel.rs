//! Carries the bytes of one connection.

use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, copy_buf, split};
use tokio::time::timeout;

use super::message_limit::{FrameError, MessageLimit};

/// Bytes that are read at once in each direction. Signalling is small, and most connections are idle.
const CHUNK: usize = 4096;
/// How long the rest of one direction may take when the other has ended.
const FAREWELL: Duration = Duration::from_secs(2);

/// Carries bytes both ways until one side ends, or `cut` returns. Ends at once when the client sends what none has to send.
pub async fn tunnel(
    client: impl AsyncRead + AsyncWrite,
    server: impl AsyncRead + AsyncWrite,
    cut: impl Future<Output = ()>,
) -> Result<(), FrameError> {
    let (from_client, mut to_client) = split(client);
    let (from_server, mut to_server) = split(server);
    let (mut from_client, mut from_server) = (BufReader::with_capacity(CHUNK, from_client), BufReader::with_capacity(CHUNK, from_server));
    let carried = async {
        let up = async {
            let carried = copy_frames(&mut from_client, &mut to_server).await;
            let _ = to_server.shutdown().await;
            carried
        };
        let down = async {
            let _ = copy_buf(&mut from_server, &mut to_client).await;
            let _ = to_client.shutdown().await;
        };
        let (mut up, mut down) = (pin!(up), pin!(down));
        // A client that is gone never ends its direction by itself.
        tokio::select! {
            carried = &mut up => {
                if carried.is_ok() {
                    let _ = timeout(FAREWELL, down).await;
                }
                carried
            }
            () = &mut down => timeout(FAREWELL, up).await.unwrap_or(Ok(())),
        }
    };
    tokio::select! {
        carried = carried => carried,
        () = cut => Ok(()),
    }
}

/// Copies WebSocket frames until one side ends.
async fn copy_frames(from: &mut (impl AsyncBufReadExt + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> Result<(), FrameError> {
    let mut limit = MessageLimit::default();
    loop {
        let Ok(bytes) = from.fill_buf().await else { return Ok(()) };
        let length = bytes.len();
        if length == 0 {
            return Ok(());
        }
        limit.follow(bytes)?;
        if to.write_all(bytes).await.is_err() || to.flush().await.is_err() {
            return Ok(());
        }
        from.consume(length);
    }
}
