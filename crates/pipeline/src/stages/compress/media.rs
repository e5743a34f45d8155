//! Which kinds of content grow smaller. Encodes nothing.
//!
//! The types that npm's `compressible` names, and the kinds of JSON and YAML that it does not know. One of its types is left out:
//! `application/octet-stream` is what downloads are, and those keep their length and can be taken up again.

/// Types below `application/` that are text in some form, beside those that end in `+json`, `+text`, `+xml` and `+yaml`.
const APPLICATION: &[&str] = &[
    "dart",
    "ecmascript",
    "graphql",
    "javascript",
    "json",
    "json5",
    "jsonml",
    "ld",
    "manifest",
    "ndjson",
    "node",
    "postscript",
    "rtf",
    "sql",
    "tar",
    "toml",
    "vnd.api",
    "vnd.dart",
    "vnd.ms-fontobject",
    "vnd.ms-opentype",
    "wasm",
    "x-httpd-php",
    "x-javascript",
    "x-json-stream",
    "x-jsonlines",
    "x-ndjson",
    "x-ns-proxy-autoconfig",
    "x-sh",
    "x-tar",
    "x-virtualbox-hdd",
    "x-virtualbox-ova",
    "x-virtualbox-ovf",
    "x-virtualbox-vbox",
    "x-virtualbox-vdi",
    "x-virtualbox-vhd",
    "x-virtualbox-vmdk",
    "x-www-form-urlencoded",
    "x-yaml",
    "xml",
    "xml-dtd",
    "yaml",
];

/// Others.
const OTHERS: &[&str] = &[
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/vnd.adobe.photoshop",
    "image/vnd.microsoft.icon",
    "image/vnd.ms-dds",
    "image/x-icon",
    "image/x-ms-bmp",
    "message/rfc822",
    "model/gltf-binary",
    "x-shader/x-fragment",
    "x-shader/x-vertex",
];

/// Whether content of this type, as `Content-Type` names it, grows smaller. Each piece of a message that is read by
/// itself, as gRPC's are, stays as it is.
pub(super) fn shrinks(content_type: &[u8]) -> bool {
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    let essence = content_type[..end].trim_ascii();
    let Some(slash) = memchr::memchr(b'/', essence) else {
        return false;
    };
    let (kind, subtype) = (&essence[..slash], &essence[slash + 1..]);
    let is = |one: &str, other: &[u8]| one.as_bytes().eq_ignore_ascii_case(other);
    if is("text", kind) {
        return true;
    }
    let is_application = is("application", kind);
    if is_application && subtype.get(..4).is_some_and(|begin| is("grpc", begin)) {
        return false;
    }
    let suffix = memchr::memrchr(b'+', subtype).map_or(&b""[..], |plus| &subtype[plus + 1..]);
    ["json", "text", "xml", "yaml"]
        .iter()
        .any(|known| is(known, suffix))
        || is_application && APPLICATION.iter().any(|known| is(known, subtype))
        || OTHERS.iter().any(|known| is(known, essence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_shrinks_and_pictures_do_not() {
        for (kind, expected) in [
            ("text/html", true),
            ("text/html; charset=utf-8", true),
            ("TEXT/Plain", true),
            ("text/event-stream", true),
            ("application/json", true),
            ("application/JSON;charset=utf-8", true),
            ("application/problem+json", true),
            ("application/x-ndjson", true),
            ("application/vnd.api+json", true),
            ("image/svg+xml", true),
            ("application/javascript", true),
            ("application/wasm", true),
            ("font/ttf", true),
            ("font/woff2", false),
            ("image/png", false),
            ("image/jpeg", false),
            ("application/octet-stream", false),
            ("application/zip", false),
            ("application/pdf", false),
            ("video/mp4", false),
            ("application/grpc", false),
            ("application/grpc-web+json", false),
            ("json", false),
            ("", false),
            ("/", false),
        ] {
            assert_eq!(shrinks(kind.as_bytes()), expected, "{kind}");
        }
    }
}
