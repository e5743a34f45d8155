//! Why an address cannot be listened on. Sentences; decides nothing.

use std::io;
use std::path::PathBuf;

/// Why an address could not be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else has it; whoever may look into `/proc` can say who.
    #[error(
        "`{0}` is in use by another process; stop it, or choose another address with `--listen`"
    )]
    InUse(String),
    /// Ports below 1024 need a right.
    #[error(
        "`{0}` may not be opened: ports below 1024 need root or CAP_NET_BIND_SERVICE; \
         run `setcap cap_net_bind_service=+ep` on the program, or choose a port above 1023"
    )]
    NotAllowed(String),
    /// Not an address of this machine.
    #[error(
        "`{0}` is not an address of this machine; `ip addr` lists those it has, `:PORT` means all of them"
    )]
    NotHere(String),
    /// The folder of a Unix socket is not there.
    #[error("`{address}` cannot be made: there is no folder `{}`; make it, or choose another path", .folder.display())]
    NoFolder {
        /// As written.
        address: String,
        /// Where the socket would be.
        folder: PathBuf,
    },
    /// The folder of a Unix socket is somebody else's.
    #[error(
        "`{address}` cannot be made: this user may not write to `{}`; choose a folder of its own, such as \
         `/run/NAME` made by systemd's `RuntimeDirectory=NAME`", .folder.display()
    )]
    FolderNotOurs {
        /// As written.
        address: String,
        /// Where the socket would be.
        folder: PathBuf,
    },
    /// Something else has the name of a Unix socket.
    #[error(
        "`{0}` cannot be made: there is a file of that name, and it is no socket; move it away, or choose another path"
    )]
    NoSocket(String),
    /// Nobody listens on a Unix socket that somebody else left.
    #[error(
        "`{address}` cannot be made: user {uid} left a socket there, on which nobody listens; remove it, or choose another path"
    )]
    LeftByOthers {
        /// As written.
        address: String,
        /// Whose file it is.
        uid: u32,
    },
    /// A Unix socket cannot be given to the group that was named.
    #[error(
        "`{address}` cannot be given to group {gid}: {source}; as another user than root be a member of it, or take `socket_group` out"
    )]
    Group {
        /// As written.
        address: String,
        /// The group's number.
        gid: u32,
        /// The system's word.
        source: io::Error,
    },
    /// Anything else.
    #[error("`{address}` cannot be listened on: {source}")]
    Other {
        /// As written.
        address: String,
        /// The system's word.
        source: io::Error,
    },
}
