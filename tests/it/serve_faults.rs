//! The daemon when it is killed, when its disk is full, when its files are wrong and when it ends.
