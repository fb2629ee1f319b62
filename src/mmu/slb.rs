//! Segment lookaside buffer (ISA III, SLB).
