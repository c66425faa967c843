//! AMD SEV-SNP: the report, its certificates, its revocation lists.
