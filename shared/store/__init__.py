"""The vector store: one protocol, its adapters, and the sharing of the embedded one."""
