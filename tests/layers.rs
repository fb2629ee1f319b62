//! The module order in docs/architecture.md is the order in the code.
