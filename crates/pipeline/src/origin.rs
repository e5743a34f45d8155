//! Who answers in the end. Implemented by whoever has a socket, or a service in this process.

use crate::{Body, Exchange, Refusal};

/// A request on its way.
pub type Request = http::Request<Body>;
/// A response on its way back.
pub type Response = http::Response<Body>;

/// The end of the pipeline.
///
/// Futures need not be `Send`: a thread of the gateway keeps its own connections. An origin whose
/// futures are `Send` gives a pipeline whose futures are `Send`.
#[expect(
    async_fn_in_trait,
    reason = "`Send` is inherited from the implementation, see above"
)]
pub trait Origin {
    /// Asks the exchange's target: the request's own fields, and [`Exchange::forwarded_fields`].
    ///
    /// # Errors
    /// 502, 503 and 504 of the origin's making; 499 if the client went away.
    async fn respond(&self, exchange: &mut Exchange, request: Request)
    -> Result<Response, Refusal>;
}
