"""A local Crusoe Cloud API for tests and demos: the storage key slice, with faults on demand."""
