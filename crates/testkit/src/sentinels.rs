//! A Redis that is watched: one that takes writes, its replicas, and sentinels that put another in its place.
//!
//! What may not be here: a word to the sentinels about whom to choose.

use crate::{Folder, Redis, eventually, free_port};

/// The name of what is watched.
const SERVICE: &str = "main";
/// So long a server is silent before a sentinel calls it down, in milliseconds: longer than a busy machine keeps one waiting.
const DOWN_AFTER: u32 = 1_000;
/// Sentinels, and how many of them must agree.
const SENTINELS: usize = 3;
const QUORUM: usize = 2;

/// Running servers with their sentinels. Ended with their value.
#[derive(Debug)]
pub struct Sentinels {
    servers: Vec<Redis>,
    sentinels: Vec<Redis>,
}

impl Sentinels {
    /// Starts a master with one replica, and three sentinels; waits until they know each other.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        let master = Redis::start();
        let port = master.port().to_string();
        let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &port]);
        let watch = || {
            let folder = Folder::new();
            let conf = format!(
                "sentinel monitor {SERVICE} 127.0.0.1 {port} {QUORUM}\n\
                 sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER}\n\
                 sentinel failover-timeout {SERVICE} 5000\n"
            );
            folder.write("sentinel.conf", &conf);
            Redis::start_in(
                folder,
                free_port(),
                ["sentinel.conf", "--sentinel"].into_iter(),
            )
        };
        let watched = Self {
            sentinels: (0..SENTINELS).map(|_| watch()).collect(),
            servers: vec![master, replica],
        };
        let all = format!("status=ok,address=127.0.0.1:{port},slaves=1,sentinels={SENTINELS}");
        for sentinel in &watched.sentinels {
            eventually("sentinels that know all", || {
                let told = sentinel.tell(&["INFO", "sentinel"]).ok()?;
                told.contains(&all).then_some(())
            });
        }
        eventually("a replica that has everything", || {
            let told = watched.servers[1].tell(&["INFO", "replication"]).ok()?;
            told.contains("master_link_status:up").then_some(())
        });
        watched
    }

    /// The address of all sentinels.
    #[must_use]
    pub fn address(&self) -> String {
        let hosts = self.sentinels.iter();
        let hosts: Vec<String> = hosts
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port()))
            .collect();
        format!("redis-sentinel://{}/{SERVICE}", hosts.join(","))
    }

    /// The server that was the first master.
    pub fn first(&mut self) -> &mut Redis {
        &mut self.servers[0]
    }

    /// The server that takes its place.
    #[must_use]
    pub fn second(&self) -> &Redis {
        &self.servers[1]
    }

    /// Waits until the second server takes writes.
    #[track_caller]
    pub fn second_takes_over(&self) {
        eventually("another master", || {
            let told = self.second().tell(&["INFO", "replication"]).ok()?;
            told.contains("role:master").then_some(())
        });
    }
}
