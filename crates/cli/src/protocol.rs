//! What control plane and gateway say to each other: one socket pair, one message after the other.
//!
//! A message is its length (4 bytes, little-endian) and its content, JSON. The first message names the version; both ends come from the same program file, so
//! another version means that the file was replaced while it ran.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use mainstay_observe::Totals;
use mainstay_pipeline::{
    CacheMemory, CacheOptions, CacheState, Extent, Inventory, PageOptions, Purge, Reach, Reported,
    SharedPlace, Suspension, TargetKind, WaitOptions,
};
use mainstay_proxy::{Address, Options, Tally, Trial};
use mainstay_store::{Owing, RedisOptions, StoreAddress};
use mainstay_values::Size;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Both ends must speak the same.
pub(crate) const VERSION: u32 = 3;
/// No message is longer.
const LONGEST: usize = 16 * 1024 * 1024;

/// From the control plane.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Down {
    /// The first message.
    Begin(Box<Beginning>),
    /// What requests are served with from now on. Connections, counters and the connections to targets that
    /// stay are kept.
    Settings(Box<GatewaySettings>),
    /// Who answers for a target from now on; a target that the settings do not name yet is remembered.
    /// Whoever is no longer there gets no new request.
    Members {
        target: String,
        members: Vec<Member>,
        /// After so long, whatever still runs on those who left is ended; 0: it takes its time.
        #[serde(default)]
        leave_within_ms: u64,
    },
    /// This keeps new requests out from now on. To be answered with the ticket: in a pause when what began before has
    /// finished, at the latest after this time; else at once.
    Suspend {
        ticket: u64,
        suspension: Suspension,
        within_ms: u64,
    },
    /// Send what was counted, with this ticket.
    Metrics { ticket: u64 },
    /// The text for who asked for metrics under this ticket.
    MetricsText { ticket: u64, text: String },
    /// About what is kept; to be answered with the ticket.
    Cache {
        ticket: u64,
        question: CacheQuestion,
    },
    /// Another gateway on this machine has changed this: what is kept of it is forgotten.
    Forget(Box<SharedPlace>),
    /// Whether there are other gateways on this machine. Until this is said there may be.
    Company(Company),
    /// Accept no more, finish what is there within this time, and end. The form of this message never
    /// changes, but for fields that may be missing: an old gateway must understand a new control plane's
    /// wish.
    Drain {
        grace_ms: u64,
        /// So long new connections are still taken.
        #[serde(default)]
        delay_ms: u64,
        /// So long after that an idle connection may still bring a request.
        #[serde(default = "one_second")]
        idle_ms: u64,
        /// So long after that a stream or tunnel may last.
        #[serde(default = "one_second")]
        streams_ms: u64,
        /// What ends.
        #[serde(default)]
        scope: Scope,
        /// Addresses that nobody listens on any more, though others of the instance go on: counted through
        /// all fronts.
        #[serde(default)]
        closing: Vec<usize>,
    },
}

/// Who else serves on this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Company {
    /// Others do, and keep answers of their own.
    #[default]
    Others,
    /// Nobody.
    Alone,
}

/// What is asked about kept answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum CacheQuestion {
    /// Forget these, and have other machines do so.
    Purge(Purge, PurgeReach),
    /// Which there are; so many resources in full.
    List { extent: Extent, most: usize },
}

/// Who is to hear of a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PurgeReach {
    /// This gateway, since another one tells the rest.
    Here,
    /// All machines that share the cache.
    Everywhere,
}

/// Who knows of a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PurgeKnown {
    /// Whoever was asked; nobody else shares the cache.
    Here,
    /// All machines that share it: now, or before they use anything that others fetched.
    Everywhere,
    /// The store is away: other machines are told when it is back, as long as this instance lives.
    NotYet,
}

/// What is said to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum CacheAnswer {
    /// So many answers were forgotten, or are stale now, and who knows.
    Purged { answers: u64, known: PurgeKnown },
    /// These.
    Listed(Inventory),
}

/// What ends with a drain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Scope {
    /// The whole instance: nobody should send anything here any more.
    #[default]
    Instance,
    /// This gateway only: another one carries on.
    Gateway,
}

const fn one_second() -> u64 {
    1_000
}

/// All that a gateway needs to serve. The sockets come by inheritance, in the order of the fronts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Beginning {
    pub(crate) version: u32,
    /// The instance's: machines whose instances are called alike share a cache.
    pub(crate) name: String,
    pub(crate) threads: usize,
    /// For each front and each of its addresses the number of listening sockets: at least one for each thread.
    pub(crate) sockets: Vec<Vec<usize>>,
    /// Whether a socket for health and metrics follows those of the fronts.
    pub(crate) observe: Observe,
    pub(crate) settings: GatewaySettings,
    /// What keeps new requests out when it begins.
    pub(crate) suspension: Suspension,
    /// Who answers for each target when it begins: known before the first connection is accepted.
    pub(crate) members: BTreeMap<String, Vec<Member>>,
}

/// What may change while a gateway runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GatewaySettings {
    /// What the pipeline of each front is made of.
    pub(crate) fronts: Vec<mainstay_pipeline::Options>,
    /// The own pages, for every front.
    #[serde(with = "shared")]
    pub(crate) pages: Arc<[PageOptions]>,
    pub(crate) targets: Vec<TargetOptions>,
    pub(crate) wait: WaitOptions,
    /// Where machines keep what they share.
    #[serde(default)]
    pub(crate) store: Option<StoreAddress>,
    /// How long a request waits for it.
    #[serde(default)]
    pub(crate) store_options: RedisOptions,
    pub(crate) proxy: Options,
    pub(crate) access_log: AccessLogging,
}

impl GatewaySettings {
    /// How much of answers is kept: the same for all fronts.
    pub(crate) fn cache_memory(&self) -> Size {
        let mut fronts = self.fronts.iter();
        let most = fronts.next().map(|front| front.layers.cache.memory);
        most.unwrap_or(CacheMemory::USUAL_CAPACITY)
    }

    /// Whether any route keeps answers together with other machines.
    pub(crate) fn shares_cache(&self) -> bool {
        let is_shared =
            |cache: &CacheOptions| cache.state == CacheState::On && cache.reach == Reach::Machines;
        self.fronts.iter().any(|front| {
            let routes = front
                .routes
                .iter()
                .filter_map(|route| route.layers.as_deref());
            let mut layers = std::iter::once(&front.layers).chain(routes);
            layers.any(|layers| is_shared(&layers.cache))
        })
    }

    /// What the pipeline of a front is made of, with what all fronts have in common.
    pub(crate) fn front(&self, index: usize) -> mainstay_pipeline::Options {
        mainstay_pipeline::Options {
            pages: Arc::clone(&self.pages),
            ..self.fronts[index].clone()
        }
    }
}

/// Whether metrics are served on a socket of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Observe {
    Off,
    Served,
}

/// Whether access lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AccessLogging {
    Off,
    Json,
}

/// A target as the gateway must know it. Its name is its own among all targets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TargetOptions {
    pub(crate) name: String,
    pub(crate) kind: TargetKind,
    pub(crate) wanted: usize,
}

/// A worker or server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// Never used for anybody else.
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) address: Address,
    /// Its answers are counted, and told by [`Up::Trial`].
    #[serde(default)]
    pub(crate) trial: Option<Trial>,
}

/// From the gateway.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Up {
    /// It accepts.
    Ready,
    /// Sentences for the operator.
    Notices(Vec<String>),
    /// What was asked for with this ticket.
    Metrics { ticket: u64, totals: Box<Totals> },
    /// What was counted so far, unasked: the last of it outlives a gateway that is killed.
    Counted(Box<Totals>),
    /// Somebody asks for the metrics of the instance.
    AskMetrics { ticket: u64 },
    /// Nothing runs any more on these members, which left.
    Released { ids: Vec<u64> },
    /// What this ticket stands for holds; so many requests that began before still run.
    Suspended { ticket: u64, running: u64 },
    /// What was asked about kept answers with this ticket.
    Cache { ticket: u64, answer: CacheAnswer },
    /// This was changed by a request; said while there are other gateways.
    Changed(Box<SharedPlace>),
    /// Whether all machines are to forget something that the store could not be told yet.
    Owing(Owing),
    /// These members gave their first answer.
    Answered { ids: Vec<u64> },
    /// What members on trial answered since this was told last.
    Trial { tallies: Vec<(u64, Tally)> },
    /// How busy it is now: told from time to time while that changes.
    Load(Load),
    /// What browsers reported against the content security policy since this was told last.
    Violations(Reported),
    /// All connections are closed; it ends.
    Drained,
}

/// How busy a gateway is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Load {
    /// Requests that members work on, where there are any.
    pub(crate) in_flight: Vec<(u64, usize)>,
    /// By target, how long requests waited here for a place at its members at most, in milliseconds, since this was told
    /// last; only where any did.
    pub(crate) waited_ms: Vec<(String, u64)>,
}

/// Writes a message.
pub(crate) async fn send<T: Serialize>(
    to: &mut (impl AsyncWrite + Unpin),
    message: &T,
) -> io::Result<()> {
    let json = serde_json::to_vec(message)?;
    let length = u32::try_from(json.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_le_bytes()).await?;
    to.write_all(&json).await
}

/// Messages as they come, which may be waited for in vain and asked for again: what has come of one is kept.
#[derive(Debug)]
pub(crate) struct Inbox<R> {
    from: R,
    come: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Inbox<R> {
    /// `come` is what was read of `from` before.
    pub(crate) fn new(from: R, come: Vec<u8>) -> Self {
        Self { from, come }
    }

    /// The next message; `None` when nothing follows. Cancel-safe.
    pub(crate) async fn next<T: for<'a> Deserialize<'a>>(&mut self) -> io::Result<Option<T>> {
        loop {
            if let Some(content) = self.content()? {
                let message = serde_json::from_slice(&self.come[content.clone()])?;
                self.come.drain(..content.end);
                return Ok(Some(message));
            }
            if self.from.read_buf(&mut self.come).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Where it comes from, and what has come of the next message.
    pub(crate) fn into_parts(self) -> (R, Vec<u8>) {
        (self.from, self.come)
    }

    /// Where the next message stands in what has come, if it is whole.
    fn content(&self) -> io::Result<Option<Range<usize>>> {
        let Some(head) = self.come.first_chunk() else {
            return Ok(None);
        };
        let length = length(*head)?;
        let content = 4..4 + length;
        Ok((self.come.len() >= content.end).then_some(content))
    }
}

fn length(head: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(head) as usize;
    if length > LONGEST {
        return Err(io::Error::other(format!(
            "a message of {length} bytes, more than {LONGEST}"
        )));
    }
    Ok(length)
}

/// Reads the next message; `None` at a clean end.
pub(crate) async fn receive<T: for<'a> Deserialize<'a>>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<T>> {
    let mut head = [0; 4];
    match from.read_exact(&mut head).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut content = vec![0; length(head)?];
    from.read_exact(&mut content).await?;
    Ok(Some(serde_json::from_slice(&content)?))
}

/// A shared list, written as a list.
mod shared {
    use std::sync::Arc;

    use mainstay_pipeline::PageOptions;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        pages: &Arc<[PageOptions]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(pages.iter())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<[PageOptions]>, D::Error> {
        Vec::deserialize(deserializer).map(Arc::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_keep_their_order() {
        let (mut one, mut other) = tokio::io::duplex(64);
        tokio::spawn(async move {
            send(&mut one, &Up::Ready).await.expect("sent");
            send(&mut one, &Up::Drained).await.expect("sent");
        });
        let mut seen = Vec::new();
        while let Some(up) = receive::<Up>(&mut other).await.expect("a message") {
            seen.push(format!("{up:?}"));
        }
        assert_eq!(seen, ["Ready", "Drained"]);
    }

    #[tokio::test]
    async fn whoever_stops_waiting_loses_nothing_and_the_next_goes_on() {
        let (mut one, other) = tokio::io::duplex(1024);
        let mut message = Vec::new();
        for up in [Up::Ready, Up::Released { ids: vec![7] }, Up::Drained] {
            send(&mut message, &up).await.expect("written");
        }
        let mut inbox = Inbox::new(other, Vec::new());
        let mut seen = Vec::new();
        for byte in message {
            one.write_all(&[byte]).await.expect("sent");
            if let std::task::Poll::Ready(up) = look_once(inbox.next::<Up>()).await {
                seen.push(format!("{:?}", up.expect("a message").expect("no end")));
            }
            let (from, come) = inbox.into_parts();
            inbox = Inbox::new(from, come);
        }
        assert_eq!(seen, ["Ready", "Released { ids: [7] }", "Drained"]);
        drop(one);
        assert!(inbox.next::<Up>().await.expect("an end").is_none());
    }

    /// As `select!` does.
    async fn look_once<F: Future>(future: F) -> std::task::Poll<F::Output> {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context))).await
    }

    #[tokio::test]
    async fn an_absurd_length_is_refused() {
        let (mut one, mut other) = tokio::io::duplex(64);
        one.write_all(&[0xff, 0xff, 0xff, 0xff, 0])
            .await
            .expect("sent");
        assert!(receive::<Up>(&mut other).await.is_err());
        let (mut one, other) = tokio::io::duplex(64);
        one.write_all(&[0xff; 4]).await.expect("sent");
        assert!(Inbox::new(other, Vec::new()).next::<Up>().await.is_err());
    }
}
