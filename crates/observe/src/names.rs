//! Every metric name, once. Nothing else.

/// Requests answered, by method, route and status code.
pub const HTTP_REQUESTS_TOTAL: &str = "http_requests_total";
/// Requests refused, by step, reason and status; those of layers on a dry run apart.
pub const REFUSALS_TOTAL: &str = "mainstay_refusals_total";
/// Seconds from the first byte of a request's head to the last byte of its response.
pub const HTTP_REQUEST_DURATION_SECONDS: &str = "http_request_duration_seconds";
/// Requests in progress now.
pub const ACTIVE_REQUESTS: &str = "active_requests";
/// Client connections open now.
pub const ACTIVE_CONNECTIONS: &str = "active_connections";
/// Client connections accepted since start.
pub const CONNECTIONS_TOTAL: &str = "mainstay_connections_total";
/// Bytes of response bodies sent to clients.
pub const RESPONSE_BYTES_TOTAL: &str = "mainstay_response_bytes_total";
/// Attempts at an origin beyond the first, by the resend rule.
pub const RESENDS_TOTAL: &str = "mainstay_resends_total";
/// Connections opened to origins.
pub const ORIGIN_CONNECTIONS_TOTAL: &str = "mainstay_origin_connections_total";
/// Access lines that could not be handed on in time.
pub const ACCESS_LINES_DROPPED_TOTAL: &str = "mainstay_access_lines_dropped_total";
/// Answers of apps that were replaced, since they showed the app's insides.
pub const RESPONSES_SCRUBBED_TOTAL: &str = "mainstay_responses_scrubbed_total";
/// Lines of the error log that were not written, since there were too many.
pub const ERROR_LINES_DROPPED_TOTAL: &str = "mainstay_error_lines_dropped_total";
/// Times that accepting had to pause because file descriptors ran out.
pub const ACCEPT_PAUSES_TOTAL: &str = "mainstay_accept_pauses_total";
/// Client connections closed unheard, since there were too many.
pub const CONNECTIONS_TURNED_AWAY_TOTAL: &str = "mainstay_connections_turned_away_total";
/// Workers replaced without anybody asking, by app and reason.
pub const WORKER_REPLACEMENTS_TOTAL: &str = "mainstay_worker_replacements_total";
/// Lines of workers' output that were dropped since nobody took them in time, by app.
pub const OUTPUT_LINES_DROPPED_TOTAL: &str = "mainstay_output_lines_dropped_total";
/// Workers that apps which are scaled by their work got or lost, by app and direction (`up`, `down`).
pub const AUTOSCALE_STEPS_TOTAL: &str = "mainstay_autoscale_steps_total";
/// Requests that a cache was asked about, by what came of it.
pub const CACHE_REQUESTS_TOTAL: &str = "mainstay_cache_requests_total";
/// Requests that a cache did nothing about, or whose answers were not kept, by reason.
pub const CACHE_UNUSED_TOTAL: &str = "mainstay_cache_unused_total";
/// Of the answers that were kept, those that another machine had fetched.
pub const CACHE_STORE_HITS_TOTAL: &str = "mainstay_cache_store_hits_total";
/// Of a hundred requests whose answers may be kept, how many were answered from what is kept.
pub const CACHE_HIT_RATE: &str = "cache_hit_rate";
/// Bytes of memory that kept answers take.
pub const CACHE_BYTES: &str = "mainstay_cache_bytes";
/// Resources of which answers are kept.
pub const CACHE_RESOURCES: &str = "mainstay_cache_resources";
/// Resources that went for others.
pub const CACHE_EVICTIONS_TOTAL: &str = "mainstay_cache_evictions_total";
/// Workers ready to serve, by app.
pub const WORKERS_READY: &str = "mainstay_workers_ready";
