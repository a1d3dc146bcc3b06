"""The ports on real technology: S3, Kubernetes, SQLite and HTTP."""
