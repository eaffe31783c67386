//! Which paths are the API and signalling, in contrast to the page.

/// Whether a path, or the pattern of a route, is part of the API or of signalling.
pub fn is_api(path: &str) -> bool {
    path.starts_with("/v1/") || path.starts_with("/rtc")
}
