//! What a scripted origin shall do, request by request.
//!
//! What may not be here: sockets.

use crate::{Certificate, Origin};

/// What the origin does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Writes these bytes, and keeps the connection or closes it.
    Write(Vec<u8>, After),
    /// Says nothing and keeps the connection open.
    Hang,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Keep,
    Close,
}

/// When an act begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begins {
    /// Once the request is whole.
    AfterBody,
    /// As soon as its head is there.
    AfterHead,
}

/// A script: one act for each request, in order of arrival; the last one is repeated.
#[derive(Clone, Debug)]
#[must_use = "a script does nothing until it is started"]
pub struct Script {
    pub(crate) acts: Vec<Act>,
    pub(crate) begins: Begins,
    pub(crate) certificate: Option<Certificate>,
}

impl Script {
    pub(crate) fn new(acts: Vec<Act>) -> Self {
        Self {
            acts,
            begins: Begins::AfterBody,
            certificate: None,
        }
    }

    /// Answers the next request with these bytes and keeps the connection.
    pub fn then_answers(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.acts
            .push(Act::Write(bytes.as_ref().to_vec(), After::Keep));
        self
    }

    /// Closes the connection after the last answer named.
    pub fn then_closes(mut self) -> Self {
        match self.acts.last_mut() {
            Some(Act::Write(_, after)) => *after = After::Close,
            _ => self.acts.push(Act::Write(Vec::new(), After::Close)),
        }
        self
    }

    /// Leaves the next request without an answer.
    pub fn then_hangs(mut self) -> Self {
        self.acts.push(Act::Hang);
        self
    }

    /// Answers as soon as a request's head is there, without reading its body.
    pub fn early(mut self) -> Self {
        self.begins = Begins::AfterHead;
        self
    }

    /// Speaks TLS, and shows this certificate.
    pub fn over_tls(mut self, certificate: &Certificate) -> Self {
        self.certificate = Some(certificate.clone());
        self
    }

    /// Opens an origin that plays it, on a free port of loopback.
    #[must_use = "the origin closes as soon as the value goes"]
    #[track_caller]
    pub fn start(self) -> Origin {
        Origin::open(self)
    }
}
