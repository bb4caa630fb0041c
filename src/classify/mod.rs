//! Findings come in, one label comes out.
