//! A connection that breaks at the worst moment: after a message has been carried out, before its answer arrives.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// When a connection is cut.
#[derive(Clone, Copy)]
pub(crate) enum Cut {
    /// As soon as the client has sent these bytes.
    At(&'static [u8]),
    /// When the server has answered these bytes; the answer does not arrive.
    After(&'static [u8]),
}

/// Stands between a client and the server, both on Unix sockets.
pub(crate) struct Proxy {
    config: Config,
    cuts: Arc<AtomicU32>,
    _folder: tempfile::TempDir,
}

impl Proxy {
    /// A proxy that cuts one connection.
    pub(crate) fn start(server: &Config, cut: Cut) -> Self {
        let Some(Host::Unix(host)) = server.get_hosts().first() else {
            panic!("a Unix socket is needed")
        };
        let port = server.get_ports().first().copied().unwrap_or(5432);
        let target: PathBuf = host.join(format!(".s.PGSQL.{port}"));
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).expect("a socket");
        let mut config = Config::new();
        config.host_path(folder.path()).user(server.get_user().expect("a user"));
        config.dbname(server.get_dbname().expect("a database"));
        let cuts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&cuts);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&target).await.expect("the server");
                tokio::spawn(carry(client, server, cut, Arc::clone(&counted)));
            }
        });
        Self { config, cuts, _folder: folder }
    }

    /// How to connect through it.
    pub(crate) fn config(&self) -> Config {
        self.config.clone()
    }

    /// How many connections were cut.
    pub(crate) fn cuts(&self) -> u32 {
        self.cuts.load(Ordering::SeqCst)
    }
}

async fn carry(mut client: UnixStream, mut server: UnixStream, cut: Cut, cuts: Arc<AtomicU32>) {
    let (Cut::At(trigger) | Cut::After(trigger)) = cut;
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            Ok(n @ 1..) = client.read(&mut up) => {
                server.write_all(&up[..n]).await.expect("the server listens");
                let found = up[..n].windows(trigger.len()).any(|bytes| bytes == trigger);
                if found && cuts.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                    if let Cut::After(_) = cut {
                        let _answer = server.read(&mut down).await.expect("an answer");
                    }
                    return;
                }
            }
            Ok(n @ 1..) = server.read(&mut down) => {
                if client.write_all(&down[..n]).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}
