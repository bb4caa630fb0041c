//! Paths come in, reports and a summary come out.
