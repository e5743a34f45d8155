//! What outlives an instance: the folders for it, the record of how each was started, the numbers that were handed
//! out, reports of workers that died. No process is looked at here, and nothing of an environment is kept but a short list that is never secret.

mod crashes;
mod folders;
mod ids;
mod record;

pub(crate) use crashes::CrashStore;
pub(crate) use folders::{folder_name, home, log_folder, make_private, state_folder};
pub(crate) use ids::{FILES as ID_FILES, Ids, Release as Numbers};
pub(crate) use record::{Record, RecordedApp, kept_environment};
