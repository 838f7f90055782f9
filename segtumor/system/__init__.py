"""The machine: locks, processes, memory, and libraries that report home."""
