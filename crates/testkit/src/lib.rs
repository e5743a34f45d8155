//! Test harness: the real program with real apps, reads like a sentence
