//! drystone with OpenSSL in both roles.

drystone_tests::interop_tests!(drystone_tests::interop::Stack::OpenSsl, "openssl");
