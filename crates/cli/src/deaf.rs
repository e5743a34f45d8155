//! The inner processes do not hear the signals that are meant for the instance.
//!
//! systemd sends its SIGTERM to every process of a unit, log rotators and people name the program: `pkill -HUP mainstay`.
//! What a signal asks for, the control plane decides, and tells the others. What may not be here: a signal that has a
//! meaning.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// From now on these signals do nothing to this process. Must be called inside a runtime, which has to live on.
pub(crate) fn to_signals() -> io::Result<()> {
    for kind in [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
    ] {
        // the handler stays when nobody listens any more
        drop(signal(kind)?);
    }
    Ok(())
}
