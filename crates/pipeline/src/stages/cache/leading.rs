//! How a request becomes one whose answer may be kept, for a client or beside one. Asks nobody.

use std::sync::Arc;

use http::header::LAST_MODIFIED;
use http::uri::PathAndQuery;

use super::conditions::{self, Conditions};
use super::fetch::{Keep, Refresh};
use super::flight::Ticket;
use super::key::{self, Place};
use super::memory::{Begin, Company, Resource, Variant};
use super::note::Note;
use super::stage::{Cache, On, Search};
use super::together::{For, Others};
use crate::{Exchange, Request};

impl On {
    /// Makes a request one whose answer may be kept.
    pub(super) fn lead(
        &self,
        exchange: &Exchange,
        request: &mut Request,
        search: Search,
        old: Option<Variant>,
        ticket: Ticket,
    ) -> Keep {
        let url = Place::of(exchange).url(search.path.as_str());
        if request.uri().path_and_query() != Some(&search.path) {
            *request.uri_mut() = search.path.into();
        }
        let headers = request.headers_mut();
        key::drop_ignored_cookies(&self.options, headers);
        let is_validation = old
            .as_ref()
            .is_some_and(|old| old.stored.head.may_be_asked_about());
        // who asks alone since nothing is kept passes on what the client has
        let is_whole = search.company == Company::Welcome || is_validation;
        let conditions = if is_whole {
            Conditions::take(headers)
        } else {
            Conditions::default()
        };
        let asked = headers.clone();
        if let Some(old) = &old {
            let head = &old.stored.head;
            conditions::ask(headers, head.origin_tag(), head.field(&LAST_MODIFIED));
        }
        Keep {
            ticket,
            key: search.key,
            url: url.into(),
            wants: search.wants,
            asked,
            uri: request.uri().clone(),
            version: request.version(),
            conditions,
            old,
            is_validation,
            note: Note {
                is_collapsed: false,
                detail: None,
                ..search.note
            },
            vouched: exchange.vouched.clone(),
        }
    }

    /// Has an answer fetched anew beside the exchange, unless somebody does.
    pub(super) fn refresh(
        &self,
        exchange: &mut Exchange,
        request: &Request,
        search: &Search,
        resource: Option<&Arc<Resource>>,
        variant: &Variant,
    ) {
        let digest = self.flight_digest(resource.map(Arc::as_ref), request);
        let begun = self
            .memory
            .begin(search.key, digest, resource, Company::Welcome);
        let Begin::Lead(ticket) = begun else {
            return;
        };
        let mut own = Request::new(crate::Body::Empty);
        *own.uri_mut() = request.uri().clone();
        *own.version_mut() = request.version();
        *own.headers_mut() = request.headers().clone();
        let beside = exchange.beside(&own);
        let search = Search {
            path: search.path.clone(),
            ..*search
        };
        let mut keep = self.lead(&beside, &mut own, search, Some(variant.clone()), ticket);
        keep.conditions = Conditions::default();
        exchange.refresh = Some(Box::new(Refresh {
            exchange: beside,
            request: own,
            keep: Box::new(keep),
        }));
    }
}

impl Cache {
    /// Whether a kept answer is to be fetched anew here: not if another machine does, or did.
    pub(crate) async fn may_refresh(
        &self,
        exchange: &Exchange,
        request: &Request,
        keep: &mut Keep,
    ) -> bool {
        let Some(on) = self.0.as_ref().filter(|on| on.shared.is_some()) else {
            return true;
        };
        let path = keep.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        // the request asks whether this one holds: no other takes its place
        let mut old = keep.old.clone();
        let ticket = &mut keep.ticket;
        let asked = on.ask_others(exchange, request, ticket, path, &mut old, For::Refresh);
        match asked.await {
            Others::Kept | Others::Busy => false,
            Others::Passing | Others::Fetch => true,
        }
    }
}
