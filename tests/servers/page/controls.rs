//! What browser tests cannot do themselves: they ask this process to, by one line over a connection on loopback.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::support::stage::Stage;

/// Serves the tests' requests for as long as it is polled: `restart livekit`, answered by `done`.
pub async fn serve(listener: TcpListener, stage: &mut Stage) {
    loop {
        let (connection, _) = listener.accept().await.expect("a connection on loopback");
        let mut connection = BufReader::new(connection);
        let mut line = String::new();
        connection.read_line(&mut line).await.expect("a line");
        let answer = match line.trim() {
            "restart livekit" => {
                stage.livekit.restart().await;
                "done"
            }
            _ => "unknown",
        };
        // A test that has given up needs no answer.
        let _ = connection.write_all(format!("{answer}\n").as_bytes()).await;
    }
}
