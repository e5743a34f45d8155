//! The gateway's way to what machines share. Decides nothing about requests.

use std::sync::Arc;

use mainstay_pipeline::SharedBudgets;
use mainstay_store::{Redis, RedisOptions, SharedRates, Standing, StoreAddress};
use tokio::sync::{mpsc, watch};

use crate::protocol::{GatewaySettings, Up};

/// The store that is in use, by its address: settings that name the same one keep its connection, and what was leased.
#[derive(Debug, Default)]
pub(super) struct Store(Option<(StoreAddress, RedisOptions, Arc<SharedRates>)>);

impl Store {
    /// Uses this one from now on. Connecting takes place meanwhile; whoever asks before it is done gets no answer.
    pub(super) fn set(&mut self, settings: &GatewaySettings, up: &mpsc::UnboundedSender<Up>) {
        let (wanted, options) = (settings.store.as_ref(), &settings.store_options);
        let is_same = match &self.0 {
            Some((address, present, _)) => wanted == Some(address) && present == options,
            None => wanted.is_none(),
        };
        if is_same {
            return;
        }
        self.0 = wanted.and_then(|address| {
            let redis = Redis::connect(address.expose(), options).ok()?;
            tokio::spawn(tell(redis.standing(), address.to_string(), up.clone()));
            let rates = Arc::new(SharedRates::new(redis));
            Some((address.clone(), options.clone(), rates))
        });
    }

    /// Where rates are counted together.
    pub(super) fn budgets(&self) -> Option<Arc<dyn SharedBudgets>> {
        let (.., rates) = self.0.as_ref()?;
        Some(Arc::clone(rates) as Arc<dyn SharedBudgets>)
    }
}

/// Says when it goes away, and when it is back; not that it is there at first.
async fn tell(
    mut standing: watch::Receiver<Standing>,
    name: String,
    up: mpsc::UnboundedSender<Up>,
) {
    let mut was_away = false;
    while standing.changed().await.is_ok() {
        let now = standing.borrow_and_update().clone();
        let sentence = match now {
            Standing::Away(why) if !was_away => {
                was_away = true;
                format!(
                    "the store at {name} is away: {why}; `without_store` of each rate limit says what holds now"
                )
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
