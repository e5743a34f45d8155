//! The bundled sample app: a URL shortener.
