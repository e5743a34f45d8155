//! `mainstay top`: a view of everything that runs, in the terminal, with keys for what is done about it. Measures
//! nothing that instances do not tell, but what their processes use.

mod counts;
mod draw;
mod keys;
mod lines;
mod look;
mod screen;
mod view;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crossterm::event::{self, Event};

use self::keys::{Act, Keys};
use self::look::Looking;
use self::screen::Screen;
use self::view::{Chosen, View};
use super::instance::Instance;
use crate::Outcome;
use crate::arguments::Which;
use crate::failure::Failure;
use crate::order::{Count, Order};

/// Whatever changes the picture.
enum News {
    /// A key, or another size.
    Typed(Event),
    /// How everything stands now.
    Seen(Box<View>),
    /// What came of an order.
    Said(String),
    /// Somebody wants us to end.
    End,
}

/// `mainstay top`.
pub(crate) fn execute(which: &Which) -> Outcome {
    if !(std::io::stdout().is_terminal() && std::io::stdin().is_terminal()) {
        return Err(Failure::usage(
            "`mainstay top` needs a terminal; `mainstay ls` and `mainstay status --json` are for pipes",
        ));
    }
    let (tell, news) = channel();
    end_by_signal(tell.clone())?;
    let looking = Looking::start(which.name.clone(), tell.clone(), News::seen);
    let screen = Screen::enter().map_err(|error| Failure::internal("the terminal", error))?;
    let typed = tell.clone();
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if typed.send(News::Typed(event)).is_err() {
                return;
            }
        }
        // nobody can type any more
        let _ = typed.send(News::End);
    });
    let outcome = watch(screen, &looking, &news, &tell);
    outcome.map_err(|error| Failure::internal("the terminal", error))?;
    Ok(ExitCode::SUCCESS)
}

impl News {
    fn seen(view: View) -> Self {
        Self::Seen(Box::new(view))
    }
}

/// Shows and obeys until somebody has seen enough.
fn watch(
    mut screen: Screen,
    looking: &Looking,
    news: &Receiver<News>,
    tell: &Sender<News>,
) -> std::io::Result<()> {
    let (mut view, mut keys) = (View::default(), Keys::default());
    loop {
        screen.draw(&view, &keys)?;
        let Ok(happened) = news.recv() else {
            return Ok(());
        };
        match happened {
            News::End => return Ok(()),
            News::Seen(seen) => {
                view = *seen;
                keys.keep_within(view.rows.len());
            }
            News::Said(sentence) => keys.say(sentence),
            News::Typed(Event::Key(key)) => match keys.press(key, &view) {
                Act::Nothing => {}
                Act::Quit => return Ok(()),
                Act::Order(whom, order) => obey(&whom, order, &mut keys, tell),
            },
            News::Typed(_) => {}
        }
        looking.follow(view.chosen(keys.selected()));
    }
}

/// Gives an order beside the picture: some take minutes.
fn obey(whom: &Chosen, order: Wish, keys: &mut Keys, tell: &Sender<News>) {
    keys.say(format!("{} …", order.sentence(&whom.app)));
    let (instance, tell, app) = (whom.instance.clone(), tell.clone(), whom.app.clone());
    thread::spawn(move || {
        let said = give(&instance, &order.of(app)).unwrap_or_else(|failure| failure.message);
        let _ = tell.send(News::Said(said));
    });
}

fn give(instance: &str, order: &Order) -> Result<String, Failure> {
    let instance = Instance::find(Some(instance))?;
    let body = serde_json::to_vec(order).map_err(|error| Failure::internal("the order", error))?;
    match instance.order("/reload", &body, |_| {})? {
        Some(ending) => Ok(ending.message),
        None => Err(Failure::cut_short(
            "the instance ended before it had done it",
        )),
    }
}

/// What a key asks of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Reload,
    Stop,
    More,
    Fewer,
}

impl Wish {
    fn of(self, app: String) -> Order {
        match self {
            Self::Reload => Order::Apps(vec![app]),
            Self::Stop => Order::Stop(vec![app]),
            Self::More => Order::Scale {
                app,
                count: Count::More(1),
            },
            Self::Fewer => Order::Scale {
                app,
                count: Count::Fewer(1),
            },
        }
    }

    fn sentence(self, app: &str) -> String {
        match self {
            Self::Reload => format!("`{app}` is reloaded"),
            Self::Stop => format!("`{app}` is stopped"),
            Self::More => format!("`{app}` gets a worker more"),
            Self::Fewer => format!("`{app}` gets a worker fewer"),
        }
    }
}

/// Signals end it as a key does, so that the terminal is as it was.
fn end_by_signal(tell: Sender<News>) -> Result<(), Failure> {
    let failed = |error| Failure::internal("signals", error);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(failed)?;
    thread::spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let kinds = [
                SignalKind::terminate(),
                SignalKind::hangup(),
                SignalKind::interrupt(),
                SignalKind::quit(),
            ];
            let Ok(mut signals) = kinds.into_iter().map(signal).collect::<Result<Vec<_>, _>>()
            else {
                return;
            };
            std::future::poll_fn(|context| {
                let one = signals
                    .iter_mut()
                    .any(|signal| signal.poll_recv(context).is_ready());
                if one {
                    std::task::Poll::Ready(())
                } else {
                    std::task::Poll::Pending
                }
            })
            .await;
        });
        let _ = tell.send(News::End);
    });
    Ok(())
}
