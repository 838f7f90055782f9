"""The machine: locks, processes, memory, installed versions, and libraries that report home."""
