//! Signs that an app keeps something in one process: with several workers it would be there several times, or in
//! the wrong one. Knows packages by name; looks into no code but for two words.

use std::collections::BTreeMap;

/// Why one worker, and whether the old process must end before the new one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sign {
    /// After the name of the package: `keeps its rooms in memory`.
    pub(super) reason: &'static str,
    pub(super) twice: Twice,
}

/// Whether two releases may run for a moment at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twice {
    Harmless,
    Harmful,
}

const fn memory(reason: &'static str) -> Sign {
    Sign {
        reason,
        twice: Twice::Harmless,
    }
}

const fn alone(reason: &'static str) -> Sign {
    Sign {
        reason,
        twice: Twice::Harmful,
    }
}

const JOBS: Sign = memory("would run its jobs once in every worker");
const FILE: Sign = alone("is one file that one process should write");
const BOT: Sign = alone("is a connection that may exist once");
const PEERS: Sign = memory("knows the clients of its own process only");

/// Packages, the strongest reasons first.
const SIGNS: [(&str, Sign); 33] = [
    ("sqlite3", FILE),
    ("better-sqlite3", FILE),
    ("sqlite", FILE),
    ("lowdb", FILE),
    ("nedb", FILE),
    ("@seald-io/nedb", FILE),
    ("json-server", FILE),
    ("node-red", FILE),
    ("tiddlywiki", FILE),
    ("discord.js", BOT),
    ("telegraf", BOT),
    ("node-telegram-bot-api", BOT),
    ("discord.py", BOT),
    ("aiogram", BOT),
    (
        "socket.io",
        memory("keeps its rooms in memory, and long polling needs one worker for each client"),
    ),
    (
        "flask-socketio",
        memory("keeps its rooms in memory, and long polling needs one worker for each client"),
    ),
    (
        "python-socketio",
        memory("keeps its rooms in memory, and long polling needs one worker for each client"),
    ),
    ("peer", PEERS),
    ("ws", PEERS),
    ("express-ws", PEERS),
    ("@fastify/websocket", PEERS),
    ("faye", PEERS),
    ("node-cron", JOBS),
    ("cron", JOBS),
    ("node-schedule", JOBS),
    ("croner", JOBS),
    ("bree", JOBS),
    ("toad-scheduler", JOBS),
    ("@fastify/schedule", JOBS),
    ("@nestjs/schedule", JOBS),
    ("apscheduler", JOBS),
    ("schedule", JOBS),
    ("memorystore", memory("keeps sessions in memory")),
];

/// Packages that keep sessions; `express-session` without one of them has its `MemoryStore`.
const SESSION_STORES: [&str; 16] = [
    "connect-redis",
    "connect-mongo",
    "connect-mongodb-session",
    "connect-pg-simple",
    "connect-session-sequelize",
    "connect-session-knex",
    "connect-memcached",
    "connect-dynamodb",
    "connect-typeorm",
    "connect-sqlite3",
    "better-sqlite3-session-store",
    "express-mysql-session",
    "session-file-store",
    "@quixo3/prisma-session-store",
    "@google-cloud/connect-firestore",
    "cassandra-store",
];

/// All signs of an app: `(where it was seen, the sign)`.
pub(super) fn signs<'a>(
    dependencies: &'a BTreeMap<String, String>,
    source: Option<&str>,
    prisma: Option<&str>,
) -> Vec<(&'a str, Sign)> {
    let has = |name: &str| dependencies.contains_key(name);
    let own_files = SIGNS.iter().filter(|(name, _)| has(name));
    let mut found: Vec<(&str, Sign)> = own_files.map(|(name, sign)| (*name, *sign)).collect();
    let source = source.unwrap_or_default();
    if source.contains("node:sqlite") {
        found.insert(0, ("node:sqlite", FILE));
    }
    if prisma.is_some_and(datasource_is_sqlite) {
        found.insert(0, ("Prisma's SQLite", FILE));
    }
    let stored = SESSION_STORES.iter().any(|store| has(store)) || has("memorystore");
    if has("express-session") && !stored {
        found.push((
            "express-session",
            memory("keeps sessions in memory, having no other store"),
        ));
    }
    found
}

fn datasource_is_sqlite(schema: &str) -> bool {
    schema.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some("provider") && line.contains("\"sqlite\"")
    })
}
