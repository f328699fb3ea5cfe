"""The plugin host: handshake, lifetime and the servicer that completes `tf`."""
