//! A label comes in, an effect comes out.
