//! The gateway's way to what machines share. Decides nothing about requests.

use std::sync::Arc;

use mainstay_pipeline::{CacheMemory, SharedAnswers, SharedBudgets};
use mainstay_store::{
    Owing, Redis, RedisOptions, SharedCache, SharedRates, Standing, StoreAddress,
};
use tokio::sync::{mpsc, watch};

use crate::protocol::{GatewaySettings, Up};

/// The store that is in use, by its address: settings that name the same one keep its connections, and what was leased.
#[derive(Debug)]
pub(super) struct Store {
    /// The instance's.
    name: String,
    memory: Arc<CacheMemory>,
    rates: Option<(StoreAddress, RedisOptions, Arc<SharedRates>)>,
    /// On a connection of its own: bodies are not to hold up who counts.
    answers: Option<(StoreAddress, RedisOptions, Arc<SharedCache>)>,
}

impl Store {
    /// None is used yet.
    pub(super) fn new(name: String, memory: Arc<CacheMemory>) -> Self {
        Self {
            name,
            memory,
            rates: None,
            answers: None,
        }
    }

    /// Uses this one from now on. Connecting takes place meanwhile; whoever asks before it is done gets no answer.
    pub(super) fn set(&mut self, settings: &GatewaySettings, up: &mpsc::UnboundedSender<Up>) {
        let (wanted, options) = (settings.store.as_ref(), &settings.store_options);
        if !is_same(self.rates.as_ref(), wanted, options) {
            self.rates = wanted.and_then(|address| {
                let redis = Redis::connect(address.expose(), options).ok()?;
                let meanwhile = "`without_store` of each rate limit says what holds now";
                tokio::spawn(tell(
                    redis.standing(),
                    address.to_string(),
                    meanwhile,
                    up.clone(),
                ));
                let rates = Arc::new(SharedRates::new(redis));
                Some((address.clone(), options.clone(), rates))
            });
        }
        let wanted = wanted.filter(|_| settings.shares_cache());
        if !is_same(self.answers.as_ref(), wanted, options) {
            self.answers = wanted.and_then(|address| {
                let memory = Arc::clone(&self.memory);
                let answers = SharedCache::connect(address.expose(), options, &self.name, memory);
                let answers = Arc::new(answers.ok()?);
                let standing = answers.redis().standing();
                let name = format!("{address}, for the cache,");
                let meanwhile = "this machine keeps what it fetches itself";
                tokio::spawn(tell(standing, name, meanwhile, up.clone()));
                tokio::spawn(tell_owing(answers.owing(), up.clone()));
                Some((address.clone(), options.clone(), answers))
            });
        }
    }

    /// Where answers are kept together.
    pub(super) fn answers(&self) -> Option<Arc<dyn SharedAnswers>> {
        let (.., answers) = self.answers.as_ref()?;
        Some(Arc::clone(answers) as Arc<dyn SharedAnswers>)
    }

    /// Where rates are counted together.
    pub(super) fn budgets(&self) -> Option<Arc<dyn SharedBudgets>> {
        let (.., rates) = self.rates.as_ref()?;
        Some(Arc::clone(rates) as Arc<dyn SharedBudgets>)
    }
}

fn is_same<T>(
    present: Option<&(StoreAddress, RedisOptions, T)>,
    wanted: Option<&StoreAddress>,
    options: &RedisOptions,
) -> bool {
    match present {
        Some((address, present, _)) => wanted == Some(address) && present == options,
        None => wanted.is_none(),
    }
}

/// Says when it goes away, and when it is back; not that it is there at first.
async fn tell(
    mut standing: watch::Receiver<Standing>,
    name: String,
    meanwhile: &'static str,
    up: mpsc::UnboundedSender<Up>,
) {
    let mut was_away = false;
    while standing.changed().await.is_ok() {
        let now = standing.borrow_and_update().clone();
        let sentence = match now {
            Standing::Away(why) if !was_away => {
                was_away = true;
                format!("the store at {name} is away: {why}; {meanwhile}")
            }
            Standing::There if was_away => {
                was_away = false;
                format!("the store at {name} is back")
            }
            Standing::Away(_) | Standing::There | Standing::Unknown => continue,
        };
        if up.send(Up::Notices(vec![sentence])).is_err() {
            return;
        }
    }
}

/// Says whether there is something that other machines do not know yet.
async fn tell_owing(mut owing: watch::Receiver<Owing>, up: mpsc::UnboundedSender<Up>) {
    while owing.changed().await.is_ok() {
        let now = *owing.borrow_and_update();
        if up.send(Up::Owing(now)).is_err() {
            return;
        }
    }
}
