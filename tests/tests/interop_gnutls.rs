//! drystone with GnuTLS in both roles.

drystone_tests::interop_tests!(drystone_tests::interop::Stack::GnuTls, "gnutls");
