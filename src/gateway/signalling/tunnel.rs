//! Carries the bytes of one connection.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, split};
use tokio::time::timeout;

use super::message_limit::{FrameError, MessageLimit};
use super::pace::Pace;

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
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = split(server);
    let carried = async {
        let up = async {
            let carried = copy_frames(&mut from_client, &mut to_server).await;
            let _ = to_server.shutdown().await;
            carried
        };
        let down = async {
            copy(&mut from_server, &mut to_client).await;
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

/// Copies WebSocket frames until one side ends. A client that sends more than it may waits, because nobody reads on.
async fn copy_frames(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> Result<(), FrameError> {
    let (mut limit, pace) = (MessageLimit::default(), Pace::new());
    while let Ok(Some(bytes)) = next(from).await {
        limit.follow(&bytes)?;
        pace.wait(bytes.len()).await;
        if write(to, &bytes).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Copies bytes until one side ends.
async fn copy(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) {
    while let Ok(Some(bytes)) = next(from).await {
        if write(to, &bytes).await.is_err() {
            return;
        }
    }
}

/// The next bytes; `None` at the end. While there are none it holds no buffer: most connections are idle, and there are very many.
async fn next(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    poll_fn(|wakeup| {
        let mut chunk = [MaybeUninit::uninit(); CHUNK];
        let mut chunk = ReadBuf::uninit(&mut chunk);
        ready!(Pin::new(&mut *from).poll_read(wakeup, &mut chunk))?;
        let bytes = chunk.filled();
        Poll::Ready(Ok((!bytes.is_empty()).then(|| bytes.to_vec())))
    })
    .await
}

async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use std::future;

    use tokio::io::{AsyncReadExt, duplex};

    use super::*;
    use crate::clock;
    use crate::gateway::signalling::message_limit::LONGEST_MESSAGE;

    /// A message of a client, of zeros.
    fn message(length: u64) -> Vec<u8> {
        let mut bytes = vec![0x82, 0xff];
        bytes.extend(length.to_be_bytes());
        bytes.resize(bytes.len() + 4 + usize::try_from(length).unwrap(), 0);
        bytes
    }

    #[tokio::test]
    async fn a_client_that_sends_long_messages_one_after_the_other_is_slowed_down_and_not_cut() {
        /// In bytes for each millisecond, rounded up.
        const RATE: usize = 263;
        const ON_THE_WAY: usize = 64 * 1024;
        let (mut client, near) = duplex(ON_THE_WAY);
        let (far, mut server) = duplex(ON_THE_WAY);
        let carried = tokio::spawn(tunnel(near, far, future::pending()));
        let began = clock::uptime();
        let sending = tokio::spawn(async move {
            for _ in 0..3 {
                client.write_all(&message(LONGEST_MESSAGE)).await.unwrap();
            }
        });
        let first = usize::try_from(LONGEST_MESSAGE).unwrap();
        let (mut received, mut piece) = (0, vec![0; ON_THE_WAY]);
        while received < first + ON_THE_WAY {
            received += server.read(&mut piece).await.unwrap();
            let passed = usize::try_from(clock::uptime().abs_diff(began).as_millis()).unwrap() + 1;
            let allowed = first + RATE * passed + CHUNK;
            assert!(received <= allowed, "{received} bytes, of which {allowed} were allowed");
        }
        sending.abort();
        drop(server);
        assert_eq!(carried.await.unwrap(), Ok(()));
    }
}
