//! Reports come in, bytes for people and programs come out.
