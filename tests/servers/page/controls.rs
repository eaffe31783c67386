//! What browser tests cannot do themselves: they ask this process to, by one line over a connection on loopback.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::support::livekit::LiveKitServer;

/// Serves the tests' requests for as long as it is polled: `restart livekit`, answered by `done`.
pub async fn serve(listener: TcpListener, mut livekit: LiveKitServer) {
    loop {
        let (connection, _) = listener.accept().await.expect("a connection on loopback");
        let mut connection = BufReader::new(connection);
        let mut line = String::new();
        connection.read_line(&mut line).await.expect("a line");
        let answer = match line.trim() {
            "restart livekit" => {
                livekit.restart().await;
                "done"
            }
            _ => "unknown",
        };
        // A test that has given up needs no answer.
        let _ = connection.write_all(format!("{answer}\n").as_bytes()).await;
    }
}
